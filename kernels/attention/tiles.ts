/**
 * Tiles of the variants: how far naive ones unroll, and how many rows a lane of texture and tiled ones holds.
 *
 * More rows share each load of the other side. They also round `T` up further and take longer to compile: on software Vulkan
 * 0.1 s for few vec4s, seconds for many.
 *
 * @module
 */

/** Elements of a head that a round of the naive kernels' inner loops takes: the largest divisor of `D` up to 8. */
export function naiveUnroll(D: number): number {
  return [8, 7, 6, 5, 4, 3, 2].find((size) => D % size === 0) ?? 1;
}

/** Constants of the texture kernels: what the 8 lanes of a workgroup are, and the rows (queries or keys) of a lane. */
export interface TextureTile {
  /** Rows that no register holds go to the stack. On a CPU that costs less than loading the other side once more. */
  readonly ROWS: number;
  /**
   * True: the lanes are eight heads, of one sequence or several, and a lane's rows are neighbours. Then little is computed
   * beyond the diagonal or beyond `T`. False: the lanes are eight neighbouring rows of one head, which suits few heads.
   */
  readonly LANES_ARE_HEADS: boolean;
}

/** Few sizes, so that sequences of many lengths compile few kernels. */
const TEXTURE_ROWS = [1, 2, 3, 4, 6, 8];
/** Time of a workgroup of eight heads over that of eight rows. Eight times the keys and values pass through the caches. */
const HEADS_COST = 1.15;

/** The tile of the texture forward, or of its backward kernels, with the least estimated time under a causal mask. */
export function textureTile(
  { B, T, H, D }: { B: number; T: number; H: number; D: number },
  isBackward: boolean,
): TextureTile {
  // The backward kernels hold twice as much a row, and there are two to compile.
  const mostWords = isBackward ? 192 : 256;
  let best: TextureTile = { ROWS: 1, LANES_ARE_HEADS: false };
  let bestCost = Infinity;
  for (const LANES_ARE_HEADS of [false, true]) {
    const lanesCost = LANES_ARE_HEADS ? HEADS_COST * Math.ceil(B * H / 8) : B * H;
    for (const ROWS of TEXTURE_ROWS) {
      if (ROWS > 1 && ROWS * D > mostWords) break;
      const blockRows = LANES_ARE_HEADS ? ROWS : 8 * ROWS;
      const blocks = Math.ceil(T / blockRows);
      // Keys that the blocks of a head walk over.
      const steps = blockRows * blocks * (blocks + 1) / 2;
      const cost = lanesCost * steps * (ROWS + STEP_COST_ROWS);
      if (cost < bestCost) [best, bestCost] = [{ ROWS, LANES_ARE_HEADS }, cost];
    }
  }
  return best;
}

/** Workgroups of a texture kernel. */
export function textureWorkgroups(
  { B, T, H }: { B: number; T: number; H: number },
  { ROWS, LANES_ARE_HEADS }: TextureTile,
): readonly [x: number, y: number, z: number] {
  return LANES_ARE_HEADS ? [Math.ceil(T / ROWS), Math.ceil(B * H / 8), 1] : [Math.ceil(T / (8 * ROWS)), H, B];
}

/** Keys a step of the texture forward's softmax: they share one rescaling. */
export function textureKeys(D: number): number {
  return D <= 64 ? 2 : 1;
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

/** Constants of the blocked kernel; a type, so that it can be spread into a shader's. */
export type BlockTile = Readonly<
  Record<"KEYS" | "PART" | "KP_ROWS" | "UNROLL" | "K_STEPS" | "V_STEPS", number>
>;

/** Queries of a workgroup of the blocked kernel, and its lanes. */
export const BLOCK_QUERIES = 64;
const BLOCK_LANES = 128;

/**
 * The blocked forward's tile for heads of size `D` with this much workgroup memory, null if none fits. It has:
 *
 * - KEYS that a workgroup stages at a time
 * - PART vec4s of a head that a lane sums up
 * - rows of 64 vec4s in the memory that K and P share
 * - vec4s of a head in a round of the first product's loop
 * - the blocks of K and the vec4s of V that a lane brings
 */
export function blockTile(D: number, memoryBytes: number): BlockTile | null {
  if (D > 64) return null;
  const PART = Math.ceil(D / 32);
  // Small heads leave room for 1.2 times as many workgroups at a time.
  for (const KEYS of D > 32 ? [64, 32] : [32]) {
    const KP_ROWS = Math.max(KEYS / 4, Math.ceil(D / 4 * KEYS / 64));
    if (256 * D + 1024 * KP_ROWS + 128 * KEYS * PART > memoryBytes) continue;
    const UNROLL = D <= 32 && D % 16 === 0 ? 4 : D % 8 === 0 ? 2 : 1;
    const K_STEPS = Math.ceil(KEYS * D / 16 / BLOCK_LANES);
    return { KEYS, PART, KP_ROWS, UNROLL, K_STEPS, V_STEPS: KEYS * 8 * PART / BLOCK_LANES };
  }
  return null;
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
