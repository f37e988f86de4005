import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import { AdamW, type Parameter, sizeOf, type UpdateRule, type Vlm } from "../../model/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { goldenVlm } from "./goldens/model.ts";

const settings = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  policyClip: 0,
  valueClip: 0,
};

const everything = ({ part }: Parameter): UpdateRule => ({
  learningRateScale: 1,
  weightDecay: 0,
  clipGroup: part === "value_head" ? "value" : "policy",
});

function test(name: string, fn: (vlm: Vlm) => Promise<void>): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => await fn(goldenVlm(await testGpu())),
  });
}

/** Writes a gradient for every parameter; the gaps between parameters stay zero. */
function setGradients(
  vlm: Vlm,
  seed: number,
  valueOf = (value: number, _parameter: Parameter) => value,
): void {
  const { parameters, gpu } = vlm;
  const words = new Float32Array(parameters.values.length);
  for (const parameter of parameters.list) {
    const values = caseValues(sizeOf(parameter.shape), seed + parameter.offset);
    words.set(values.map((value) => valueOf(value, parameter)), parameter.offset);
  }
  gpu.write(parameters.gradients!, words);
}

async function read(vlm: Vlm): Promise<Float32Array> {
  return (await vlm.gpu.read(vlm.parameters.values))[0];
}

/** Largest |change| of each parameter. */
function changes(vlm: Vlm, before: Float32Array, after: Float32Array): Map<string, number> {
  const difference = after.map((x, i) => Math.abs(x - before[i]));
  return new Map([...vlm.parameters.split(difference)].map(([name, { data }]) => [
    name,
    data.reduce((a, b) => Math.max(a, b), 0),
  ]));
}

test("a first step moves every weight by the learning rate against its gradient, and zeroes gradients", async (vlm) => {
  const optimizer = new AdamW(vlm.gpu, vlm.parameters, everything);
  setGradients(vlm, 1, (value) => value < 0 ? value - 0.1 : value + 0.1);
  const before = await read(vlm);
  const [gradients] = await vlm.gpu.read(vlm.parameters.gradients!);
  optimizer.update(settings);
  assertEquals(optimizer.step, 1);
  const after = await read(vlm);
  for (const { offset, shape, name } of vlm.parameters.list) {
    for (let i = offset; i < offset + sizeOf(shape); i += 37) {
      assertAlmostEquals(after[i] - before[i], -0.01 * Math.sign(gradients[i]), 1e-6, name);
    }
  }
  const [zeroed] = await vlm.gpu.read(vlm.parameters.gradients!);
  assert(zeroed.every((x) => x === 0));
  optimizer.dispose();
});

test("frozen kinds stay as they are, to the bit, and learning rates scale by part", async (vlm) => {
  const frozen = ["head", "embedding", "position", "norm", "bias"];
  const optimizer = new AdamW(vlm.gpu, vlm.parameters, (parameter) => ({
    learningRateScale: frozen.includes(parameter.kind) ? 0 : parameter.part === "vision" ? 0.5 : 1,
    weightDecay: 0.1,
    clipGroup: "policy",
  }));
  const before = await read(vlm);
  for (let step = 0; step < 3; step++) {
    setGradients(vlm, step, (value) => value + 2);
    optimizer.update(settings);
  }
  const moved = changes(vlm, before, await read(vlm));
  for (const { name, kind, part } of vlm.parameters.list) {
    if (frozen.includes(kind)) assertEquals(moved.get(name), 0, name);
    // Three steps of nearly the learning rate each, and a little decay.
    else assertAlmostEquals(moved.get(name)!, part === "vision" ? 0.015 : 0.03, 0.003, name);
  }
  optimizer.dispose();
});

test("a gradient that is not finite leaves weights and moments as they are and is reported", async (vlm) => {
  const optimizer = new AdamW(vlm.gpu, vlm.parameters, everything);
  setGradients(vlm, 1);
  optimizer.update(settings);
  const before = await read(vlm);
  const momentsBefore = await optimizer.toHost();
  for (const bad of [NaN, Infinity, -Infinity]) {
    const last = vlm.parameters.list[vlm.parameters.list.length - 1];
    setGradients(vlm, 2, (value, parameter) => parameter === last ? bad : value);
    optimizer.update(settings);
    assertEquals((await vlm.gpu.read(optimizer.norms))[0][2], 0, `${bad} is reported`);
    assertEquals(await read(vlm), before, `weights after ${bad}`);
    assertEquals(await optimizer.toHost(), momentsBefore, `moments after ${bad}`);
  }
  setGradients(vlm, 3);
  optimizer.update(settings);
  assertEquals((await vlm.gpu.read(optimizer.norms))[0][2], 1);
  const after = await read(vlm);
  assert(after.every(Number.isFinite) && after.some((x, i) => x !== before[i]), "training goes on");
  optimizer.dispose();
});

test("policy and value head are clipped by norms of their own", async (vlm) => {
  const optimizer = new AdamW(vlm.gpu, vlm.parameters, everything);
  setGradients(vlm, 1, (value, { part }) => part === "value_head" ? 100 * value : value);
  const [gradients] = await vlm.gpu.read(vlm.parameters.gradients!);
  const norms = { policy: 0, value: 0 };
  for (const { part, offset, shape } of vlm.parameters.list) {
    for (let i = offset; i < offset + sizeOf(shape); i++) {
      norms[part === "value_head" ? "value" : "policy"] += gradients[i] ** 2;
    }
  }
  optimizer.update({ ...settings, policyClip: 1e9, valueClip: 0.5 });
  const [measured] = await vlm.gpu.read(optimizer.norms);
  assertAlmostEquals(measured[0] / Math.sqrt(norms.policy), 1, 1e-5);
  assertAlmostEquals(measured[1] / Math.sqrt(norms.value), 1, 1e-5);
  // After one step m is (1 - beta1) times the clipped gradient.
  const { m } = await optimizer.toHost();
  for (const { part, offset, name } of vlm.parameters.list) {
    const factor = part === "value_head" ? 0.5 / (Math.sqrt(norms.value) + 1e-6) : 1;
    const want = 0.1 * factor * gradients[offset];
    assertAlmostEquals(m[offset], want, 1e-5 * Math.abs(want), name);
  }
  optimizer.dispose();
});

test("restored moments continue the run to the bit", async (vlm) => {
  const steps = (optimizer: AdamW, from: number, to: number) => {
    for (let step = from; step < to; step++) {
      setGradients(vlm, step);
      optimizer.update(settings);
    }
  };
  const start = await vlm.parameters.toHost();
  const whole = new AdamW(vlm.gpu, vlm.parameters, everything);
  steps(whole, 0, 6);
  const want = await read(vlm);
  whole.dispose();

  vlm.parameters.fromHost(start);
  const first = new AdamW(vlm.gpu, vlm.parameters, everything);
  steps(first, 0, 3);
  const saved = await first.toHost();
  first.dispose();
  const second = new AdamW(vlm.gpu, vlm.parameters, everything);
  second.fromHost(saved, 3);
  steps(second, 3, 6);
  assertEquals(await read(vlm), want);
  second.dispose();
});
