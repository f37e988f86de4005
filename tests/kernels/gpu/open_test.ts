import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Gpu, NoAdapterError, openGpu, write } from "../../../kernels/gpu/mod.ts";
import { onGpu } from "../../gpu.ts";

/** Runs with another `navigator.gpu`. */
async function withNavigatorGpu(gpu: unknown, fn: () => Promise<void>): Promise<void> {
  const own = Object.getOwnPropertyDescriptor(navigator, "gpu");
  Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
  try {
    await fn();
  } finally {
    delete (navigator as { gpu?: unknown }).gpu;
    if (own !== undefined) Object.defineProperty(navigator, "gpu", own);
  }
}

for (
  const [where, gpu] of [
    ["a machine without an adapter", { requestAdapter: () => Promise.resolve(null) }],
    ["a host without WebGPU", undefined],
  ] as const
) {
  Deno.test(`on ${where} the error says what to install`, async () => {
    await withNavigatorGpu(gpu, async () => {
      const error = await assertRejects(
        () => openGpu(),
        NoAdapterError,
        "Cannot find a WebGPU adapter: install a GPU driver, or software Vulkan with `apt-get install mesa-vulkan-drivers`",
      );
      assertEquals(error.name, "NoAdapterError");
    });
  });
}

Deno.test({
  name: "the device has the adapter's limits, and the adapter a name",
  ...onGpu,
  fn: async () => {
    const adapter = (await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }))!;
    const gpu = await openGpu();
    assertEquals(gpu.device.limits.maxBufferSize, adapter.limits.maxBufferSize);
    assertEquals(
      gpu.device.limits.maxComputeInvocationsPerWorkgroup,
      adapter.limits.maxComputeInvocationsPerWorkgroup,
    );
    assert(gpu.adapterName.length > 0);
    assertEquals(gpu.isSoftware, /llvmpipe|lavapipe|swiftshader/i.test(gpu.adapterName));
    gpu.destroy();
  },
});

Deno.test({
  name: "where a device can broadcast, 8 invocations are a subgroup in the order of their ids",
  ...onGpu,
  fn: async () => {
    const gpu = await openGpu();
    const adapter = (await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }))!;
    const isLavapipe = /llvmpipe/.test(gpu.adapterName) && [8, 16].includes(adapter.info.subgroupMinSize);
    if (isLavapipe) assert(gpu.canBroadcast, "lavapipe grants subgroups");
    if (gpu.canBroadcast) {
      const Y = gpu.acquire(24, "Y");
      gpu.dispatch({
        kernel: {
          name: "test/broadcast",
          source: `@group(0) @binding(0) var<storage, read_write> Y: array<u32>;
@compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3u) {
  Y[id.x] = subgroupBroadcast(100u + id.x, 5u);
}`,
          constants: {},
        },
        bindings: [write(Y)],
        workgroups: [3],
      });
      assertEquals([...await gpu.readWords(Y)], [105, 113, 121].flatMap((value) => Array(8).fill(value)));
    }
    gpu.destroy();
  },
});

/** This machine's adapter under another name, as Deno shows a card: without subgroups, which it may grant or not. */
async function cardThat(grants: boolean, asked: string[][]): Promise<unknown> {
  const adapter = (await navigator.gpu.requestAdapter())!;
  return {
    requestAdapter: () =>
      Promise.resolve({
        features: new Set(),
        limits: adapter.limits,
        info: { description: "some card", subgroupMinSize: 32, subgroupMaxSize: 32 },
        requestDevice: ({ requiredFeatures }: { requiredFeatures: GPUFeatureName[] }) => {
          asked.push(requiredFeatures);
          if (grants || requiredFeatures.length === 0) return adapter.requestDevice();
          return Promise.reject(new TypeError("no such feature"));
        },
      }),
  };
}

Deno.test({
  name: "Deno, which lists subgroups on no adapter, is asked for them on every one, and may refuse",
  ...onGpu,
  fn: async () => {
    for (const grants of [true, false]) {
      const asked: string[][] = [];
      await withNavigatorGpu(await cardThat(grants, asked), async () => {
        const gpu = await openGpu();
        assertEquals([gpu.adapterName, gpu.isSoftware], ["some card", false]);
        gpu.destroy();
      });
      assertEquals(asked, grants ? [["subgroups"]] : [["subgroups"], []]);
    }
  },
});

Deno.test("at DEBUG=1 a refusal of subgroups is mentioned once", async () => {
  // A process of its own: DEBUG is read once.
  const program = `
    import { openGpu } from "./kernels/gpu/mod.ts";
    const adapter = await navigator.gpu.requestAdapter();
    const request = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = (wanted) =>
      wanted.requiredFeatures.includes("subgroups") ? Promise.reject(new TypeError("not here")) : request(wanted);
    navigator.gpu.requestAdapter = () => Promise.resolve(adapter);
    const gpu = await openGpu();
    console.log(gpu.subgroupSize);
    gpu.destroy();`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    cwd: new URL("../../..", import.meta.url),
    env: { DEBUG: "1", NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(new TextDecoder().decode(stdout), "0\n", text);
  assertStringIncludes(text, "grants no subgroups: not here");
  assertEquals(text.split("subgroups").length, 2);
});

Deno.test({
  name: "a software adapter broadcasts only where 8 or 16 invocations are a subgroup, no fewer and no more",
  ...onGpu,
  fn: async () => {
    const adapter = (await navigator.gpu.requestAdapter())!;
    const device = await adapter.requestDevice();
    Object.defineProperty(device, "features", { value: new Set(["subgroups"]) });
    const canBroadcast = (subgroupMinSize: number, subgroupMaxSize: number, isSoftware = true) => {
      const value = { subgroupMinSize, subgroupMaxSize };
      Object.defineProperty(device, "adapterInfo", { value, configurable: true });
      return new Gpu(device, "some adapter", isSoftware).canBroadcast;
    };
    assert(canBroadcast(8, 8));
    assert(canBroadcast(16, 16));
    assert(!canBroadcast(8, 16) && !canBroadcast(4, 8) && !canBroadcast(32, 32));
    assert(!canBroadcast(8, 8, false));
    device.destroy();
  },
});

Deno.test({
  name: "texels are sampled on a software adapter with quads for subgroups, if it may sample them",
  ...onGpu,
  fn: async () => {
    const adapter = (await navigator.gpu.requestAdapter())!;
    const device = await adapter.requestDevice();
    const samples = (features: readonly string[], subgroupMaxSize = 4, isSoftware = true) => {
      Object.defineProperty(device, "features", { value: new Set(features), configurable: true });
      const value = { subgroupMinSize: 4, subgroupMaxSize };
      Object.defineProperty(device, "adapterInfo", { value, configurable: true });
      return new Gpu(device, "some adapter", isSoftware).samplesTexels;
    };
    assert(samples(["subgroups", "float32-filterable"]));
    assert(!samples(["subgroups"]) && !samples(["float32-filterable"]));
    assert(!samples(["subgroups", "float32-filterable"], 8));
    assert(!samples(["subgroups", "float32-filterable"], 4, false));
    device.destroy();
  },
});
