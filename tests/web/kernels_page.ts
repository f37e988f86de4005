/** Runs in the browser: kernel cases of the tests. */
import type { KernelCase } from "../../kernels/case.ts";
import { checkOutputs, clearErrors, runOnce, uploadOperands } from "../../kernels/check.ts";
import { openGpu } from "../../kernels/gpu/mod.ts";

/** What checking a folder's cases came to. */
export interface Checked {
  readonly adapterName: string;
  /** Launches that were checked. */
  readonly count: number;
  /** Those that failed, and why. */
  readonly failures: readonly { readonly label: string; readonly message: string }[];
  /** Milliseconds by variant. */
  readonly times: Readonly<Record<string, number>>;
}

/**
 * Runs the variants of the cases of a folder under `kernels/`; of those named in `sampled`, only the first case of each
 * kernel and every so many after it.
 */
export async function checkCases(
  folder: string,
  sampled: Readonly<Record<string, number>> = {},
): Promise<Checked> {
  // The bundler makes a map of all modules that fit.
  const module: Record<string, unknown> = await import(`../../kernels/${folder}/cases.ts`);
  const cases = Object.entries(module).filter(([name]) => /^cases$|Cases$/.test(name))
    .flatMap(([, value]) => value as readonly KernelCase[]);
  const gpu = await openGpu();
  const failures: { label: string; message: string }[] = [];
  let count = 0;
  const times: Record<string, number> = {};
  /** Cases met so far, by kernel and variant. */
  const met: Record<string, number> = {};
  for (const kernelCase of cases) {
    if (kernelCase.feature !== undefined && !gpu.device.features.has(kernelCase.feature)) continue;
    const variants = kernelCase.variants.filter((variant) => {
      const key = `${kernelCase.kernel} ${variant}`;
      met[key] = (met[key] ?? -1) + 1;
      return met[key] % (sampled[variant] ?? 1) === 0;
    });
    if (variants.length === 0) continue;
    const inputs = kernelCase.inputs();
    const want = kernelCase.reference(inputs);
    for (const variant of variants) {
      const label = `${kernelCase.kernel} (${variant}) at ${kernelCase.name}`;
      count++;
      const startMs = performance.now();
      const operands = uploadOperands(gpu, kernelCase, inputs);
      try {
        checkOutputs(label, await runOnce(gpu, kernelCase, operands, variant), want, kernelCase);
      } catch (error) {
        await clearErrors(gpu);
        failures.push({ label, message: (error as Error).message });
      }
      for (const slice of Object.values(operands)) gpu.release(slice);
      times[variant] = (times[variant] ?? 0) + performance.now() - startMs;
    }
  }
  const { adapterName } = gpu;
  gpu.destroy();
  return { adapterName, count, failures, times };
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
