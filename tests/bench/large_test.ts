/** The references of large shapes, which compute few rows or heads, at shapes that are small enough to compute all. */
import { assert, assertEquals } from "@std/assert";
import { largeAttention, largeCases, largeLogprob, largeMatmul } from "../../bench/large.ts";
import { attentionBackwardReference, attentionReference } from "../../kernels/attention/reference.ts";
import type { KernelCase } from "../../kernels/case.ts";
import { checkOutputs } from "../../kernels/check.ts";
import { matmulReference } from "../../kernels/matmul/reference.ts";
import { linearLogprobReference } from "../../kernels/softmax_logprob/reference.ts";

type Values = Record<string, ArrayLike<number>>;

function compare(kernelCase: KernelCase, whole: (inputs: ReturnType<KernelCase["inputs"]>) => Values): void {
  const inputs = kernelCase.inputs();
  const few = kernelCase.reference(inputs);
  const all = whole(inputs);
  for (const [name, words] of Object.entries(kernelCase.outputs)) assertEquals(few[name].length, words, name);
  const got = Object.fromEntries(Object.keys(few).map((name) => [name, Float32Array.from(few[name])]));
  checkOutputs(kernelCase.name, got, all, { tolerance: 1e-6 });
  assert(Object.values(got).every((values) => new Set(values).size > 2));
}

Deno.test("the reference of a product with repeated rows is that of the whole product", () => {
  for (const transposes of [{}, { transposeA: true }, { transposeB: true }]) {
    const shape = { M: 40, N: 12, K: 8, ...transposes };
    compare(largeMatmul(shape), ({ A, B }) => ({ C: matmulReference({ A, B }, shape).C }));
  }
});

Deno.test("the reference of attention with repeated heads is that of all heads", () => {
  const shape = { B: 2, T: 5, H: 4, D: 4 };
  compare(largeAttention(2, 5, 4, 4, true), (inputs) => {
    const { Y, lse } = attentionReference(inputs, shape);
    const forward = { Y: Float32Array.from(Y), lse: Float32Array.from(lse) };
    return { Y, lse, ...attentionBackwardReference({ ...inputs, ...forward }, shape) };
  });
});

Deno.test("the reference of linear + log-prob with repeated rows is that of all rows", () => {
  const shape = { N: 30, C: 8, V: 24, temperature: 1 };
  compare(
    largeLogprob(30, 8, 24),
    ({ X, W, targets }) => linearLogprobReference({ X, W, targets: targets as Uint32Array }, shape),
  );
});

Deno.test("large shapes have the variants for GPUs, the baseline first", () => {
  for (const { kernel, variants } of largeCases) {
    assert(!variants.includes("texture"), kernel);
    assertEquals(variants[0], "naive", kernel);
  }
});
