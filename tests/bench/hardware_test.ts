/** What launches choose on a real GPU, played by the adapter that is there. */
import { assert, assertEquals } from "@std/assert";
import { benchCases } from "../../bench/cases.ts";
import { unary } from "../../kernels/elementwise/mod.ts";
import { checkCase, gpuLikeHardware } from "../kernels/check_cases.ts";
import { onGpu } from "../gpu.ts";

/** Small enough to be done in milliseconds by a software adapter's poor idea of a GPU. */
const SMALL = 3e5;

Deno.test({
  name: "every kernel matches its reference with the variant that a GPU gets",
  ...onGpu,
  fn: async () => {
    const gpu = await gpuLikeHardware();
    const small = benchCases.filter(({ suite, kernelCase: { flops, bytes, feature } }) =>
      suite === "cases" && feature === undefined && Math.max(flops, bytes) < SMALL
    );
    assertEquals(
      new Set(small.map(({ folder }) => folder)).size,
      new Set(benchCases.map(({ folder }) => folder)).size,
    );
    for (const { kernelCase } of small) {
      await checkCase(gpu, kernelCase).catch((error) => {
        throw new Error(`${kernelCase.kernel} at ${kernelCase.name}: ${error.message}`);
      });
    }
    gpu.destroy();
  },
});

Deno.test({
  name: "a GPU gets work before a long step is encoded, in the order of its launches",
  ...onGpu,
  fn: async () => {
    const gpu = await gpuLikeHardware();
    const X = gpu.upload(Float32Array.of(1), "X");
    const Y = gpu.acquire(1, "Y");
    const before = gpu.submissionCount;
    for (let launch = 0; launch < 100; launch++) {
      const [from, to] = launch % 2 === 0 ? [X, Y] : [Y, X];
      unary(gpu, { X: from, Y: to }, { op: "shift", n: 1, a: 1 });
    }
    const submissions = gpu.submissionCount - before;
    assert(submissions >= 2 && submissions < 10, `${submissions} submissions`);
    assertEquals([...(await gpu.read(X))[0]], [101]);
    gpu.destroy();
  },
});
