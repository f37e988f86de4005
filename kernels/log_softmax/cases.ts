/** Shapes that test and time log-softmax. */
import { caseValues, type KernelCase } from "../case.ts";
import { logSoftmax, logSoftmaxBackward } from "./mod.ts";
import { logSoftmaxBackwardReference, logSoftmaxReference } from "./reference.ts";

interface Shape {
  readonly N: number;
  readonly V: number;
  readonly temperature: number;
}

const variantsFor = ({ V }: Shape) =>
  V % 4 === 0 ? ["naive", "texture", "workgroup"] : ["naive", "workgroup"];
const nameOf = ({ N, V, temperature }: Shape) => `${N}x${V} t=${temperature}`;

function forward(
  shape: Shape,
  { suffix = "", logits = () => caseValues(shape.N * shape.V, 1, 8) }: {
    suffix?: string;
    logits?: () => Float32Array;
  } = {},
): KernelCase {
  const words = shape.N * shape.V;
  return {
    kernel: "log_softmax",
    name: `${nameOf(shape)} forward${suffix}`,
    variants: variantsFor(shape),
    inputs: () => ({ X: logits() }),
    outputs: { Y: words },
    launch: (gpu, { X, Y }, variant) => logSoftmax(gpu, { X, Y }, { ...shape, variant }),
    reference: ({ X }) => logSoftmaxReference({ X }, shape),
    tolerance: 2e-6,
    flops: 6 * words,
    bytes: 8 * words,
  };
}

function backward(shape: Shape): KernelCase {
  const words = shape.N * shape.V;
  return {
    kernel: "log_softmax",
    name: `${nameOf(shape)} backward`,
    variants: variantsFor(shape),
    inputs: () => {
      const { Y } = logSoftmaxReference({ X: caseValues(words, 1, 8) }, shape);
      return { Y: Float32Array.from(Y), dY: caseValues(words, 2) };
    },
    outputs: { dX: words },
    launch: (gpu, { Y, dY, dX }, variant) => logSoftmaxBackward(gpu, { Y, dY, dX }, { ...shape, variant }),
    reference: ({ Y, dY }) => logSoftmaxBackwardReference({ Y, dY }, shape),
    tolerance: 1e-5,
    flops: 5 * words,
    bytes: 12 * words,
  };
}

const SHAPES: readonly Shape[] = [
  { N: 1, V: 1, temperature: 1 },
  { N: 3, V: 4, temperature: 0.5 },
  { N: 7, V: 5, temperature: 1 },
  { N: 65, V: 33, temperature: 2 },
  { N: 130, V: 36, temperature: 1 },
  { N: 19, V: 260, temperature: 0.7 },
  { N: 5, V: 1540, temperature: 1 },
  { N: 3, V: 4099, temperature: 1 },
  { N: 600, V: 128, temperature: 1 },
  { N: 33, V: 4096, temperature: 1 },
  { N: 2, V: 50_264, temperature: 1.5 },
];

/** Rows whose exponentials would overflow, or all vanish, without the maximum taken off; and whose order is falling or rising. */
const hard: readonly KernelCase[] = [
  forward({ N: 9, V: 132, temperature: 1 }, {
    suffix: ", logits of 10000",
    logits: () => caseValues(9 * 132, 3, 8).map((value, i) => value + (i % 2 === 0 ? 1e4 : 9990)),
  }),
  forward({ N: 9, V: 132, temperature: 1 }, {
    suffix: ", logits of -10000",
    logits: () => caseValues(9 * 132, 3, 8).map((value) => value - 1e4),
  }),
  forward({ N: 5, V: 516, temperature: 0.1 }, {
    suffix: ", one logit far above, masked ones at -1e30",
    logits: () =>
      caseValues(5 * 516, 4, 2).map((value, i) => i % 516 === 301 ? 900 : i % 7 === 0 ? -1e30 : value),
  }),
  ...[8, 133, 1540].map((V) =>
    forward({ N: 5, V, temperature: 1 }, {
      suffix: ", every logit the lowest f32",
      logits: () => new Float32Array(5 * V).fill(-3.4028234663852886e38),
    })
  ),
  forward({ N: 7, V: 257, temperature: 1 }, {
    suffix: ", logits below -3e38",
    logits: () => Float32Array.from({ length: 7 * 257 }, (_, i) => i % 3 === 0 ? -3.4e38 : -3.1e38),
  }),
  forward({ N: 6, V: 1028, temperature: 1 }, {
    suffix: ", equal logits",
    logits: () => new Float32Array(6 * 1028).fill(-3.25),
  }),
  forward({ N: 4, V: 2052, temperature: 1 }, {
    suffix: ", rising and falling rows",
    logits: () =>
      Float32Array.from({ length: 4 * 2052 }, (_, i) => (i < 2 * 2052 ? 1 : -1) * (i % 2052 - 1026) / 10),
  }),
];

export const cases: KernelCase[] = [
  ...SHAPES.map((shape) => forward(shape)),
  ...hard,
  ...SHAPES.map(backward),
];
