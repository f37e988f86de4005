/** What a run may expect of the place it is kept in, on disk and in memory. */
import { assertEquals, assertRejects } from "@std/assert";
import { metricsFault } from "../../../rl/run/metrics_order.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { type RunStore } from "../../../rl/run/store.ts";
import { MemoryRun } from "../../../rl/run/memory_run.ts";
import { TempFolder } from "../tiny_run.ts";

/** Does `body` with each kind of store. */
async function withStores(body: (store: RunStore) => Promise<void>): Promise<void> {
  using temp = new TempFolder();
  {
    await using folder = await RunFolder.create(`${temp.path}/run`);
    await body(folder);
  }
  const memory = new MemoryRun();
  await body(memory);
  await memory.close();
}

Deno.test("settings, metrics, result and checkpoint come back from every store", () =>
  withStores(async (store) => {
    assertEquals([await store.readSummary(), await store.checkpointPath(), await store.readMetrics()], [
      null,
      null,
      [],
    ]);
    await store.writeConfig({ seed: 7, nested: { lambda: 0.5 } });
    assertEquals(await store.readConfig(), { seed: 7, nested: { lambda: 0.5 } });
    await assertRejects(() => store.writeConfig({ klStop: Infinity }), RangeError, "klStop is Infinity");
    store.appendMetrics({ step: 1, loss: NaN });
    assertEquals(await store.readMetrics(), [{ step: 1, loss: null }]);
    await store.writeSummary({ success: 0.5, missing: NaN });
    assertEquals(await store.readSummary(), { success: 0.5, missing: null });
    await store.writeCheckpoint({ "a.bin": Uint8Array.of(1, 2), "b.json": "{}" }, {
      progress: { stage: "rl" },
    });
    assertEquals(await store.checkpointPath(), `${store.path}/checkpoint`);
    assertEquals(await store.checkpointPath("warm_start"), null);
    const checkpoint = (await store.resume())!;
    assertEquals(checkpoint.path, `${store.path}/checkpoint`);
    assertEquals(await checkpoint.read("a.bin", "b.json"), {
      "a.bin": Uint8Array.of(1, 2),
      "b.json": new TextEncoder().encode("{}"),
    });
    assertEquals(checkpoint.manifest?.settings, { seed: 7, nested: { lambda: 0.5 } });
    assertEquals(checkpoint.manifest?.progress, { stage: "rl" });
    await assertRejects(() => checkpoint.read("c.bin"));
  }));

Deno.test("every store resumes with the metrics that its checkpoint keeps", () =>
  withStores(async (store) => {
    await store.writeConfig({});
    for (const step of [1, 2, 3]) store.appendMetrics({ step });
    await store.writeCheckpoint({ "a.bin": "" }, { keep: ({ step }) => step !== 3 });
    store.appendMetrics({ step: 4 });
    assertEquals((await store.resume())?.manifest?.metrics.lines, 2);
    assertEquals(await store.readMetrics(), [{ step: 1 }, { step: 2 }]);
    store.appendMetrics({ step: 3 });
    assertEquals(await store.readMetrics(), [{ step: 1 }, { step: 2 }, { step: 3 }]);
    assertEquals((await store.resume())?.manifest?.metrics.lines, 2);
  }));

Deno.test("bytes handed to a store are its own", () =>
  withStores(async (store) => {
    await store.writeConfig({});
    const bytes = Uint8Array.of(1, 2);
    await store.writeCheckpoint({ "a.bin": bytes });
    bytes[0] = 9;
    const checkpoint = (await store.resume())!;
    (await checkpoint.read("a.bin"))["a.bin"][1] = 9;
    assertEquals(await checkpoint.read("a.bin"), { "a.bin": Uint8Array.of(1, 2) });
  }));

Deno.test("lines of metrics that are lost, doubled or moved are named", () => {
  const sft = (update: number) => ({ stage: "sft", update });
  const gate = (update: number) => ({ stage: "gate", update });
  const rl = (iteration: number) => ({ stage: "rl", iteration });
  const evaluation = (after: string) => ({ stage: "evaluation", after });
  const whole = [sft(1), sft(2), gate(2), sft(3), gate(3), evaluation("sft"), rl(1), rl(2), evaluation("rl")];
  assertEquals(metricsFault(whole), null);
  assertEquals(metricsFault([]), null);
  assertEquals(metricsFault([rl(1), { stage: "other" }, rl(2), evaluation("rl")]), null);
  assertEquals(metricsFault([gate(0), evaluation("sft")]), null);
  const faults: [lines: Record<string, unknown>[], fault: string][] = [
    [[sft(2)], "line 1: SFT update 2 follows 0"],
    [[sft(1), sft(1)], "line 2: SFT update 1 follows 1"],
    [[sft(1), gate(2)], "line 2: gate 2 follows SFT update 1"],
    [[sft(1), gate(1), gate(1)], "line 3: gate 1 again"],
    [[rl(1), rl(3)], "line 2: RL iteration 3 follows 1"],
    [[rl(1), sft(1)], "line 2: stage sft comes back"],
    [[evaluation("sft"), evaluation("sft")], "line 2: evaluation after sft again"],
    [[evaluation("rl"), rl(1)], "line 2: stage rl comes back"],
  ];
  for (const [lines, fault] of faults) assertEquals(metricsFault(lines), fault);
});
