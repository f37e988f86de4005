/**
 * Injected faults of the GPU: an error that names them, a checkpoint from before, and the same bytes when resumed. One of
 * each kind here, each at another moment; all 25 with `./ponder faults`.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { DeviceLostError, NotFiniteError } from "../../../kernels/gpu/mod.ts";
import { onDevice } from "../../../rl/run/retry.ts";
import { openGpu } from "../../../kernels/gpu/mod.ts";
import { onGpu, testGpu } from "../../gpu.ts";
import { metricsOf, TempFolder, tinyConfig } from "../tiny_run.ts";
import { KINDS, MOMENTS, requireHonest, trainFaultily } from "./device_faults.ts";

const config = tinyConfig({
  cot: false,
  sftSteps: 3,
  sftBatch: 2,
  demonstrations: 8,
  envs: 2,
  rolloutSteps: 2,
  minibatch: 2,
  envSteps: 8,
  evalEpisodes: 1,
});
/** The metrics of a run without a fault, made once. */
const expected = (() => {
  let metrics: Promise<string> | null = null;
  return () =>
    metrics ??= (async () => {
      using temp = new TempFolder();
      await trainFaultily(`${temp.path}/run`, config, await testGpu(), null);
      return metricsOf(`${temp.path}/run`);
    })();
})();

const isLong = Deno.args.includes("--all");
for (const [k, kind] of KINDS.entries()) {
  for (const [m, moment] of MOMENTS.entries()) {
    if (!isLong && m !== (k + 3) % MOMENTS.length) continue;
    Deno.test({
      name: `${kind.name} ${moment}: an error says so, and the run goes on from before`,
      ...onGpu,
      fn: async () => {
        using temp = new TempFolder();
        await requireHonest(`${temp.path}/run`, config, { kind, moment, expected: await expected() });
      },
    });
  }
}

Deno.test({
  name: "with --retry a run goes on once on a new device, from the last checkpoint",
  ...onGpu,
  fn: async () => {
    using temp = new TempFolder();
    const out = `${temp.path}/run`;
    const notes: string[] = [];
    let opened = 0;
    const settings = { open: openGpu, retry: true, note: (text: string) => void notes.push(text) };
    await onDevice(settings, (gpu, isRetry) => {
      opened++;
      const fault = isRetry ? null : { inject: KINDS[0].inject, moment: "while learning" } as const;
      return trainFaultily(out, { ...config, resume: isRetry }, gpu, fault);
    });
    assertEquals(opened, 2);
    assertEquals(notes.length, 1);
    assertEquals(metricsOf(out), await expected());
  },
});

Deno.test({
  name: "the second fault ends it, a fault that is not the device's does at once, as without --retry",
  ...onGpu,
  fn: async () => {
    let attempts = 0;
    const tryWith = (error: Error, retry: boolean) => {
      attempts = 0;
      return onDevice({ open: openGpu, retry, note: () => {} }, () => {
        attempts++;
        return Promise.reject(error);
      });
    };
    const lost = new DeviceLostError("Cannot go on: lost");
    await assertRejects(() => tryWith(lost, true), DeviceLostError);
    assertEquals(attempts, 2);
    await assertRejects(() => tryWith(lost, false), DeviceLostError);
    assertEquals(attempts, 1);
    await assertRejects(() => tryWith(new NotFiniteError("NaN"), true), NotFiniteError);
    assertEquals(attempts, 1);
  },
});
