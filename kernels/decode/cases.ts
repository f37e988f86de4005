/** Shapes that test and time a decoding step in one launch. */
import { caseValues, type KernelCase } from "../case.ts";
import { decodeScratchWords, decodeStep, type DecodeStepShape } from "./mod.ts";
import { decodeStepReference } from "./reference.ts";

/** The start of each parameter, in vec4s, and the number of all words. As in a model, starts are multiples of 64 words. */
function layOutParameters({ C, layers, positions, V }: DecodeStepShape) {
  const affine = (rows: number, columns: number) => [rows * columns, columns];
  const layer = [
    ...affine(1, C),
    ...affine(C, 3 * C),
    ...affine(C, C),
    ...affine(1, C),
    ...affine(C, 4 * C),
    ...affine(4 * C, C),
  ];
  const sizes = [V * C, positions * C, ...Array(layers).fill(layer).flat(), ...affine(1, C), C * V];
  let words = 0;
  const offsets = Uint32Array.from(sizes, (size) => {
    const start = words;
    words += Math.ceil(size / 64) * 64;
    return start / 4;
  });
  return { offsets, words };
}

/** `firstPosition` of the first sequence; each of the next is one further, up to the capacity and beyond. */
function decodeCase(sizes: DecodeStepShape, firstPosition: number): KernelCase {
  const { B, C, H, layers, capacity, V } = sizes;
  const { offsets, words } = layOutParameters(sizes);
  const weights = layers * 12 * C * C + C * V;
  return {
    kernel: "decode",
    name: `${B} sequences C=${C} H=${H} layers=${layers} V=${V} at ${firstPosition} of ${capacity}`,
    variants: ["texture"],
    inputs: () => ({
      // Their size is about 1/sqrt(width), so that activations do not vanish or grow.
      parameters: caseValues(words, 1, 2 / Math.sqrt(C)),
      offsets,
      current: Uint32Array.from({ length: B }, (_, b) => (7 * b + 3) % V),
      position: Uint32Array.from({ length: B }, (_, b) => firstPosition + b),
      cache: caseValues(layers * B * capacity * 2 * C, 2),
      scratch: new Float32Array(decodeScratchWords(sizes)).fill(12345.678),
    }),
    outputs: { logits: B * V, cache: layers * B * capacity * 2 * C },
    launch: (gpu, { parameters, offsets, current, position, cache, scratch, logits }) =>
      decodeStep(gpu, { parameters, offsets, current, position, cache, scratch, logits }, sizes),
    reference: ({ parameters, offsets, current, position, cache }) =>
      decodeStepReference({ parameters, offsets, current, position, cache }, sizes),
    tolerance: 1e-4,
    flops: 2 * B * weights + 4 * B * layers * C * Math.min(capacity, firstPosition + B / 2),
    bytes: 4 * weights + 8 * B * layers * C * Math.min(capacity, firstPosition + B / 2),
  };
}

const epsilon = 1e-5;

export const cases: KernelCase[] = [
  decodeCase({ B: 1, C: 4, H: 1, layers: 1, capacity: 3, positions: 3, V: 4, epsilon }, 0),
  // Sequences at the end of the position table, at the capacity and beyond, which append nothing.
  decodeCase({ B: 5, C: 24, H: 2, layers: 2, capacity: 7, positions: 5, V: 12, epsilon }, 3),
  decodeCase({ B: 11, C: 40, H: 5, layers: 3, capacity: 20, positions: 32, V: 100, epsilon }, 6),
  decodeCase({ B: 35, C: 60, H: 3, layers: 1, capacity: 48, positions: 64, V: 52, epsilon }, 0),
  // The decoding step of `nano` at 32 environments.
  decodeCase({ B: 32, C: 96, H: 4, layers: 3, capacity: 40, positions: 64, V: 64, epsilon }, 5),
];
