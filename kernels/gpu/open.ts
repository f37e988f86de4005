/**
 * Finding an adapter and opening a device with the adapter's real limits.
 *
 * @module
 */
import { Gpu } from "./gpu.ts";
import { debugLevel, debugLog, isDeno } from "./host.ts";

/** Raised when there is no WebGPU adapter; the message says what to install. */
export class NoAdapterError extends Error {
  /** `NoAdapterError`. */
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
  // Sampling is what reads a texture cheapest there, and only there.
  const sampled: readonly GPUFeatureName[] = /swiftshader/i.test(name) ? ["float32-filterable"] : [];
  const listed = [...WANTED_FEATURES, ...sampled].filter((feature) => adapter.features.has(feature));
  // Deno never lists subgroups, whatever the adapter, yet grants them if the adapter has them: asking tells.
  const isHidden = isDeno && !listed.includes("subgroups");
  const wanted = isHidden ? [...listed, "subgroups" as const] : listed;
  const device = await request(wanted).catch((error: Error) => {
    if (!isHidden) throw error;
    if (debugLevel >= 1) debugLog(`${name || "unnamed adapter"} grants no subgroups: ${error.message}`);
    return request(listed);
  });
  const gpu = new Gpu(device, name || "unnamed adapter", isSoftware);
  await gpu.prime();
  return gpu;
}
