/** Software Vulkan must use what it compiled again: see `PipelineCache`. */
import { assert } from "@std/assert";
import { openGpu } from "../../../kernels/gpu/mod.ts";
import { matmul } from "../../../kernels/matmul/mod.ts";
import { onGpu } from "../../gpu.ts";

Deno.test({
  name: "a hundred passes of a kernel with loop bounds in its parameters cost no memory",
  ...onGpu,
  fn: async () => {
    // A device of its own: what the first launch of a pipeline finds decides.
    const gpu = await openGpu();
    const [M, N, K] = [128, 384, 256];
    const A = gpu.allocate(K * M, "A"), B = gpu.allocate(K * N, "B"), C = gpu.allocate(M * N, "C");
    const pass = async () => {
      A.storage.mirrorIsStale = true; // the copy ends the pass before
      matmul(gpu, { A, B, C }, { M, N, K, transposeA: true });
      await gpu.read(C);
    };
    for (let i = 0; i < 20; i++) await pass();
    const before = Deno.memoryUsage().rss;
    for (let i = 0; i < 100; i++) await pass();
    const grownMiB = (Deno.memoryUsage().rss - before) / 2 ** 20;
    gpu.destroy();
    assert(grownMiB < 40, `${grownMiB.toFixed(0)} MiB more after 100 passes`);
  },
});
