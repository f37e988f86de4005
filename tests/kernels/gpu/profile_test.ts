import { assert, assertEquals } from "@std/assert";
import { Gpu, openGpu, type Slice, summarizeProfile, write } from "../../../kernels/gpu/mod.ts";
import { Profile } from "../../../kernels/gpu/profile.ts";
import { onGpu } from "../../gpu.ts";

/** Y = Y / 2 + 1, `rounds` times. */
function launchRounds(gpu: Gpu, Y: Slice, name: string, rounds: number): void {
  gpu.dispatch({
    kernel: {
      name: `test/${name}`,
      source: `@group(0) @binding(0) var<storage, read_write> Y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  for (var i = 0u; i < ROUNDS; i++) { Y[id.x] = Y[id.x] * 0.5 + 1.0; }
}`,
      constants: { ROUNDS: rounds },
    },
    bindings: [write(Y)],
    workgroups: [Y.length / 64],
  });
}

Deno.test("a summary adds up launches by kernel, most expensive first", () => {
  const rows = [["a", 5], ["b", 20], ["a", 7]].map(([kernel, elapsedNs]) => ({
    kernel: `${kernel}`,
    startNs: 0,
    elapsedNs: Number(elapsedNs),
  }));
  assertEquals(summarizeProfile(rows), [
    { kernel: "b", count: 1, totalNs: 20 },
    { kernel: "a", count: 2, totalNs: 12 },
  ]);
});

Deno.test("dispatches beyond the room for timestamps are counted, not measured", async () => {
  const device = { features: new Set() } as unknown as GPUDevice;
  const profile = new Profile(device);
  profile.start();
  for (let index = 0; index < 2050; index++) {
    profile.passDescriptor("kernel");
    profile.dispatched([], () => {});
  }
  assertEquals([(await profile.stop()).length, profile.missed], [2048, 2]);
});

Deno.test({
  name: "without timestamp queries every dispatch is waited for and timed by the host",
  ...onGpu,
  fn: async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const gpu = new Gpu(await adapter!.requestDevice(), "no timestamps", true);
    await gpu.prime();
    const Y = gpu.allocate(64, "Y");
    launchRounds(gpu, Y, "warm", 1);
    gpu.flush();
    gpu.profile.start();
    const submissions = gpu.submissionCount;
    for (const rounds of [1, 2]) launchRounds(gpu, Y, `${rounds}`, rounds);
    assertEquals(gpu.submissionCount - submissions, 2);
    const [value] = await gpu.read(Y);
    const rows = await gpu.profile.stop();
    assertEquals(rows.map(({ kernel }) => kernel), ["test/1", "test/2"]);
    assertEquals(rows[0].startNs, 0);
    assert(rows[1].startNs >= rows[0].elapsedNs && rows.every(({ elapsedNs }) => elapsedNs > 0));
    assertEquals(value[0], 1.875);
    gpu.destroy();
  },
});

Deno.test({
  name: "a profile has a row for every launch while it is on, in order of launch",
  ...onGpu,
  fn: async () => {
    const gpu = await openGpu();
    if (!gpu.device.features.has("timestamp-query")) return console.warn("skipped: no timestamp-query");
    const Y = gpu.allocate(64 * 1000, "Y");
    const launch = (name: string, rounds: number) => launchRounds(gpu, Y, name, rounds);
    launch("before", 1);
    gpu.flush();
    const startMs = performance.now();
    gpu.profile.start();
    for (const [name, rounds] of [["short", 1], ["long", 200], ["short", 1]] as const) launch(name, rounds);
    await gpu.settle();
    const rows = await gpu.profile.stop();
    const passedNs = (performance.now() - startMs) * 1e6;
    launch("after", 1);
    await gpu.settle();

    assertEquals(rows.map(({ kernel }) => kernel), ["test/short", "test/long", "test/short"]);
    assertEquals(rows[0].startNs, 0);
    for (const [index, { startNs, elapsedNs }] of rows.entries()) {
      assert(elapsedNs > 0 && elapsedNs < passedNs, `${elapsedNs} ns of ${passedNs}`);
      if (index > 0) assert(startNs >= rows[index - 1].startNs + rows[index - 1].elapsedNs);
    }
    assertEquals(rows[0].bound, [{ kind: "write", words: 64_000 }]);
    assert(rows[1].recordedMs >= rows[0].recordedMs);
    assertEquals(await gpu.profile.stop(), []);
    gpu.destroy();
  },
});
