/**
 * Matrix multiplication: plain, transposed on either side, batched, with the epilogues of a linear layer.
 *
 * @module
 */
import {
  type Binding,
  chooseRegisterTile,
  chooseSplitTile,
  chooseTile,
  chooseVariant,
  countTiles,
  debugLog,
  environment,
  flatGrid,
  type Gpu,
  MAX_ROUNDS,
  params,
  read,
  requireSizes,
  type Slice,
  type SplitTile,
  stagedBlocks,
  termsOfSplit,
  texels,
  type WgslConstants,
  write,
} from "../gpu/mod.ts";
import quadsSource from "./quads.wgsl" with { type: "text" };
import naiveSource from "./naive.wgsl" with { type: "text" };
import sumSplitsSource from "./sum_splits.wgsl" with { type: "text" };
import textureSource from "./texture.wgsl" with { type: "text" };
import tiledSource from "./tiled.wgsl" with { type: "text" };

/** What {@linkcode matmul} reads and writes. `C` and `U` must not share a storage with what is read. */
export interface MatmulOperands {
  /** (batch,M,K), or (batch,K,M) with `transposeA`. */
  readonly A: Slice;
  /** (batch,K,N), or (batch,N,K) with `transposeB`. */
  readonly B: Slice;
  /** (batch,M,N), written. */
  readonly C: Slice;
  /** (N), added to every row. */
  readonly bias?: Slice;
  /** (batch,M,N), added last. */
  readonly residual?: Slice;
  /** (batch,M,N), written: the sum before GELU and residual, which GELU's backward needs. */
  readonly U?: Slice;
}

/** Sizes and options of {@linkcode matmul}. */
export interface MatmulShape {
  /** Rows of C; there may be none. */
  readonly M: number;
  /** Columns of C. */
  readonly N: number;
  /** Terms of each sum. */
  readonly K: number;
  /** Independent products of the same shape; 1 by default. */
  readonly batch?: number;
  /** A is stored (K,M): the product is A^T B. */
  readonly transposeA?: boolean;
  /** B is stored (N,K): the product is A B^T. */
  readonly transposeB?: boolean;
  /** Applies GELU in its tanh form. */
  readonly gelu?: boolean;
  /** Adds to what C holds (parameter gradients); not together with `gelu` or `U`. */
  readonly accumulate?: boolean;
  /** `naive`, `texture`, `quads` (on SwiftShader), `tiled` or `tiled-f16`; by default `PONDER_VARIANT`, then what suits adapter and shape. */
  readonly variant?: string;
}

/** Terms of a sum that a round of each variant's loops adds, or fewer. */
const TERMS_PER_ROUND: Record<string, number> = { naive: 1, texture: 4, quads: 4, tiled: 3, "tiled-f16": 3 };

/**
 * C = gelu(op(A) op(B) + bias) + residual, with every part but the product optional, or C += op(A) op(B).
 *
 * @throws {RangeError} when a size is no whole number, an operand too short for the shape, or the variant cannot do it.
 */
export function matmul(gpu: Gpu, operands: MatmulOperands, shape: MatmulShape): void {
  const action = `multiply ${describeMatmul(shape)}`;
  checkOperands(action, operands, shape);
  const variant = chooseVariant(gpu, {
    kernel: "matmul",
    action,
    software: ["quads", "texture", "naive"],
    hardware: ["tiled", "tiled-f16", "naive"],
    variant: shape.variant,
    obstacle: (name) => obstacle(gpu, shape, name),
  });
  const maxK = TERMS_PER_ROUND[variant] * MAX_ROUNDS;
  if (gpu.isSoftware && shape.K > maxK) {
    throw new RangeError(
      `Cannot ${action}: on a software adapter K must be at most ${maxK} for variant ${variant}, add products of parts of K`,
    );
  }
  if (variant === "quads") launchQuads(gpu, operands, shape);
  else if (variant === "texture") launchTexture(gpu, operands, shape);
  else if (variant === "naive") launchNaive(gpu, operands, shape);
  else launchTiled(gpu, operands, shape, variant === "tiled-f16");
}

