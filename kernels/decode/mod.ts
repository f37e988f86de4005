/**
 * One decoding step of a whole language model in one launch. It is for software Vulkan, on which a launch costs more than the
 * arithmetic of a token.
 *
 * @module
 */
import {
  chooseVariant,
  type Gpu,
  MAX_ROUNDS,
  params,
  read,
  requireSizes,
  requireWords,
  roundUp,
  type Slice,
  softwareThreads,
  texels,
  write,
} from "../gpu/mod.ts";
import source from "./step.wgsl" with { type: "text" };

/** Operands of {@linkcode decodeStep}. */
export interface DecodeStepOperands {
  /** All parameters, which the offsets point into; they do not change between the steps of a response. */
  readonly parameters: Slice;
  /**
   * (12 layers + 5) u32: first words of the matrices (in, out) and vectors within `parameters`, divided by 4. In order:
   * token table and position table; for each layer the weights and biases of norm_1, qkv, out, norm_2, up and down; the
   * final norm's weight and bias, the head.
   */
  readonly offsets: Slice;
  /** (B) u32: the token to go on from. */
  readonly current: Slice;
  /** (B) u32: its position, and its row of the cache. At or beyond the capacity nothing is appended. */
  readonly position: Slice;
  /** (layers,B,capacity,2C) rows `[k | v]`: read, and written at each sequence's position. */
  readonly cache: Slice;
  /** {@linkcode decodeScratchWords} words. */
  readonly scratch: Slice;
  /** (B,V), written. */
  readonly logits: Slice;
}

/** Sizes of {@linkcode decodeStep}. */
export interface DecodeStepShape {
  /** Sequences. */
  readonly B: number;
  /** Width, H * D. */
  readonly C: number;
  /** Heads. */
  readonly H: number;
  /** Blocks of the model. */
  readonly layers: number;
  /** Rows of the cache of a sequence. */
  readonly capacity: number;
  /** Rows of the position table; later positions take the last. */
  readonly positions: number;
  /** Vocabulary. */
  readonly V: number;
  /** Added to the variance in norms. */
  readonly epsilon: number;
}

const LANES = 8;

/** Does this adapter take a decoding step of these sizes as one launch? If not, the model's ops do it. */
export function decodesInOneLaunch(gpu: Gpu, shape: DecodeStepShape): boolean {
  const { B, C, layers } = shape;
  return chooseVariant(gpu, {
    kernel: "decode",
    action: `decode ${B} sequences through ${layers} layers of width ${C}`,
    software: ["texture", "naive"],
    hardware: ["naive"],
    obstacle: (variant) => variant === "texture" ? obstacleOf(shape) : null,
  }) === "texture";
}

/** Words of scratch that {@linkcode decodeStep} needs. */
export function decodeScratchWords({ B, C }: DecodeStepShape): number {
  return roundUp(B, rowsPerWorkgroup(B)) * 6 * C;
}

/**
 * Appends each sequence's new token to the cache and computes the logits of the next.
 *
 * @throws {RangeError} when an operand is too short, or the sizes are none it can do.
 */
export function decodeStep(gpu: Gpu, operands: DecodeStepOperands, shape: DecodeStepShape): void {
  const { parameters, offsets, current, position, cache, scratch, logits } = operands;
  const { B, C, H, layers, capacity, positions, V, epsilon } = shape;
  const action = `decode ${B} sequences through ${layers} layers of width ${C}`;
  requireSizes(action, { B, C, H, layers, capacity, positions, V });
  const obstacle = obstacleOf(shape);
  if (obstacle !== null) throw new RangeError(`Cannot ${action}: ${obstacle}, use the ops one by one`);
  if (parameters.offset !== 0) {
    throw new RangeError(`Cannot ${action}: ${parameters.label} must be the whole of its storage`);
  }
  requireWords(action, [
    [offsets, 12 * layers + 5],
    [current, B],
    [position, B],
    [cache, layers * B * capacity * 2 * C],
    [scratch, decodeScratchWords(shape)],
    [logits, B * V],
  ]);
  const ROWS = rowsPerWorkgroup(B);
  gpu.dispatch({
    kernel: {
      name: "decode/step",
      source,
      constants: {
        ROWS,
        OWN: Math.ceil(ROWS / LANES),
        J: columnTexels(C),
        D: C / H,
        BROADCAST: gpu.canBroadcast,
      },
    },
    bindings: [
      texels(parameters),
      read(offsets),
      read(current),
      read(position),
      write(cache),
      write(scratch),
      write(logits),
      params({
        B,
        C4: C / 4,
        H,
        capacity,
        positions,
        layers,
        V4: V / 4,
        scale: 1 / Math.sqrt(C / H),
        epsilon,
      }),
    ],
    workgroups: [Math.ceil(B / ROWS)],
  });
}

function obstacleOf(shape: DecodeStepShape): string | null {
  const { C, H, V } = shape;
  if (C % H !== 0 || C / H % 4 !== 0) return `head size ${C / H} is not a multiple of 4`;
  if (V % 4 !== 0) return `a vocabulary of ${V} is not a multiple of 4`;
  const rounds = roundsOf(shape);
  return rounds > MAX_ROUNDS ? `an invocation would loop ${rounds} rounds, over ${MAX_ROUNDS}` : null;
}

/** Loop rounds of an invocation at most. */
function roundsOf({ B, C, H, layers, capacity, V }: DecodeStepShape): number {
  const ROWS = rowsPerWorkgroup(B);
  const product = (K: number, N: number) =>
    Math.ceil(N / (4 * LANES * columnTexels(C))) * (K / 4 + ROWS / 4 + 1);
  const norm = Math.ceil(ROWS / LANES) * (3 * C / 4 + 1);
  const attention = Math.ceil(ROWS * H / LANES) * (capacity + 1);
  const layer = 2 * norm + attention + product(C, 3 * C) + product(C, C) + product(C, 4 * C) +
    product(4 * C, C);
  return ROWS * C / 4 / LANES + layers * layer + norm + product(C, V) + 8 * (4 * layers + 1);
}

/** Vec4s of columns a lane holds for each of its rows: those that leave the fewest lanes idle at the end of a product. */
function columnTexels(C: number): number {
  const columns = (J: number) => Math.ceil(C / (4 * LANES * J)) * J;
  return columns(3) <= columns(2) ? 3 : 2;
}

/** Most rows share each load of a weight, as long as every core has some. */
function rowsPerWorkgroup(B: number): number {
  return [16, 8, 4].find((rows) => B > rows * (softwareThreads() - 1)) ?? 4;
}
