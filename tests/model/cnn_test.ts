import { assert, assertEquals, assertThrows } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import { type Gpu, subslice } from "../../kernels/gpu/mod.ts";
import {
  actionPenalties,
  add,
  Cnn,
  CNN_LAYERS,
  type CnnConfig,
  cnnParameterSpecs,
  multiply,
  sizeOf,
  sum,
  Tape,
} from "../../model/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";

/** Small, and no size a multiple of four but the image's side. */
const TINY = {
  imageSize: 12,
  imageNormalization: "per-image",
  convolutions: [
    { channels: 5, kernelSize: 4, stride: 2, padding: 1 },
    { channels: 6, kernelSize: 3, stride: 1, padding: 0 },
  ],
  width: 7,
  actions: 3,
} as const;

const IMAGES = 2;
const pixels = Uint8Array.from(caseValues(IMAGES * 12 * 12 * 3, 1), (x) => (x + 1) * 128);
/** The middle action is not legal in the second image. */
const penalties = actionPenalties(TINY, [null, [0, 2]]);
const actions = Uint32Array.of(1, 2);

function tinyCnn(gpu: Gpu): Cnn {
  const cnn = new Cnn(gpu, TINY);
  cnn.parameters.initialize(3);
  return cnn;
}

/** Log-probabilities, entropies and values, each weighted at random, summed. */
function lossOf(tape: Tape, cnn: Cnn) {
  const features = cnn.features(tape, { pixels, images: IMAGES });
  const { logprob, entropy } = cnn.actionLogprobs(tape, cnn.logits(tape, features, penalties), actions);
  return [logprob, entropy, cnn.values(tape, features)]
    .map((output, i) =>
      sum(tape, multiply(tape, output, tape.constant(caseValues(IMAGES, 50 + i), [IMAGES], "weights")))
    )
    .reduce((a, b) => add(tape, a, b));
}

Deno.test({
  name: "every parameter's gradient agrees with differences of the loss",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const cnn = tinyCnn(gpu);
    cnn.parameters.train(() => true);
    {
      using tape = new Tape(gpu, { record: true });
      tape.backward(lossOf(tape, cnn));
    }
    const [gradients] = await gpu.read(cnn.parameters.gradients!);
    const [values] = await gpu.read(cnn.parameters.values);
    const lossAt = async () => {
      using tape = new Tape(gpu, { record: false });
      return (await gpu.read(lossOf(tape, cnn).data))[0][0];
    };
    const STEP = 2 ** -7;
    for (const { name, shape, offset } of cnn.parameters.list) {
      const words = sizeOf(shape);
      const own = gradients.subarray(offset, offset + words);
      const largest = own.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      assert(largest > 0, `no gradient reached ${name}`);
      for (let i = 0; i < words; i += Math.max(1, Math.floor(words / 5)) | 1) {
        const element = subslice(cnn.parameters.values, offset + i, 1);
        const moved = async (step: number) => {
          gpu.write(element, Float32Array.of(values[offset + i] + step));
          return await lossAt();
        };
        const want = (await moved(STEP) - await moved(-STEP)) / (2 * STEP);
        await moved(0);
        // The loss is in f32: 1e-7 of it, over the step, is noise of the differences.
        const slack = 5e-3 * largest + 1e-4;
        assert(Math.abs(own[i] - want) <= slack, `d${name}[${i}] is ${own[i]}, differences give ${want}`);
      }
    }
    gpu.free(cnn.parameters.gradients!);
    gpu.free(cnn.parameters.values);
  },
});

Deno.test({
  name: "an action that is not legal has probability 0, and the others share it",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const cnn = tinyCnn(gpu);
    using tape = new Tape(gpu, { record: false });
    const features = cnn.features(tape, { pixels, images: IMAGES });
    const logits = cnn.logits(tape, features, penalties);
    const logprobs = await Promise.all([0, 1, 2].map(async (action) => {
      const targets = new Uint32Array(IMAGES).fill(action);
      return (await gpu.read(cnn.actionLogprobs(tape, logits, targets).logprob.data))[0];
    }));
    const probabilities = [0, 1].map((b) => logprobs.map((logprob) => Math.exp(logprob[b])));
    assertEquals(probabilities[1][1], 0);
    for (const row of probabilities) assert(Math.abs(row.reduce((a, b) => a + b) - 1) < 1e-6);
    gpu.free(cnn.parameters.values);
  },
});

Deno.test("the baseline's layers take 64 x 64 pixels to 1024 numbers and 512 features", () => {
  const specs = cnnParameterSpecs({ ...CNN_LAYERS, imageNormalization: "fixed", actions: 2 });
  const shapes = Object.fromEntries(specs.map(({ name, shape }) => [name, shape]));
  assertEquals(shapes["vision.convolutions.0.weight"], [192, 32]);
  assertEquals(shapes["vision.convolutions.1.weight"], [512, 64]);
  assertEquals(shapes["vision.convolutions.2.weight"], [576, 64]);
  assertEquals(shapes["vision.dense.weight"], [1024, 512]);
  assertEquals(shapes["policy_head.weight"], [512, 4]);
  assertEquals(shapes["value_head.bias"], [1]);
});

Deno.test("a network whose config does not fit is refused with the field's name", () => {
  const good = { ...CNN_LAYERS, imageNormalization: "fixed", actions: 2 };
  const convolution = CNN_LAYERS.convolutions[0];
  const misfits: [string, unknown][] = [
    ["imageSize", { ...good, imageSize: "64" }],
    ["imageNormalization", { ...good, imageNormalization: null }],
    ["width", { ...good, width: 1e9 }],
    ["actions", { ...good, actions: 0.5 }],
    ["the number of convolutions", { ...good, convolutions: null }],
    ["the number of convolutions", { ...good, convolutions: 0 }],
    ["the number of convolutions", { ...good, convolutions: Array(1000).fill(convolution) }],
    ["channels of convolution 0", { ...good, convolutions: [null] }],
    ["kernelSize of convolution 1", {
      ...good,
      convolutions: [convolution, { ...convolution, kernelSize: -1 }],
    }],
    ["stride of convolution 0", { ...good, convolutions: [{ ...convolution, stride: 0 }] }],
    ["padding of convolution 0", { ...good, convolutions: [{ ...convolution, padding: 1e9 }] }],
  ];
  for (const [name, config] of misfits) {
    const use = () => cnnParameterSpecs(config as CnnConfig);
    assertThrows(use, RangeError, `Cannot use this model: ${name} must be`);
  }
});