/**
 * Whether the `texture` variant can do a shape: it reads four words at a time, so N and the contiguous dimensions of
 * A and B must be multiples of 4.
 */
export function matmulSupportsTexture({ M, N, K, transposeA, transposeB }: MatmulShape): boolean {
  return N % 4 === 0 && (transposeA ? M : K) % 4 === 0 && (!transposeB || K % 4 === 0);
}

/** Whether the `quads` variant can do a shape, on an adapter that samples: it does not transpose both. */
export function matmulSupportsQuads(shape: MatmulShape): boolean {
  return matmulSupportsTexture(shape) && !(shape.transposeA && shape.transposeB);
}

function obstacle(gpu: Gpu, shape: MatmulShape, variant: string): string | null {
  if (variant === "quads" && !gpu.samplesTexels) return "the adapter must be one that samples texels";
  if (variant === "quads" && shape.transposeA && shape.transposeB) {
    return "only one operand may be transposed";
  }
  if ((variant === "texture" || variant === "quads") && !matmulSupportsTexture(shape)) {
    return "N and stored row lengths must be multiples of 4";
  }
  if (variant !== "tiled-f16") return null;
  const isForced = environment("PONDER_VARIANT") === "tiled-f16";
  if (shape.variant === undefined && !isForced) return "somebody must ask for half precision";
  if (gpu.device.features.has("shader-f16")) return null;
  if (isForced) noteMissingHalf(gpu);
  return "the device must have the feature shader-f16";
}

const noted = new WeakSet<Gpu>();

/** Says once that products are not rounded to f16, although `PONDER_VARIANT` asks for it. */
function noteMissingHalf(gpu: Gpu): void {
  if (noted.has(gpu)) return;
  noted.add(gpu);
  debugLog(`${gpu.adapterName} has no shader-f16: products stay in single precision`);
}

function launchNaive(gpu: Gpu, { A, B, C, bias, residual, U }: MatmulOperands, shape: MatmulShape): void {
  const { M, N, K, batch = 1, transposeA = false, transposeB = false } = shape;
  const bindings = [
    read(A),
    read(B),
    read(bias ?? gpu.placeholder),
    read(residual ?? gpu.placeholder),
    write(C),
    params({
      M,
      N,
      K,
      aRow: transposeA ? 1 : K,
      aColumn: transposeA ? M : 1,
      bRow: transposeB ? 1 : N,
      bColumn: transposeB ? K : 1,
    }),
  ];
  if (U !== undefined) bindings.push(write(U));
  const isNarrow = N < 8;
  const rowGroups = Math.ceil(M / 8);
  const columnGroups = Math.ceil(N / 8);
  gpu.dispatch({
    kernel: {
      name: "matmul/naive",
      source: naiveSource,
      constants: { NARROW: isNarrow, ...epilogue({ bias, residual, U }, shape) },
    },
    bindings,
    workgroups: isNarrow ? [rowGroups, columnGroups, batch] : [columnGroups, rowGroups, batch],
  });
}

/** What `texture` and `quads` bind. */
function texelBindings(
  gpu: Gpu,
  { A, B, C, bias, residual, U }: MatmulOperands,
  shape: MatmulShape,
): Binding[] {
  const { M, N, K, transposeA = false, transposeB = false } = shape;
  const bindings = [
    texels(A),
    texels(B),
    read(bias ?? gpu.placeholder),
    read(residual ?? gpu.placeholder),
    write(C),
    params({
      M,
      N4: N / 4,
      K,
      aStride: (transposeA ? M : K) / 4,
      bStride: (transposeB ? K : N) / 4,
      baseA: A.offset / 4,
      baseB: B.offset / 4,
      aItem: M * K / 4,
      bItem: K * N / 4,
    }),
  ];
  if (U !== undefined) bindings.push(write(U));
  return bindings;
}

/** Rows of a product that a quad holds: more is more code than a core's instruction cache has room for. */
const QUAD_ROWS = 16;

