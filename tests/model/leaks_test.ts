/** Steps that repeat must give back all memory and make nothing new. */
import { assert, assertEquals } from "@std/assert";
import { shift, Tape } from "../../model/mod.ts";
import { AdamW, generate, type Vlm } from "../../model/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { goldenLayout, goldenSequences, goldenVlm, sftLoss, valueLoss } from "./goldens/model.ts";

const WARM_UP = 3;
const STEPS = 50;

/** What grew after the warm-up; slices in use are compared from the start and after each step. */
interface Growth {
  slices: number;
  storages: number;
  pipelines: number;
  bindGroups: number;
}

async function growthOver(vlm: Vlm, steps: number, step: (index: number) => Promise<void>): Promise<Growth> {
  const { pool, pipelines } = vlm.gpu;
  const inUse = pool.inUse;
  let slices = 0;
  let warm = { storages: 0, pipelines: 0, bindGroups: 0 };
  const count = () => ({
    storages: pool.created,
    pipelines: pipelines.size,
    bindGroups: pipelines.bindGroupCount,
  });
  for (let index = 0; index < steps; index++) {
    if (index === WARM_UP) warm = count();
    await step(index);
    slices = Math.max(slices, pool.inUse - inUse);
  }
  const end = count();
  return {
    slices,
    storages: end.storages - warm.storages,
    pipelines: end.pipelines - warm.pipelines,
    bindGroups: end.bindGroups - warm.bindGroups,
  };
}

const NONE: Growth = { slices: 0, storages: 0, pipelines: 0, bindGroups: 0 };

function test(name: string, fn: (vlm: Vlm) => Promise<void>): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => await fn(goldenVlm(await testGpu())),
  });
}

test("50 training steps leave nothing behind", async (vlm) => {
  const optimizer = new AdamW(vlm.gpu, vlm.parameters, ({ part }) => ({
    learningRateScale: 1,
    weightDecay: 0,
    clipGroup: part === "value_head" ? "value" : "policy",
  }));
  const growth = await growthOver(vlm, STEPS, async () => {
    using tape = new Tape(vlm.gpu, { record: true });
    const hidden = vlm.hidden(tape, goldenLayout);
    const loss = sftLoss(tape, vlm, hidden);
    tape.backward(loss, valueLoss(tape, vlm, hidden));
    optimizer.update({
      learningRate: 1e-3,
      beta1: 0.9,
      beta2: 0.98,
      epsilon: 1e-8,
      policyClip: 1,
      valueClip: 1,
    });
    await vlm.gpu.read(loss.data, optimizer.norms);
  });
  assertEquals(growth, NONE);
  optimizer.dispose();
});

test("50 generations leave nothing behind", async (vlm) => {
  const prompts = goldenSequences().map(({ prompt }) => prompt);
  const growth = await growthOver(vlm, STEPS, async (index) => {
    await generate(vlm, prompts, {
      maxNewTokens: 5,
      temperature: 1,
      greedy: false,
      endId: 3,
      padId: 0,
      random: Uint32Array.of(1, 5 * index, 2, 5 * index, 3, 5 * index),
    });
  });
  assertEquals(growth, NONE);
});

test("a generation that fails leaves nothing behind", async (vlm) => {
  const prompts = goldenSequences().map(({ prompt }) => prompt);
  const growth = await growthOver(vlm, WARM_UP + 2, async () => {
    const options = { maxNewTokens: 5, temperature: 0, greedy: false, endId: 3, padId: 0 };
    await generate(vlm, prompts, { ...options, random: new Uint32Array(6) }).then(
      () => assert(false, "temperature 0 is refused"),
      () => {},
    );
  });
  assertEquals([growth.slices, growth.storages], [0, 0]);
});

test("a step that keeps a slice, a storage, a pipeline or a bind group is found out", async (vlm) => {
  const { gpu } = vlm;
  const kept: Tape[] = [];
  const tapes = await growthOver(vlm, 8, async () => {
    const tape = new Tape(gpu, { record: false });
    // Larger than anything the other tests left in the pool.
    tape.output([1 << 19], "kept");
    kept.push(tape);
    await gpu.settle();
  });
  assertEquals([tapes.slices, tapes.storages], [8, 8 - WARM_UP]);
  kept.forEach((tape) => tape.dispose());

  const constants = await growthOver(vlm, 8, async (index) => {
    using tape = new Tape(gpu, { record: false });
    // A scalar that changes every step is interned anew each time.
    await gpu.read(shift(tape, tape.constant(new Float32Array(4), [4], "x"), index).data);
    gpu.pipelines.get({
      name: "leak",
      source: "@compute @workgroup_size(1) fn main() { let x = N; }",
      constants: { N: index },
    });
  });
  assertEquals(constants.slices, 0);
  assertEquals(constants.pipelines, 8 - WARM_UP);
  assertEquals(constants.bindGroups, 8 - WARM_UP);
});
