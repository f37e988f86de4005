/**
 * Tiles of matrix products on GPUs and on software adapters, and how long a loop may be on the latter: what several
 * kernels share.
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

/** How the workgroup variants of kernels that walk rows split them; a type, so that it can be spread into constants. */
export type RowLanes = Readonly<{ LANES: number; ROWS: number; SUBGROUP: boolean }>;

/**
 * LANES neighbouring invocations for a row of some vec4s or words, about 4 of them each, and ROWS rows for 64 invocations or
 * more. Up to 8 elements each the lanes of a row stay in one subgroup, SUBGROUP: they then need no barrier to add up.
 */
export function rowLanes(elements: number, subgroupSize: number): RowLanes {
  const wanted = Math.min(256, Math.max(8, 2 ** Math.ceil(Math.log2(elements / 4))));
  const SUBGROUP = subgroupSize >= 8 && (wanted <= subgroupSize || elements <= 8 * subgroupSize);
  const LANES = SUBGROUP ? Math.min(wanted, subgroupSize) : wanted;
  return { LANES, ROWS: Math.max(1, 64 / LANES), SUBGROUP };
}

/** Threads that a software adapter plays the GPU with. */
export const softwareThreads = (): number => globalThis.navigator?.hardwareConcurrency ?? 2;

/** ROWS x 4J words of a product in the registers of each of a workgroup's 8 lanes, on software adapters. */
export interface RegisterTile {
  readonly ROWS: number;
  readonly J: number;
}

/**
 * Time of matmul at 192x384x256 on llvmpipe, the fastest tile's at 1. Few, and of those of equal speed what compiles
 * fastest (48 x 4 in half the time of 16 x 12), as each is compiled for every transpose and epilogue.
 */
const REGISTER_TILES: readonly (RegisterTile & { readonly slowness: number })[] = [
  { ROWS: 32, J: 2, slowness: 1 },
  { ROWS: 48, J: 1, slowness: 1.12 },
  { ROWS: 16, J: 2, slowness: 1.13 },
  { ROWS: 32, J: 1, slowness: 1.15 },
  { ROWS: 8, J: 2, slowness: 1.33 },
];

/** The tile of at most `maxRows` rows that keeps the busiest thread of a software adapter shortest, padding included. */
export function chooseRegisterTile(
  { rows, columns, batch = 1 }: Omit<ProductShape, "terms">,
  maxRows = Infinity,
): RegisterTile {
  const threads = softwareThreads();
  const cost = ({ ROWS, J, slowness }: typeof REGISTER_TILES[number]) => {
    const workgroups = Math.ceil(rows / ROWS) * Math.ceil(columns / (32 * J)) * batch;
    return Math.ceil(workgroups / threads) * ROWS * J * slowness;
  };
  const { ROWS, J } = REGISTER_TILES.filter(({ ROWS }) => ROWS <= maxRows)
    .reduce((best, tile) => cost(tile) < cost(best) ? tile : best);
  return { ROWS, J };
}
