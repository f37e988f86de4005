/**
 * Some neighbouring columns of a matrix: adding to them, and cutting them out.
 *
 * @module
 */
import {
  chooseVariant,
  flatGrid,
  type Gpu,
  params,
  read,
  requireSizes,
  requireWords,
  type Slice,
  write,
} from "../gpu/mod.ts";
import addSource from "./add.wgsl" with { type: "text" };
import cutSource from "./cut.wgsl" with { type: "text" };

/** Columns `column` to `column + N - 1` of R rows of C. */
export interface ColumnsShape {
  /** Rows. */
  readonly R: number;
  /** Columns of the whole. */
  readonly C: number;
  /** Columns that are meant. */
  readonly N: number;
  /** The first of them. */
  readonly column: number;
  /** Multiplies what is added or cut out. */
  readonly scale: number;
  /** `naive`, or `vec4` if C, N and column are multiples of 4; chosen by shape when absent. */
  readonly variant?: string;
}

/**
 * Y (R,C) = X (R,C) + scale Z (R,N), Z added from a column on. Without X it adds to what Y holds.
 *
 * @throws {RangeError} when the columns are not all there, an operand is too short, or the variant cannot do the shape.
 */
export function addColumns(
  gpu: Gpu,
  { X, Z, Y }: { readonly X?: Slice; readonly Z: Slice; readonly Y: Slice },
  shape: ColumnsShape,
): void {
  const { R, C, N } = shape;
  const { VECTOR, values } = check(gpu, shape, [[X ?? Y, R * C], [Z, R * N], [Y, R * C]]);
  const n = R * (X === undefined ? values.N : values.C);
  gpu.dispatch({
    kernel: { name: "columns/add", source: addSource, constants: { VECTOR, IN_PLACE: X === undefined } },
    bindings: [read(X ?? gpu.placeholder), read(Z), write(Y), params({ n, ...values })],
    workgroups: flatGrid(Math.ceil(n / 64)),
  });
}

/**
 * Z (R,N) = scale * some columns of Y (R,C).
 *
 * @throws {RangeError} as {@linkcode addColumns} does.
 */
export function cutColumns(
  gpu: Gpu,
  { Y, Z }: { readonly Y: Slice; readonly Z: Slice },
  shape: ColumnsShape,
): void {
  const { R, C, N } = shape;
  const { VECTOR, values } = check(gpu, shape, [[Y, R * C], [Z, R * N]]);
  gpu.dispatch({
    kernel: { name: "columns/cut", source: cutSource, constants: { VECTOR } },
    bindings: [read(Y), write(Z), params({ n: R * values.N, ...values })],
    workgroups: flatGrid(Math.ceil(R * values.N / 64)),
  });
}

function check(
  gpu: Gpu,
  { R, C, N, column, scale, variant }: ColumnsShape,
  words: readonly (readonly [Slice, number])[],
) {
  const action = `take columns ${column} to ${column + N - 1} of ${R} x ${C}`;
  requireSizes(action, { R, C, N }, { column });
  if (column + N > C) throw new RangeError(`Cannot ${action}: there are ${C}`);
  requireWords(action, words);
  const VECTOR = chooseVariant(gpu, {
    kernel: "columns",
    action,
    software: ["vec4", "naive"],
    hardware: ["vec4", "naive"],
    variant,
    obstacle: (name) =>
      name === "naive" || [C, N, column].every((size) => size % 4 === 0)
        ? null
        : "all sizes must be multiples of 4",
  }) === "vec4";
  const unit = VECTOR ? 4 : 1;
  return { VECTOR, values: { C: C / unit, N: N / unit, column: column / unit, scale } };
}
