import { assert, assertEquals, assertRejects } from "@std/assert";
import { NoAdapterError, openGpu } from "../../../kernels/gpu/mod.ts";

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
