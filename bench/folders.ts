/**
 * The cases of the tests, which are timed too.
 *
 * @module
 */
import { cases as adamwCases } from "../kernels/adamw/cases.ts";
import { cases as attentionCases } from "../kernels/attention/cases.ts";
import type { KernelCase } from "../kernels/case.ts";
import { cases as convolutionCases } from "../kernels/convolution/cases.ts";
import { cases as decodeCases } from "../kernels/decode/cases.ts";
import { cases as elementwiseCases } from "../kernels/elementwise/cases.ts";
import { cases as embeddingCases } from "../kernels/embedding/cases.ts";
import { cases as imageCases } from "../kernels/image/cases.ts";
import { cases as layernormCases } from "../kernels/layernorm/cases.ts";
import { cases as logSoftmaxCases } from "../kernels/log_softmax/cases.ts";
import { cases as matmulCases, halfCases } from "../kernels/matmul/cases.ts";
import { cases as reduceCases } from "../kernels/reduce/cases.ts";
import { cases as samplingCases } from "../kernels/sampling/cases.ts";
import { cases as logprobCases } from "../kernels/softmax_logprob/cases.ts";

/** The cases of the tests, by folder under `kernels/`. */
export const casesByFolder: Readonly<Record<string, readonly KernelCase[]>> = {
  matmul: [...matmulCases, ...halfCases],
  attention: attentionCases,
  softmax_logprob: logprobCases,
  log_softmax: logSoftmaxCases,
  layernorm: layernormCases,
  adamw: adamwCases,
  elementwise: elementwiseCases,
  reduce: reduceCases,
  embedding: embeddingCases,
  sampling: samplingCases,
  image: imageCases,
  convolution: convolutionCases,
  decode: decodeCases,
};

/** Lists the variants that a kernel's cases have. Headline shapes suit all of them. */
export function variantsOf(kernel: string): string[] {
  const own = Object.values(casesByFolder).flat().filter((each) => each.kernel === kernel);
  return [...new Set(own.flatMap(({ variants }) => variants))];
}
