/**
 * Rotary position embedding by halves.
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
import naiveSource from "./naive.wgsl" with { type: "text" };

/** Operands of {@linkcode rotary}. */
export interface RotaryOperands {
  /** (R, heads D). */
  readonly X: Slice;
  /** (R) u32: rows of the table; those beyond it take its last. */
  readonly positions: Slice;
  /** (positions, D) of {@linkcode rotaryTable}. */
  readonly table: Slice;
  /** (R, heads D), written. */
  readonly Y: Slice;
}

/** Sizes and direction of {@linkcode rotary}. */
export interface RotaryShape {
  /** Rows. */
  readonly R: number;
  /** Heads of a row. */
  readonly heads: number;
  /** The first of them that turn; the others are copied. */
  readonly rotated: number;
  /** Size of a head, even. */
  readonly D: number;
  /** Turns back: the gradient of X from that of Y. False by default. */
  readonly inverse?: boolean;
  /** `naive`, or `vec4` for D a multiple of 8; chosen by shape when absent. */
  readonly variant?: string;
}

/**
 * Turns each pair (d, d + D/2) of the first heads by the angle of the row's position.
 *
 * @throws {RangeError} when D is odd, an operand is too short, or the variant cannot do the shape.
 */
export function rotary(gpu: Gpu, { X, positions, table, Y }: RotaryOperands, shape: RotaryShape): void {
  const { R, heads, rotated, D, inverse = false } = shape;
  const action = `rotate ${rotated} of ${heads} heads of ${D}`;
  requireSizes(action, { R, heads, D }, { rotated });
  if (D % 2 !== 0) throw new RangeError(`Cannot ${action}: a head's size must be even`);
  const words = R * heads * D;
  requireWords(action, [[X, words], [positions, R], [table, D], [Y, words]]);
  const VECTOR = chooseVariant(gpu, {
    kernel: "rotary",
    action,
    software: ["vec4", "naive"],
    hardware: ["vec4", "naive"],
    variant: shape.variant,
    obstacle: (name) => name === "naive" || D % 8 === 0 ? null : "a head's size must be a multiple of 8",
  }) === "vec4";
  const HALF = VECTOR ? D / 8 : D / 2;
  gpu.dispatch({
    kernel: { name: "rotary/naive", source: naiveSource, constants: { VECTOR, HALF, INVERSE: inverse } },
    bindings: [
      ...[X, positions, table].map(read),
      write(Y),
      params({ R, heads, rotated, rows: Math.floor(table.length / D) }),
    ],
    workgroups: [Math.ceil(heads * HALF / 8), ...flatGrid(Math.ceil(R / 8))],
  });
}

/** Sizes of {@linkcode rotaryTable}. */
export interface RotaryTableShape {
  /** Rows: positions 0 to `positions - 1`. */
  readonly positions: number;
  /** Size of a head. */
  readonly D: number;
  /** Base of the frequencies, `rope_theta` in config files. */
  readonly theta: number;
}

/**
 * (positions, D) rows `[cos | sin]` of the angles position * theta^(-2d/D), d from 0 to D/2 - 1, computed in f64: right to
 * the last bit of f32 at every position.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { rotaryTable } from "@ponder/ponder/kernels";
 *
 * const table = rotaryTable({ positions: 2, D: 2, theta: 10_000 });
 * assertEquals(table, Float32Array.of(1, 0, Math.cos(1), Math.sin(1)));
 * ```
 */
export function rotaryTable({ positions, D, theta }: RotaryTableShape): Float32Array<ArrayBuffer> {
  const half = D / 2;
  const table = new Float32Array(positions * D);
  const frequencies = Float64Array.from({ length: half }, (_, d) => theta ** (-2 * d / D));
  for (let position = 0; position < positions; position++) {
    for (let d = 0; d < half; d++) {
      const angle = position * frequencies[d];
      table[position * D + d] = Math.cos(angle);
      table[position * D + half + d] = Math.sin(angle);
    }
  }
  return table;
}