function launchQuads(gpu: Gpu, operands: MatmulOperands, shape: MatmulShape): void {
  const { M, N, K, batch = 1, transposeA = false, transposeB = false } = shape;
  const constants = {
    ROWS: Math.min(QUAD_ROWS, 4 * Math.ceil(M / 4)),
    TRANSPOSE_A: transposeA,
    TRANSPOSE_B: transposeB,
    K_TAIL: K % 4 !== 0,
    ...epilogue(operands, shape),
  };
  gpu.dispatch({
    kernel: { name: "matmul/quads", source: quadsSource, constants },
    bindings: texelBindings(gpu, operands, shape),
    workgroups: [Math.ceil(N / 16), Math.ceil(M / constants.ROWS), batch],
  });
}

function launchTexture(gpu: Gpu, operands: MatmulOperands, shape: MatmulShape): void {
  const { M, N, K, batch = 1, transposeA = false, transposeB = false } = shape;
  const { lanes } = gpu;
  const { ROWS, J } = chooseRegisterTile({ rows: M, columns: N, batch }, gpu.maxTileRows, { lanes });
  const [across, down] = [Math.ceil(N / (4 * lanes * J)), Math.ceil(M / ROWS)];
  const constants = {
    LANES: lanes,
    QUADS: lanes / 4,
    OWN: Math.ceil(ROWS / lanes),
    ROWS,
    J,
    DOWN: down > 1 && goesDown(shape),
    BROADCAST: gpu.canBroadcast,
    TRANSPOSE_A: transposeA,
    TRANSPOSE_B: transposeB,
    K_TAIL: K % 4 !== 0,
    ...epilogue(operands, shape),
  };
  gpu.dispatch({
    kernel: { name: "matmul/texture", source: textureSource, constants },
    bindings: texelBindings(gpu, operands, shape),
    workgroups: constants.DOWN ? [down, across, batch] : [across, down, batch],
  });
}

/** Words that a core's second cache holds, about. */
const CACHED_WORDS = 1 << 18;

/**
 * Whether workgroups that follow each other share columns: B, too large for a core's cache, is then read once and not once
 * for every ROWS rows of an A that fits.
 */
function goesDown({ M, N, K, transposeA = false }: MatmulShape): boolean {
  return !transposeA && M * K <= CACHED_WORDS && K * N > CACHED_WORDS;
}

/** A shape with the tile that `tiled` or, with `isHalf`, `tiled-f16` takes. */
interface TiledShape extends MatmulShape {
  /** In slices or splits not as half; in splits only without `bias`, `gelu`, `residual` and `U`. */
  readonly tile: SplitTile;
  readonly isHalf?: boolean;
}

function launchTiled(gpu: Gpu, operands: MatmulOperands, shape: MatmulShape, isHalf: boolean): void {
  const { M, N, K, batch = 1, gelu = false } = shape;
  const { bias, residual, U } = operands;
  const product = { rows: M, columns: N, terms: K, batch };
  const isPlain = !gelu && bias === undefined && residual === undefined && U === undefined;
  // Slices hand over sums in the memory of staged operands: not as f16.
  const memory = gpu.device.limits.maxComputeWorkgroupStorageSize;
  const tile = isPlain && !isHalf
    ? chooseSplitTile(product, memory)
    : { ...chooseTile(product, !isHalf, memory), SPLITS: 1 };
  matmulTiled(gpu, operands, { ...shape, tile, isHalf });
}

/** The products in one launch or, with splits, in one of theirs and one that adds them up. */
function matmulTiled(gpu: Gpu, operands: MatmulOperands, shape: TiledShape): void {
  const { SPLITS } = shape.tile;
  if (SPLITS === 1) return launchTiles(gpu, operands, shape);
  const { M, N, batch = 1, accumulate = false } = shape;
  const partials = gpu.acquire(SPLITS * batch * M * N, "matmul.partials");
  launchTiles(gpu, { ...operands, C: partials }, { ...shape, accumulate: false });
  const isVector = M * N % 4 === 0;
  const elements = isVector ? M * N / 4 : M * N;
  gpu.dispatch({
    kernel: {
      name: "matmul/sum_splits",
      source: sumSplitsSource,
      constants: { VECTOR: isVector, ACCUMULATE: accumulate },
    },
    bindings: [read(partials), write(operands.C), params({ n: elements, splits: SPLITS })],
    workgroups: [...flatGrid(Math.ceil(elements / 64)), batch],
  });
  gpu.release(partials);
}

