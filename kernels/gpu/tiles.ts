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
 * A workgroup's tile of a product. It has SLICES teams of X x Y invocations, each with 4I rows and 4J columns in registers.
 * They stage DEPTH terms of the sums at a time in workgroup memory. A type, so that it can be spread into a shader's constants.
 */
export type Tile = Readonly<Record<"X" | "Y" | "I" | "J" | "SLICES" | "DEPTH", number>>;

/** A tile, and the workgroups that share the terms of its sums; with one nothing is left to add up. */
export type SplitTile = Tile & Readonly<Record<"SPLITS", number>>;

const TILE_256: Tile = { X: 16, Y: 16, I: 2, J: 4, SLICES: 1, DEPTH: 32 }; // 128 x 256
const TILE_128: Tile = { X: 16, Y: 16, I: 2, J: 2, SLICES: 1, DEPTH: 16 };
const TILE_64: Tile = { X: 16, Y: 16, I: 1, J: 1, SLICES: 1, DEPTH: 32 };
const TILE_64_SLICED: Tile = { X: 8, Y: 8, I: 2, J: 2, SLICES: 4, DEPTH: 64 };
const TILE_32: Tile = { X: 8, Y: 8, I: 1, J: 1, SLICES: 1, DEPTH: 32 };
const TILE_32_SLICED: Tile = { ...TILE_32, SLICES: 2, DEPTH: 64 };

/** Workgroups that a GPU should get before its tiles grow: one for each of its cores, two of the middle size. */
const MANY_WORKGROUPS = 128;
/** Terms from which the slices of a tile of 32 or 64 rows pay. */
const TERMS_TO_SLICE = { 32: 128, 64: 256 };
/** Workgroups that splits aim at: some for each core, more of them when tiles are larger. */
const SPLIT_WORKGROUPS = { 32: 256, 64: 512 };
/** Terms below which a sum is not split, as a second launch then costs more than it saves. */
const TERMS_TO_SPLIT = { 32: 512, 64: 1024 };
/** Fewest terms of a split, its last one aside, and most splits. */
const MIN_TERMS_OF_SPLIT = 128;
const MAX_SPLITS = 16;
/** Workgroup memory that WebGPU promises. */
const PROMISED_BYTES = 16_384;

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

/** Tiles of all products together. */
function countWorkgroups(shape: ProductShape, tile: Tile): number {
  const [down, across] = countTiles(shape, tile);
  return down * across * (shape.batch ?? 1);
}

/**
 * The largest tile that leaves a GPU enough workgroups; in slices, if allowed, when sums are long. Thresholds are from
 * times of many tiles at the shapes of training steps on an H100.
 */
export function chooseTile(shape: ProductShape, allowsSlices: boolean, memoryBytes = PROMISED_BYTES): Tile {
  const fits = ({ X, Y, I, J, DEPTH }: Tile) => 16 * DEPTH * (I * Y + J * X) <= memoryBytes;
  const isMany = (tile: Tile, least = MANY_WORKGROUPS) => countWorkgroups(shape, tile) >= least;
  const large = [TILE_256, TILE_128].find((tile) => fits(tile) && isMany(tile));
  if (large !== undefined) return large;
  const slices = (tile: Tile, least: number) => allowsSlices && shape.terms >= least && fits(tile);
  if (isMany(TILE_64, 2 * MANY_WORKGROUPS)) {
    return slices(TILE_64_SLICED, TERMS_TO_SLICE[64]) ? TILE_64_SLICED : TILE_64;
  }
  return slices(TILE_32_SLICED, TERMS_TO_SLICE[32]) ? TILE_32_SLICED : TILE_32;
}

/** As {@linkcode chooseTile} in slices; long sums are split if there are too few workgroups even so. */
export function chooseSplitTile(shape: ProductShape, memoryBytes?: number): SplitTile {
  const { terms } = shape;
  const counts = { 32: countWorkgroups(shape, TILE_32), 64: countWorkgroups(shape, TILE_64) };
  const isFew = counts[32] > 0 && counts[32] < MANY_WORKGROUPS;
  if (isFew && terms >= TERMS_TO_SPLIT[32]) return split(TILE_32_SLICED, 32);
  const isSome = counts[64] >= MANY_WORKGROUPS / 2 && counts[64] < 2 * MANY_WORKGROUPS;
  if (isSome && terms >= TERMS_TO_SPLIT[64]) return split(TILE_64, 64);
  return { ...chooseTile(shape, true, memoryBytes), SPLITS: 1 };

  function split(tile: Tile, rows: 32 | 64): SplitTile {
    const wanted = Math.min(
      Math.round(SPLIT_WORKGROUPS[rows] / counts[rows]),
      Math.floor(terms / MIN_TERMS_OF_SPLIT),
      MAX_SPLITS,
    );
    // In whole steps there may be fewer: none is left without terms.
    return { ...tile, SPLITS: Math.ceil(terms / termsOfSplit(terms, { ...tile, SPLITS: wanted })) };
  }
}

/** Terms of each split but the last: whole steps, so that none reads words of the next. */
export function termsOfSplit(terms: number, { DEPTH, SPLITS }: SplitTile): number {
  return DEPTH * Math.ceil(terms / (DEPTH * SPLITS));
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
 * Time of matmul at 192x384x256 on llvmpipe, the fastest tile's at 1. There are few, since each is compiled for every
 * transpose and epilogue. Among equals in speed the one that compiles fastest is here: 48 x 4 in half the time of 16 x 12.
 */
const REGISTER_TILES: readonly (RegisterTile & { readonly slowness: number })[] = [
  { ROWS: 32, J: 2, slowness: 1 },
  { ROWS: 48, J: 1, slowness: 1.12 },
  { ROWS: 16, J: 2, slowness: 1.13 },
  { ROWS: 32, J: 1, slowness: 1.15 },
  { ROWS: 8, J: 2, slowness: 1.33 },
];

/** The tile of at most `maxRows` rows that keeps the busiest of a software adapter's threads shortest, padding included. */
export function chooseRegisterTile(
  { rows, columns, batch = 1 }: Omit<ProductShape, "terms">,
  maxRows = Infinity,
  { threads = softwareThreads(), lanes = 8 }: { readonly threads?: number; readonly lanes?: number } = {},
): RegisterTile {
  const cost = ({ ROWS, J, slowness }: typeof REGISTER_TILES[number]) => {
    const workgroups = Math.ceil(rows / ROWS) * Math.ceil(columns / (4 * lanes * J)) * batch;
    return Math.ceil(workgroups / threads) * ROWS * J * slowness;
  };
  const { ROWS, J } = REGISTER_TILES.filter(({ ROWS }) => ROWS <= maxRows)
    .reduce((best, tile) => cost(tile) < cost(best) ? tile : best);
  return { ROWS, J };
}
