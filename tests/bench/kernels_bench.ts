/**
 * `deno bench -RE`: the large shapes under Deno's own benchmark runner, naive as the baseline of each group. A measurement
 * is one launch and the wait for it; `./ponder bench` repeats launches and knows the machine's ceiling.
 */
import { headlineCases } from "../../bench/headline.ts";
import { uploadOperands } from "../../kernels/check.ts";
import { openGpu } from "../../kernels/gpu/mod.ts";

/** Naive launches above this take seconds on two cores, and Deno's runner repeats them at least ten times. */
const MAX_FLOPS = 3e8;

const gpu = await openGpu();

for (const kernelCase of headlineCases.filter(({ flops }) => flops <= MAX_FLOPS)) {
  const { kernel, name, variants } = kernelCase;
  for (const variant of variants) {
    // Uploaded when the first measurement needs them, so that a filter costs nothing.
    let operands: ReturnType<typeof uploadOperands> | null = null;
    Deno.bench({
      name: `${kernel} ${name} (${variant})`,
      group: `${kernel} ${name}`,
      baseline: variant === variants[0],
      n: 10,
      warmup: 2,
      async fn() {
        operands ??= uploadOperands(gpu, kernelCase, kernelCase.inputs());
        kernelCase.launch(gpu, operands, variant);
        await gpu.read(gpu.placeholder);
      },
    });
  }
}
