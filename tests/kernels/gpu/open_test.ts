import { assert, assertEquals, assertRejects } from "@std/assert";
import { NoAdapterError, openGpu, write } from "../../../kernels/gpu/mod.ts";

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
  sanitizeResources: false,
  sanitizeOps: false,
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
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    const gpu = await openGpu();
    const adapter = (await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }))!;
    const isLavapipe = /llvmpipe/.test(gpu.adapterName) && adapter.info.subgroupMinSize === 8;
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
