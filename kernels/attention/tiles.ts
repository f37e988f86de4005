/**
 * Tiles of the variants: how far the naive ones unroll, how many rows a lane of the texture and tiled ones holds. More
 * rows share each load of the other side, but round `T` up further, and compile longer (on software Vulkan 0.1 s for
 * few vec4s, seconds for many).
 *
 * @module
 */

/** Elements of a head that a round of the naive kernels' inner loops takes: the largest divisor of `D` up to 8. */
export function naiveUnroll(D: number): number {
  return [8, 7, 6, 5, 4, 3, 2].find((size) => D % size === 0) ?? 1;
}

/**
 * Query or key rows, 8 apart, that a lane of the texture kernels holds: up to 32 vec4s an operand. Beyond the registers
 * they go to the stack, which costs less on a CPU than loading the other side once more.
 */
export function textureRows(T: number, D: number): number {
  return rowsPerLane(T, { apart: 8, mostRows: Math.floor(128 / D) });
}

/** Keys a step of the texture forward's softmax: they share one rescaling. */
export function textureKeys(D: number): number {
  return D <= 32 ? 2 : 1;
}

/** Constants of the tiled kernels. */
export interface WorkgroupTile {
  /** vec4s of a head that each of the four lanes which share a row holds. */
  readonly PART: number;
  /** Rows of the other side staged at a time: a multiple of 4, and with PART an operand of at most 4 KiB. */
  readonly TILE: number;
  /** Rows, 16 apart, that four lanes share: bounded by registers, and partial sums by workgroup memory. */
  readonly ROWS: number;
}

/** The tile of the tiled forward, or of its backward kernels, for `T` tokens and heads of size `D`. */
export function workgroupTile(T: number, D: number, isBackward: boolean): WorkgroupTile {
  const PART = Math.ceil(D / 16);
  const mostRows = (D <= 64 ? 4 : 2) / (isBackward ? 2 : 1);
  return { PART, TILE: 4 * Math.floor(16 / PART), ROWS: rowsPerLane(T, { apart: 16, mostRows }) };
}

const MAX_ROWS = 4;
/** What a step costs beside the arithmetic of its rows, in rows: the loads of the other side. */
const STEP_COST_ROWS = 3;

/** The rows with the least estimated time, at most `mostRows` (but at least 1). */
function rowsPerLane(T: number, { apart, mostRows }: { apart: number; mostRows: number }): number {
  let best = 1;
  let bestCost = Infinity;
  for (let rows = 1; rows <= Math.max(1, Math.min(MAX_ROWS, mostRows)); rows++) {
    const cost = Math.ceil(T / (apart * rows)) * (rows + STEP_COST_ROWS);
    if (cost < bestCost) [best, bestCost] = [rows, cost];
  }
  return best;
}
