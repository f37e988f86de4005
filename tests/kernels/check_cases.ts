/** Runs a kernel's cases: every variant of every case against its f64 reference. */
import { assert } from "@std/assert";
import type { KernelCase } from "../../kernels/case.ts";
import { Gpu, openGpu, type Slice } from "../../kernels/gpu/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";

/** A software adapter whose device has no subgroups, as elsewhere than in Deno on lavapipe. */
export async function gpuWithoutSubgroups(): Promise<Gpu> {
  const adapter = await navigator.gpu.requestAdapter();
  const gpu = new Gpu(await adapter!.requestDevice(), "no subgroups", true);
  await gpu.prime();
  assert(!gpu.canBroadcast);
  return gpu;
}

/** The adapter in the role of a real GPU: launches take their variants for hardware, and submit as they go. */
export async function gpuLikeHardware(): Promise<Gpu> {
  const { device } = await openGpu();
  const gpu = new Gpu(device, "like hardware", false);
  await gpu.prime();
  return gpu;
}

/** Registers one test per case and variant, but for those that are left out. */
export function testCases(
  cases: readonly KernelCase[],
  isLeftOut: (kernelCase: KernelCase, variant: string) => boolean = () => false,
): void {
  for (const kernelCase of cases) {
    for (const variant of kernelCase.variants) {
      if (isLeftOut(kernelCase, variant)) continue;
      Deno.test({
        name: `${kernelCase.kernel} (${variant}) matches its reference at ${kernelCase.name}`,
        ...onGpu,
        fn: async () => await checkCase(await testGpu(), kernelCase, variant),
      });
    }
  }
}

/** Runs one case, by default as the kernel chooses, and compares all outputs, elements and guard words behind them. */
export async function checkCase(gpu: Gpu, kernelCase: KernelCase, variant?: string): Promise<void> {
  const inputs = kernelCase.inputs();
  const operands: Record<string, Slice> = {};
  for (const [name, data] of Object.entries(inputs)) operands[name] = gpu.upload(data, name);
  for (const [name, words] of Object.entries(kernelCase.outputs)) {
    // Outputs start as garbage: a kernel that leaves a word unwritten, or reads one, fails.
    operands[name] ??= gpu.upload(new Float32Array(words).fill(12345.678), name);
  }
  const want = kernelCase.reference(inputs);
  kernelCase.launch(gpu, operands, variant);
  const names = Object.keys(kernelCase.outputs);
  const got = await gpu.read(...names.map((name) => operands[name]));
  await gpu.settle();
  for (const slice of Object.values(operands)) gpu.release(slice);
  names.forEach((name, index) => {
    const isInteger = kernelCase.integers?.includes(name) ?? false;
    const values = isInteger ? new Uint32Array(got[index].buffer) : got[index];
    assert(
      values.length === want[name].length,
      `${name} has ${values.length} words, want ${want[name].length}`,
    );
    let worst = 0;
    let worstIndex = 0;
    for (let i = 0; i < values.length; i++) {
      const error = Math.abs(values[i] - want[name][i]) / (1 + Math.abs(want[name][i]));
      if (!(error <= worst)) {
        worst = error;
        worstIndex = i;
        if (Number.isNaN(error)) break;
      }
    }
    const limit = isInteger ? 0 : kernelCase.tolerance;
    assert(
      worst <= limit,
      `${name}[${worstIndex}] is ${values[worstIndex]}, want ${
        want[name][worstIndex]
      }: error ${worst} exceeds ${limit}`,
    );
  });
}
