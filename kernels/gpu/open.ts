/**
 * Finding an adapter and opening a device with the adapter's real limits.
 *
 * @module
 */
import { Gpu } from "./gpu.ts";
import { isDeno } from "./host.ts";

/** Raised when there is no WebGPU adapter; the message says what to install. */
export class NoAdapterError extends Error {
  override name = "NoAdapterError";
}

const WANTED_FEATURES: readonly GPUFeatureName[] = ["timestamp-query", "shader-f16", "subgroups"];

const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxStorageBuffersPerShaderStage",
  "maxStorageTexturesPerShaderStage",
  "maxTextureDimension2D",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/**
 * Opens the default GPU.
 *
 * @throws {NoAdapterError} when the machine has no WebGPU adapter.
 */
export async function openGpu(): Promise<Gpu> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new NoAdapterError(
      "Cannot find a WebGPU adapter: install a GPU driver, or software Vulkan with `apt-get install mesa-vulkan-drivers`",
    );
  }
  const { info } = adapter;
  const name = info.description || info.device || [info.vendor, info.architecture].filter(Boolean).join(" ");
  const isSoftware = info.isFallbackAdapter === true || /llvmpipe|lavapipe|swiftshader/i.test(name);
  const requiredLimits: Record<string, number> = {};
  for (const name of WANTED_LIMITS) requiredLimits[name] = adapter.limits[name];
  const request = (requiredFeatures: readonly GPUFeatureName[]) =>
    adapter.requestDevice({ requiredFeatures: [...requiredFeatures], requiredLimits });
  const listed = WANTED_FEATURES.filter((feature) => adapter.features.has(feature));
  const wanted = isSoftware && mayHideSubgroups(adapter) ? [...listed, "subgroups" as const] : listed;
  const device = await request(wanted).catch(() => request(listed));
  const gpu = new Gpu(device, name || "unnamed adapter", isSoftware);
  await gpu.prime();
  return gpu;
}

/** Whether 8 invocations are a subgroup although the feature is not listed: on lavapipe Deno grants it nevertheless. */
function mayHideSubgroups({ features, info }: GPUAdapter): boolean {
  return isDeno && !features.has("subgroups") &&
    info.subgroupMinSize === 8 && info.subgroupMaxSize === 8;
}
