/**
 * Every case that can be timed: the shapes of the tests, shapes that peers run too, and large ones.
 *
 * @module
 */
import { casesByFolder } from "./folders.ts";
import { headlineCases } from "./headline.ts";
import { largeCases } from "./large.ts";
import type { BenchCase } from "./run.ts";
import { variantsIn } from "./select.ts";

/** All cases that can be timed. */
export const benchCases: readonly BenchCase[] = [
  ...Object.entries(casesByFolder).flatMap(([folder, cases]) =>
    cases.map((kernelCase) => ({ suite: "cases" as const, folder, kernelCase }))
  ),
  ...headlineCases.map((kernelCase) => ({
    suite: "headline" as const,
    folder: kernelCase.kernel,
    kernelCase,
  })),
  ...largeCases.map((kernelCase) => ({
    suite: "large" as const,
    folder: kernelCase.kernel,
    kernelCase,
  })),
];

/** Lists the names that `PONDER_VARIANT` may have: all variants of all kernels, sorted. */
export function knownVariants(): string[] {
  return variantsIn(benchCases);
}
