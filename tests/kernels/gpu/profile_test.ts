import { assert, assertEquals, assertThrows } from "@std/assert";
import { openGpu, summarizeProfile, write } from "../../../kernels/gpu/mod.ts";
import { Profile } from "../../../kernels/gpu/profile.ts";

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

Deno.test("profiling a device without timestamp queries is refused", () => {
  const device = { features: new Set() } as unknown as GPUDevice;
  assertThrows(
    () => new Profile(device).start(),
    Error,
    "Cannot profile: the adapter has no timestamp-query",
  );
});

Deno.test({
  name: "a profile has a row for every launch while it is on, in order of launch",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    const gpu = await openGpu();
    if (!gpu.device.features.has("timestamp-query")) return console.warn("skipped: no timestamp-query");
    const Y = gpu.allocate(64 * 1000, "Y");
    const launch = (name: string, rounds: number) =>
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
        workgroups: [1000],
      });
    launch("before", 1);
    gpu.flush();
    gpu.profile.start();
    for (const [name, rounds] of [["short", 1], ["long", 200], ["short", 1]] as const) launch(name, rounds);
    await gpu.settle();
    const rows = await gpu.profile.stop();
    launch("after", 1);
    await gpu.settle();

    assertEquals(rows.map(({ kernel }) => kernel), ["test/short", "test/long", "test/short"]);
    assertEquals(rows[0].startNs, 0);
    for (const [index, { startNs, elapsedNs }] of rows.entries()) {
      assert(elapsedNs > 0 && elapsedNs < 10e9, `${elapsedNs} ns`);
      if (index > 0) assert(startNs >= rows[index - 1].startNs + rows[index - 1].elapsedNs);
    }
    assert(rows[1].elapsedNs > rows[2].elapsedNs, "200 rounds take longer than one");
    assertEquals(await gpu.profile.stop(), []);
    gpu.destroy();
  },
});
