/** Kernels on both sides: workers take the learner's choice; on mixed adapters the guard reports the mismatch, or ends the run. */
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { findEnvironment } from "../../../envs/mod.ts";
import type { Gpu } from "../../../kernels/gpu/mod.ts";
import { applyTuning, UNTUNED } from "../../../kernels/tune.ts";
import { resolveConfig } from "../../../rl/config.ts";
import { FIRST_RATIO_TOLERANCE } from "../../../rl/improve.ts";
import { encodeCard, readCard } from "../../../rl/remote/card.ts";
import { decodeMessage, encodeMessage } from "../../../rl/remote/message.ts";
import { kernelChoiceOf, takeKernelChoice } from "../../../rl/remote/tuning.ts";
import { testGpu } from "../../gpu.ts";
import { NatsServer, withNats } from "../../nats.ts";
import { metricsOf, TempFolder, trainHere } from "../tiny_run.ts";
import { SHORT, trainAt, WorkersHere } from "./run_at.ts";

const NAIVE = { chosen: { matmul: "naive", attention: "naive" }, rejected: {} };

/** Gives a device another name, as if it were of another kind. */
function renamed(gpu: Gpu): Gpu {
  Object.defineProperty(gpu, "adapterName", { value: "another kind", configurable: true });
  return gpu;
}

const errorsOf = (run: string): number[] =>
  metricsOf(run).trim().split("\n").map((line) => JSON.parse(line) as { firstRatioError?: number })
    .map(({ firstRatioError }) => firstRatioError).filter((error) => error !== undefined);

Deno.test(
  "a worker takes the learner's kernels; one of another kind keeps its own, and the run says by how much it differs or ends",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const gpu = await testGpu();
    const here = (name: string) =>
      trainHere(`${temp.path}/${name}`, resolveConfig(SHORT, findEnvironment("NumberLine")));
    await here("untuned");
    try {
      applyTuning(gpu, NAIVE);
      await here("tuned");
      await using workers = new WorkersHere(server, ["same"]);
      await Promise.race([trainAt(server, `${temp.path}/same`, SHORT), workers.failed]);
    } finally {
      applyTuning(gpu, UNTUNED);
    }
    const [untuned, tuned] = ["untuned", "tuned"].map((name) => metricsOf(`${temp.path}/${name}`));
    assertNotEquals(tuned, untuned);
    assertEquals(metricsOf(`${temp.path}/same`), tuned);

    // Another kind of adapter sums up in another order.
    const notes: string[] = [];
    {
      const change = (device: Gpu) => {
        applyTuning(device, NAIVE);
        return renamed(device);
      };
      await using workers = new WorkersHere(server, ["mixed"], { change });
      const run = trainAt(server, `${temp.path}/mixed`, SHORT, { onNote: (text) => notes.push(text) });
      await Promise.race([run, workers.failed]);
    }
    assertStringIncludes(
      notes.join("\n"),
      "Worker mixed has come; its adapter is another kind, the learner's",
    );
    const [mixed, alone] = [errorsOf(`${temp.path}/mixed`), errorsOf(`${temp.path}/untuned`)];
    assertEquals(mixed.length, alone.length);
    assert(mixed[0] > 0 && Math.max(...mixed) <= FIRST_RATIO_TOLERANCE, `${mixed}`);
    assertNotEquals(metricsOf(`${temp.path}/mixed`), untuned);

    // One that computes with weights a hundredth off is no adapter to go on with.
    const change = (device: Gpu) => {
      const write = device.write.bind(device);
      const off = (data: Parameters<Gpu["write"]>[1]) =>
        data instanceof Float32Array ? data.map((x) => x * 1.01) : data;
      Object.defineProperty(device, "write", {
        value: (slice: never, data: never) => write(slice, off(data)),
      });
      return renamed(device);
    };
    await using workers = new WorkersHere(server, ["wrong"], { change });
    const error = await assertRejects(
      () => Promise.race([trainAt(server, `${temp.path}/wrong`, SHORT), workers.failed]),
      Error,
      `over ${FIRST_RATIO_TOLERANCE}; acting and training disagree on a prompt, a kernel, the adapter`,
    ) as Error;
    const [, number] = /differs from 1 by ([\d.e-]+),/.exec(error.message)!;
    assert(Number(number) > FIRST_RATIO_TOLERANCE, error.message);
  },
);

Deno.test("a machine that cannot launch the learner's kernels is refused by name", async () => {
  const known = () => Promise.resolve(["naive", "texture"]);
  const gpu = await testGpu();
  const take = (choice: Partial<ReturnType<typeof kernelChoiceOf>>) =>
    takeKernelChoice(gpu, "the run", { forced: null, chosen: {}, rejected: {}, ...choice }, known);
  try {
    await take({ chosen: { matmul: "naive" }, rejected: { reduce: ["texture"] } });
    assertEquals(kernelChoiceOf(gpu), {
      ...{ forced: null, chosen: { matmul: "naive" }, rejected: { reduce: ["texture"] } },
    });
    await assertRejects(
      () => take({ forced: "naive" }),
      Error,
      "its learner has PONDER_VARIANT=naive, this machine none; set the same everywhere",
    );
    await assertRejects(
      () => take({ chosen: { matmul: "fast" } }),
      SyntaxError,
      'names the variant "fast" of "matmul"',
    );
    await assertRejects(
      () => take({}),
      Error,
      "the variant texture of reduce fails its check on this machine",
    );
  } finally {
    applyTuning(gpu, UNTUNED);
  }
});

Deno.test("a card with impossible kernels is refused", async () => {
  const card = {
    ...{
      id: "a",
      place: "p",
      since: "s",
      ponder: "0",
      adapter: "x",
      environment: "NumberLine",
      isOwn: false,
    },
    ...{ envSettings: [], trainingSettings: [], files: {} },
  };
  const choice = { forced: null, chosen: { matmul: "naive" }, rejected: { reduce: ["texture"] } };
  const message = await decodeMessage(await encodeCard({ ...card, kernels: choice }));
  assertEquals(readCard(message).kernels, choice);
  for (
    const changes of [{ forced: 1 }, { chosen: [] }, { chosen: { matmul: 3 } }, { chosen: { "a b": "x" } }, {
      rejected: { reduce: "texture" },
    }, { chosen: { matmul: "x".repeat(100) } }]
  ) {
    const { kind, fields, arrays } = message;
    const bad = await decodeMessage(
      await encodeMessage({ kind, fields: { ...fields, kernels: { ...choice, ...changes } }, arrays }),
    );
    assertThrows(() => readCard(bad), SyntaxError, "its kernels is");
  }
});
