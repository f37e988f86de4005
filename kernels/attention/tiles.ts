/**
 * Register tiles of the texture variants (and how far the naive ones unroll): how many rows, 8 apart, a lane holds. More rows share each load of the
 * broadcast side, but round `T` up further, and compile longer (on software Vulkan 0.1 s for few vec4s, seconds for
 * many).
 *
 * @module
 */

/** Elements of a head that a round of the naive kernels' inner loops takes: the largest divisor of `D` up to 8. */
export function naiveUnroll(D: number): number {
  return [8, 7, 6, 5, 4, 3, 2].find((size) => D % size === 0) ?? 1;
}

/** Constants of the forward: query rows a lane holds, and keys a step of the softmax. */
export interface ForwardTile {
  readonly ROWS: number;
  readonly KEYS: number;
}

/** The forward's tile for `T` tokens and heads of size `D`. */
export function forwardTile(T: number, D: number): ForwardTile {
  return { ROWS: rowsPerLane(T, D, 32), KEYS: D <= 32 ? 2 : 1 };
}

/** Rows a lane of the backward kernels holds; they keep two to four vec4s where the forward keeps two. */
export function backwardRows(T: number, D: number): number {
  return rowsPerLane(T, D, 20);
}

const MAX_ROWS = 4;
/** What a step costs beside the arithmetic of its rows, in rows: the loads of the broadcast side. */
const STEP_COST_ROWS = 3;

/** The rows with the least estimated time among those that keep at most `maxVec4s` vec4s an operand. */
function rowsPerLane(T: number, D: number, maxVec4s: number): number {
  let best = 1;
  let bestCost = Infinity;
  for (let rows = 1; rows <= MAX_ROWS && (rows === 1 || rows * D / 4 <= maxVec4s); rows++) {
    const cost = Math.ceil(T / (8 * rows)) * (rows + STEP_COST_ROWS);
    if (cost < bestCost) [best, bestCost] = [rows, cost];
  }
  return best;
}
