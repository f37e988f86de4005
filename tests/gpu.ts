/**
 * Tests on the GPU: one device a test file, opened when the first test asks for it. Without an adapter they are skipped
 * and a line says so; `REQUIRE_GPU=1` lets them run, and fail, all the same.
 */
import { assertEquals } from "@std/assert";
import { type Gpu, openGpu, type Slice } from "../kernels/gpu/mod.ts";

const isSkipped = Deno.env.get("REQUIRE_GPU") !== "1" && !await navigator.gpu?.requestAdapter();
if (isSkipped) {
  console.error("No WebGPU adapter: the GPU tests of this file are skipped; with REQUIRE_GPU=1 they fail");
}

/** What `Deno.test` takes for a test on the GPU, whose device outlives it. */
export const onGpu = { sanitizeResources: false, sanitizeOps: false, ignore: isSkipped } as const;

let shared: Promise<Gpu> | null = null;

/** The device of this test file; destroyed as the process ends. */
export function testGpu(): Promise<Gpu> {
  return shared ??= openGpu().then((gpu) => {
    addEventListener("unload", () => gpu.destroy());
    return gpu;
  });
}

/** How a GPU test ends. */
export interface GpuTestOptions {
  /** Whether it is a failure when a slice is still in use at the end. Default false. */
  readonly releasesAll?: boolean;
}

/**
 * Registers a test on that device. It ends when its work is done and no error is left; slices handed to `keep` are
 * released then.
 */
export function gpuTest(
  name: string,
  fn: (gpu: Gpu, keep: (slice: Slice) => Slice) => Promise<void> | void,
  { releasesAll = false }: GpuTestOptions = {},
): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => {
      const gpu = await testGpu();
      const inUse = gpu.pool.inUse;
      const kept: Slice[] = [];
      await fn(gpu, (slice) => {
        kept.push(slice);
        return slice;
      });
      await gpu.settle();
      for (const slice of kept) gpu.release(slice);
      if (releasesAll) assertEquals(gpu.pool.inUse, inUse, "the test released every slice");
    },
  });
}

/** Registers a test on a device of its own, since it leaves errors behind or counts what the device has done. */
export function ownGpuTest(name: string, fn: (gpu: Gpu) => Promise<void>): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => {
      const gpu = await openGpu();
      await fn(gpu);
      gpu.destroy();
    },
  });
}
