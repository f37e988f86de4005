/**
 * Tiles of matrix products on GPUs, and how long a loop may be on software adapters: what several kernels share.
 *
 * @module
 */

/**
 * Rounds that all loops of an invocation may take together on a software adapter: llvmpipe silently ends them after
 * 65535, nested ones and the epilogue's included.
 */
export const MAX_ROUNDS = 65_500;

/**
 * A workgroup's tile of a product: SLICES teams of X x Y invocations, each with 4I rows and 4J columns in registers,
 * stage DEPTH terms of the sums at a time in workgroup memory. A type, so that it can be spread into a shader's constants.
 */
export type Tile = Readonly<Record<"X" | "Y" | "I" | "J" | "SLICES" | "DEPTH", number>>;

// All fit WebGPU's default limits: 256 invocations, 16 KiB of workgroup memory.
const TILE_128: Tile = { X: 16, Y: 16, I: 2, J: 2, SLICES: 1, DEPTH: 16 };
const TILE_64: Tile = { X: 8, Y: 8, I: 2, J: 2, SLICES: 1, DEPTH: 16 };
const TILE_32: Tile = { X: 8, Y: 8, I: 1, J: 1, SLICES: 1, DEPTH: 16 };
const TILE_32_SLICED: Tile = { ...TILE_32, SLICES: 4, DEPTH: 64 };

/** Workgroups that a GPU should get before its tiles grow: about one for each of its cores. */
const MANY_WORKGROUPS = 128;

/** Rows and columns of a product, its sums' terms, and how many such products there are. */
export interface ProductShape {
  readonly rows: number;
  readonly columns: number;
  readonly terms: number;
  readonly batch?: number;
}

/** Tiles along the rows and along the columns of a product. */
export function countTiles(
  { rows, columns }: ProductShape,
  { X, Y, I, J }: Tile,
): [down: number, across: number] {
  return [Math.ceil(rows / (4 * I * Y)), Math.ceil(columns / (4 * J * X))];
}

/** The largest tile that leaves a GPU enough workgroups; the smallest, in slices if allowed, where there are too few. */
export function chooseTile(shape: ProductShape, allowsSlices: boolean): Tile {
  const isMany = (tile: Tile) => {
    const [down, across] = countTiles(shape, tile);
    return down * across * (shape.batch ?? 1) >= MANY_WORKGROUPS;
  };
  const large = [TILE_128, TILE_64, TILE_32].find(isMany);
  return large ?? (allowsSlices && shape.terms > TILE_32_SLICED.DEPTH ? TILE_32_SLICED : TILE_32);
}

/** 4x4 blocks of both operands that each invocation of a tile's workgroup stages in a step. */
export function stagedBlocks({ X, Y, I, J, SLICES, DEPTH }: Tile): number {
  return (I * Y + J * X) * DEPTH / 4 / (X * Y * SLICES);
}
