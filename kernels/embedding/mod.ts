/**
 * Table look-ups by index, and their gradients: token, position and image-token embeddings, and row gathers.
 *
 * @module
 */
import {
  chooseVariant,
  flatGrid,
  type Gpu,
  params,
  read,
  requireWords,
  type Slice,
  texels,
  write,
} from "../gpu/mod.ts";
import embedSource from "./embed.wgsl" with { type: "text" };
import gatherSource from "./gather_rows.wgsl" with { type: "text" };
import rowsSource from "./rows.wgsl" with { type: "text" };
import sumSource from "./sum_rows.wgsl" with { type: "text" };

export { bucketRows, type RowBuckets } from "./bucket_rows.ts";

/** What {@linkcode embed} reads and writes. */
export interface EmbedOperands {
  /** (N) i32: `s >= 0` takes row `s` of `tokenTable`, `s < 0` row `-s - 1` of `imageTokens`. */
  readonly sources: Slice;
  /** (N) u32: rows of `positionTable`. */
  readonly positions: Slice;
  /** (V,C). */
  readonly tokenTable: Slice;
  /** (positions,C). */
  readonly positionTable: Slice;
  /** (rows,C), or `gpu.placeholder` when no source is negative. */
  readonly imageTokens: Slice;
  /** (N,C), written. */
  readonly Y: Slice;
}

/** Y[n] = (token or image row named by `sources[n]`) + positionTable[positions[n]]. Indices are clamped. */
export function embed(gpu: Gpu, operands: EmbedOperands, { N, C }: { N: number; C: number }): void {
  const { sources, positions, tokenTable, positionTable, imageTokens, Y } = operands;
  const action = `embed ${N} rows of ${C}`;
  requireWords(action, [[sources, N], [positions, N], [tokenTable, C], [positionTable, C], [Y, N * C]]);
  const tables = [tokenTable, positionTable, imageTokens];
  const [tokenRows, positionRows, imageRows] = tables.map(({ length }) =>
    Math.max(1, Math.floor(length / C))
  );
  const [vector, width] = valuesPerRow(C);
  gpu.dispatch({
    kernel: { name: "embedding/embed", source: embedSource, constants: { VECTOR: vector } },
    bindings: [
      read(sources),
      read(positions),
      ...tables.map(read),
      write(Y),
      params({ N, C: width, tokenRows, positionRows, imageRows }),
    ],
    workgroups: rowGrid(N, width),
  });
}

/** What {@linkcode embedRows} reads and writes. */
export interface EmbedRowsOperands {
  /** (N) i32: `s >= 0` is a row of the whole table, `s < 0` row `-s - 1` of `imageTokens`. */
  readonly sources: Slice;
  /** (rows,C): rows `row0` to `row0 + rows - 1` of the whole table. */
  readonly table: Slice;
  /** (any,C); absent for a piece after the first, or if no source is negative. */
  readonly imageTokens?: Slice;
  /** (N,C): the rows whose source is at hand are written. */
  readonly Y: Slice;
}

/** Y[n] = (token or image row named by `sources[n]`), for sources in this piece of the table. No positions are added. */
export function embedRows(
  gpu: Gpu,
  { sources, table, imageTokens, Y }: EmbedRowsOperands,
  { N, C, row0, rows }: { N: number; C: number; row0: number; rows: number },
): void {
  requireWords(`embed ${N} rows of ${C}`, [[sources, N], [table, rows * C], [Y, N * C]]);
  const [vector, width] = valuesPerRow(C);
  const imageRows = Math.max(1, Math.floor((imageTokens?.length ?? 0) / C));
  gpu.dispatch({
    kernel: {
      name: "embedding/rows",
      source: rowsSource,
      constants: { VECTOR: vector, IMAGES: imageTokens !== undefined },
    },
    bindings: [
      read(sources),
      read(table),
      read(imageTokens ?? gpu.placeholder),
      write(Y),
      params({ N, C: width, row0, rows, imageRows }),
    ],
    workgroups: rowGrid(N, width),
  });
}

/** What {@linkcode gatherRows} reads and writes. */
export interface GatherRowsOperands {
  /** (any,C). */
  readonly X: Slice;
  /** (rows) i32: rows of X, -1 for a row of zeros. */
  readonly index: Slice;
  /** (rows,C), written. */
  readonly Y: Slice;
}

/**
 * Y[r] = X[index[r]], or zeros if the index is negative. Its backward is {@linkcode sumRows}; for distinct rows it can be
 * a gather by the inverse.
 */
