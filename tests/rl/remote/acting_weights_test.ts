/** Acting with rounded weights: the same bytes wherever they act, and what is sent. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { findEnvironment, numberLine } from "../../../envs/mod.ts";
import { decodeSafetensors } from "../../../model/mod.ts";
import { findAlgorithm } from "../../../rl/algorithms/mod.ts";
import { UsageError } from "../../../rl/cli/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import { rlOptimizer } from "../../../rl/optimizers.ts";
import type { RunExchange } from "../../../rl/remote/exchange.ts";
import { WeightPublisher, WeightReader, weightsName } from "../../../rl/remote/weights.ts";
import { newAgent } from "../../../rl/setup.ts";
import { testGpu } from "../../gpu.ts";
import { NatsServer, withNats } from "../../nats.ts";
import { metricsOf, TempFolder, TINY, tinyConfig, trainHere } from "../tiny_run.ts";
import { SHORT, trainAt, WorkersHere } from "./run_at.ts";

interface Line {
  readonly stage: string;
  readonly firstRatioError: number;
  readonly behaviourRatio?: number;
}
const linesOf = (run: string, stage: string): Line[] =>
  metricsOf(run).trim().split("\n").map((line) => JSON.parse(line) as Line).filter((line) =>
    line.stage === stage
  );

Deno.test(
  "with rounded weights a run writes the same bytes alone and with any number of workers, stopped and resumed too",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const exactly = { ...SHORT, envSteps: 32 };
    const settings = { ...exactly, actingWeights: "bf16" as const };
    const [alone, exact] = [`${temp.path}/alone`, `${temp.path}/exact`];
    await trainHere(alone, resolveConfig(settings, findEnvironment("NumberLine")));
    await trainHere(exact, resolveConfig(exactly, findEnvironment("NumberLine")));
    // One worker acts with rounded weights in `pretrained_test.ts` too, and has no stop.
    for (const count of Deno.args.includes("--all") ? [1, 2, 5] : [2]) {
      await using workers = new WorkersHere(
        server,
        Array.from({ length: count }, (_, i) => `w${count}-${i}`),
      );
      const out = `${temp.path}/with-${count}`;
      const notes: string[] = [];
      let lines = 0;
      const first = trainAt(server, out, settings, {
        onNote: (text) => notes.push(text),
        onLine: (stage) => lines += Number(stage === "rl"),
        isStopped: () => count === 2 && lines === 1,
      });
      await Promise.race([first, workers.failed]);
      if (count === 2) {
        assertEquals((await first).afterRl, null);
        await Promise.race([trainAt(server, out, { ...settings, resume: true }), workers.failed]);
      }
      assertEquals(metricsOf(out), metricsOf(alone), `${count} workers`);
      const told = notes.filter((note) => note.startsWith("Weights rounded to bf16 act"));
      assertEquals(told.length, 1);
    }
    const [rounded, same] = [linesOf(alone, "rl"), linesOf(exact, "rl")];
    for (const { firstRatioError, behaviourRatio } of rounded) {
      assert(firstRatioError > 1e-3 && firstRatioError < 0.5, `${firstRatioError}`);
      assert(Math.abs(behaviourRatio! - 1) < 0.1, `${behaviourRatio}`);
    }
    for (const { firstRatioError, behaviourRatio } of same) {
      assert(firstRatioError <= 1e-3 && behaviourRatio === undefined);
    }
    // Evaluations are of the exact weights, which are still the same after the warm start.
    assertEquals(linesOf(alone, "evaluation")[0], linesOf(exact, "evaluation")[0]);
  },
);

Deno.test(
  "whole episodes that lag, with rounded weights, are the same with two workers",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const { rolloutSteps: _, ...short } = SHORT;
    const groups = { algorithm: "grpo", groups: 2, groupSize: 4, envs: 8, envSteps: 48, staleness: 1 };
    const settings = { ...short, ...groups, actingWeights: "bf16" as const };
    const here = resolveConfig(settings, findEnvironment("NumberLine"), findAlgorithm("grpo"));
    const [alone, shared] = [`${temp.path}/alone`, `${temp.path}/shared`];
    await trainHere(alone, here as unknown as Parameters<typeof trainHere>[1]);
    await using workers = new WorkersHere(server, ["one", "two"]);
    await Promise.race([trainAt(server, shared, settings), workers.failed]);
    assertEquals(metricsOf(shared), metricsOf(alone));
    assert(linesOf(shared, "rl").length >= 2);
  },
);

Deno.test("rounded weights are sent with 2 bytes a number, exact ones with 4, and each form is read back", async () => {
  const objects = new Map<string, Uint8Array<ArrayBuffer>>();
  const exchange = {
    name: "run",
    put: (name: string, bytes: Uint8Array<ArrayBuffer>) => Promise.resolve(void objects.set(name, bytes)),
    get: (name: string) => Promise.resolve(objects.get(name) ?? null),
    forget: (name: string) => Promise.resolve(void objects.delete(name)),
  } as unknown as RunExchange;
  const config = tinyConfig();
  const agent = newAgent(await testGpu(), numberLine, config);
  const { parameters } = agent;
  parameters.initialize(3);
  rlOptimizer(agent, config).dispose();
  const learning = parameters.list.filter(({ name }) => parameters.get(name).requiresGradient);
  assert(learning.length > 0 && learning.length < parameters.list.length);
  const count = learning.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
  const publisher = new WeightPublisher(exchange, 5);
  const sizeOf = (version: number) => {
    const { length } = objects.get(weightsName(version))!;
    const head = 8 + Number(new DataView(objects.get(weightsName(version))!.buffer).getBigUint64(0, true));
    return length - head;
  };
  // Version 0 is exact and whole; the rounded ones follow it.
  assertEquals(await publisher.publish(agent, "bf16"), 1);
  assertEquals([sizeOf(0), sizeOf(1)], [4 * parameters.count, 2 * count]);
  assertEquals(await publisher.publish(agent, "bf16"), 1);
  assertEquals(await publisher.publish(agent, "f32"), 2);
  assertEquals(sizeOf(2), 0);
  const [{ name }] = learning;
  const values = (await parameters.toHost()).get(name)!.data;
  parameters.write(name, values.map((value) => value + 1e-5));
  assertEquals(await publisher.publish(agent, "f32"), 3);
  assertEquals(sizeOf(3), 4 * values.length);
  assertEquals(publisher.sentBytes, [...objects.values()].reduce((sum, { length }) => sum + length, 0));

  const reader = new WeightReader(exchange);
  const [one, two, three] = [await reader.read(1), await reader.read(2), await reader.read(3)];
  assertEquals([one, two, three].map(({ digest }) => digest), [1, 2, 3].map((v) => publisher.digest(v)));
  const first = decodeSafetensors(objects.get(weightsName(0))!).tensors;
  const isRounded = (data: Float32Array) =>
    new Uint32Array(data.buffer, data.byteOffset, data.length).every((bits) => (bits & 0xffff) === 0);
  for (const parameter of parameters.list) {
    const [exact, rounded] = [first, one.tensors].map((tensors) => tensors.get(parameter.name)!.data);
    if (!learning.includes(parameter)) {
      assertEquals(rounded, exact, parameter.name);
      continue;
    }
    assert(isRounded(rounded), parameter.name);
    rounded.forEach((value, i) => assert(Math.abs(value - exact[i]) <= Math.abs(exact[i]) * 2 ** -8));
  }
  assertEquals(two.tensors, first);
  assertEquals(three.tensors.get(name)!.data, (await parameters.toHost()).get(name)!.data);
});

Deno.test("rounded weights are refused where gradients are computed elsewhere", () => {
  assertThrows(
    () => resolveConfig({ ...TINY, actingWeights: "bf16", learners: 2 }, findEnvironment("NumberLine")),
    UsageError,
    "Cannot use --acting-weights bf16 with --learners",
  );
});
