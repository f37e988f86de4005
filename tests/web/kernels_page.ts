/** Runs in the browser: every kernel case of the tests. */
import { casesByFolder } from "../../bench/folders.ts";
import { checkOutputs, clearErrors, runOnce, uploadOperands } from "../../kernels/check.ts";
import { Gpu, openGpu } from "../../kernels/gpu/mod.ts";

/** A variant of a case that failed, and why. */
interface Failure {
  readonly label: string;
  readonly message: string;
}

/** Runs every variant of every case that the adapter can, and says how many there were and which failed. */
export async function checkCases(folders: readonly string[] = Object.keys(casesByFolder)) {
  const gpu = await openGpu();
  const failures: Failure[] = [];
  let count = 0;
  const times: Record<string, number> = {};
  const skipped = new Set<string>();
  for (const kernelCase of folders.flatMap((folder) => casesByFolder[folder])) {
    const inputs = kernelCase.inputs();
    const startMs = performance.now();
    let want: Record<string, ArrayLike<number>> | null = null;
    for (const variant of kernelCase.variants) {
      const label = `${kernelCase.kernel} (${variant}) at ${kernelCase.name}`;
      const { feature } = kernelCase;
      if (variant === "tiled-f16" || feature !== undefined && !gpu.device.features.has(feature)) {
        skipped.add(variant);
        continue;
      }
      count++;
      const operands = uploadOperands(gpu, kernelCase, inputs);
      try {
        want ??= kernelCase.reference(inputs);
        checkOutputs(label, await runOnce(gpu, kernelCase, operands, variant), want, kernelCase);
      } catch (error) {
        await clearErrors(gpu);
        failures.push({ label, message: (error as Error).message });
      }
      for (const slice of Object.values(operands)) gpu.release(slice);
    }
    times[kernelCase.kernel] = (times[kernelCase.kernel] ?? 0) + performance.now() - startMs;
  }
  const { adapterName, isSoftware, subgroupSize } = gpu;
  gpu.destroy();
  return { adapterName, isSoftware, subgroupSize, count, failures, skipped: [...skipped], times };
}

/** What the device says of a kernel that does not compile. */
export async function compileError(source: string, constants: Record<string, number>): Promise<string> {
  const gpu = await openGpu();
  try {
    const out = gpu.allocate(64, "out");
    gpu.dispatch({
      kernel: { name: "faulty", source, constants, file: "kernels/own/faulty.wgsl" },
      bindings: [{ kind: "write", slice: out }],
      workgroups: [1],
    });
    await gpu.read(out);
    return "no error";
  } catch (error) {
    return (error as Error).message;
  } finally {
    gpu.destroy();
  }
}

export { Gpu };