export function gatherRows(gpu: Gpu, operands: GatherRowsOperands, shape: { rows: number; C: number }): void {
  const { X, index, Y } = operands;
  const { rows, C } = shape;
  requireWords(`gather ${rows} rows of ${C}`, [[X, C], [index, rows], [Y, rows * C]]);
  const [vector, width] = valuesPerRow(C);
  gpu.dispatch({
    kernel: { name: "embedding/gather_rows", source: gatherSource, constants: { VECTOR: vector } },
    bindings: [
      read(X),
      read(index),
      write(Y),
      params({ rows, C: width, sourceRows: Math.floor(X.length / C) }),
    ],
    workgroups: rowGrid(rows, width),
  });
}

/** What {@linkcode sumRows} reads and writes. */
export interface SumRowsOperands {
  /** (N,C): the gradient of the rows that were read. */
  readonly dY: Slice;
  /** (rows + 1) u32 of {@linkcode bucketRows}. */
  readonly starts: Slice;
  /** u32 of {@linkcode bucketRows}; `gpu.placeholder` when there is none. */
  readonly items: Slice;
  /** (rows,C), written, or added to. */
  readonly dTable: Slice;
  /** u32: the only rows that gain anything, then any numbers beyond the table's rows. Goes with `accumulate`. */
  readonly named?: Slice;
}

/** Sizes and options of {@linkcode sumRows}. */
export interface SumRowsShape {
  /** Rows of the table. */
  readonly rows: number;
  /** Width of a row. */
  readonly C: number;
  /** Adds to what `dTable` holds instead of overwriting it. */
  readonly accumulate: boolean;
  /** `naive`, or `texture` if C is a multiple of 4. */
  readonly variant?: string;
}

/** Names of {@linkcode sumRows}' implementations: `naive` takes every shape. */
export const sumRowsVariants = ["naive", "texture"] as const;

/** llvmpipe silently ends all loops of an invocation after 65535 rounds in sum; a bucket takes four items a round. */
const MAX_SOFTWARE_ITEMS = 262_000;

/**
 * dTable[v] (+)= sum of the rows dY[items[i]], i in starts[v]..starts[v+1]: the backward of {@linkcode embed} for each
 * of its tables, and of {@linkcode gatherRows}. Deterministic. With `named` only
 * the rows that it lists are visited.
 *
 * @throws {RangeError} when an operand is too short, the variant cannot do the shape, or a software adapter cannot add so
 * many items into one row.
 */
export function sumRows(gpu: Gpu, operands: SumRowsOperands, shape: SumRowsShape): void {
  const { dY, starts, items, dTable, named } = operands;
  const { rows, C, accumulate } = shape;
  requireWords(`sum rows of ${C} into ${rows}`, [[starts, rows + 1], [dTable, rows * C]]);
  if (named !== undefined && !accumulate) {
    throw new RangeError(
      `Cannot sum rows of ${C} into ${rows}: named rows go with accumulate, the others are not written`,
    );
  }
  // How they are spread over the rows is known to the GPU only; all may be in one.
  if (gpu.isSoftware && items.length > MAX_SOFTWARE_ITEMS) {
    throw new RangeError(
      `Cannot sum rows of ${C} into ${rows}: ${items.label} has ${items.length} words, ` +
        `on a software adapter use at most ${MAX_SOFTWARE_ITEMS} a launch and accumulate`,
    );
  }
  const [vector, width] = valuesPerRow(C);
  const texture = chooseVariant(gpu, {
    kernel: "embedding",
    action: `sum rows of ${C} into ${rows}`,
    software: ["texture", "naive"],
    hardware: ["naive"],
    variant: shape.variant,
    obstacle: (name) => name === "naive" || C % 4 === 0 ? null : `C is ${C}, it must be a multiple of 4`,
  }) === "texture";
  gpu.dispatch({
    kernel: {
      name: "embedding/sum_rows",
      source: sumSource,
      constants: { VECTOR: vector, TEXTURE: texture, NAMED: named !== undefined },
    },
    bindings: [
      texture ? texels(dY) : read(dY),
      read(starts),
      read(items),
      write(dTable),
      params({
        rows,
        C: width,
        accumulate,
        base: texture ? dY.offset / 4 : 0,
        names: named?.length ?? 0,
      }),
      ...named === undefined ? [] : [read(named)],
    ],
    workgroups: rowGrid(named?.length ?? rows, width),
  });
}

/** Whether rows are read as vec4s, and how many values a row then has. */
function valuesPerRow(C: number): [vector: boolean, width: number] {
  return C % 4 === 0 ? [true, C / 4] : [false, C];
}

/** Workgroups of 8 columns x 8 rows; rows beyond WebGPU's 65535 workgroups a dimension go on in z. */
function rowGrid(rows: number, width: number): [number, number, number] {
  return [Math.ceil(width / 8), ...flatGrid(Math.ceil(rows / 8))];
}