/** The products, or with splits those of each in place of C. */
function launchTiles(gpu: Gpu, { A, B, C, bias, residual, U }: MatmulOperands, shape: TiledShape): void {
  const { M, N, K, batch = 1, transposeA = false, transposeB = false, isHalf = false } = shape;
  const { SPLITS, ...tile } = shape.tile;
  const [down, across] = countTiles({ rows: M, columns: N, terms: K }, tile);
  const [aRows, aColumns] = transposeA ? [K, M] : [M, K];
  const [bRows, bColumns] = transposeB ? [N, K] : [K, N];
  const bindings = [
    read(A),
    read(B),
    read(bias ?? gpu.placeholder),
    read(residual ?? gpu.placeholder),
    write(C),
    params({
      M,
      N,
      K,
      aRows,
      aColumns,
      bRows,
      bColumns,
      kPart: termsOfSplit(K, shape.tile),
      splits: SPLITS,
    }),
  ];
  if (U !== undefined) bindings.push(write(U));
  gpu.dispatch({
    kernel: {
      name: "matmul/tiled",
      // Behind the text, so that positions in error messages stay; it is moved to the front.
      source: isHalf ? `${tiledSource}\nenable f16;` : tiledSource,
      constants: {
        ...tile,
        STAGES: stagedBlocks(tile),
        GROUPS: tile.DEPTH / 4 / tile.SLICES,
        SPLIT: SPLITS > 1,
        HALF: isHalf,
        TRANSPOSE_A: transposeA,
        TRANSPOSE_B: transposeB,
        A_VEC4: aColumns % 4 === 0,
        B_VEC4: bColumns % 4 === 0,
        C_VEC4: N % 4 === 0,
        ...epilogue({ bias, residual, U }, shape),
      },
    },
    bindings,
    workgroups: [across, down, batch * SPLITS],
  });
}

function epilogue(
  { bias, residual, U }: Pick<MatmulOperands, "bias" | "residual" | "U">,
  { gelu = false, accumulate = false }: MatmulShape,
): WgslConstants {
  return {
    HAS_BIAS: bias !== undefined,
    HAS_RESIDUAL: residual !== undefined,
    HAS_U: U !== undefined,
    GELU: gelu,
    ACCUMULATE: accumulate,
  };
}

function checkOperands(
  action: string,
  { A, B, C, bias, residual, U }: MatmulOperands,
  { M, N, K, batch = 1, gelu = false, accumulate = false }: MatmulShape,
): void {
  requireSizes(action, { N, K }, { M, batch });
  const lengths = [
    [A, batch * M * K],
    [B, batch * K * N],
    [C, batch * M * N],
    [bias, N],
    [residual, batch * M * N],
    [U, batch * M * N],
  ] as const;
  for (const [slice, words] of lengths) {
    if (slice !== undefined && slice.length < words) {
      throw new RangeError(`Cannot ${action}: ${slice.label} has ${slice.length} words, it needs ${words}`);
    }
  }
  if (accumulate && (gelu || U !== undefined)) {
    throw new RangeError(
      `Cannot ${action}: accumulate goes with neither gelu nor U, add in a second launch`,
    );
  }
}

/** The shape as messages and case names write it, e.g. `17x65x33 A^T batch 2`. */
export function describeMatmul(shape: MatmulShape): string {
  const { M, N, K, batch = 1, transposeA = false, transposeB = false } = shape;
  return `${M}x${N}x${K}${transposeA ? " A^T" : ""}${transposeB ? " B^T" : ""}${
    batch > 1 ? ` batch ${batch}` : ""
  }`;
}
