/**
 * Every case that can be timed: the shapes of the tests, those that peers run too, and large ones.
 *
 * @module
 */
import { casesByFolder } from "./folders.ts";
import { headlineCases } from "./headline.ts";
import { largeCases } from "./large.ts";
import type { BenchCase } from "./run.ts";
import { variantsIn } from "./select.ts";

/** Everything there is to time. */
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

/** Names of all variants that some kernel has, sorted: what `PONDER_VARIANT` may name. */
export function knownVariants(): string[] {
  return variantsIn(benchCases);
}
