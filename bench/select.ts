/**
 * Selecting the cases that a benchmark runs.
 *
 * @module
 */
import type { BenchCase } from "./run.ts";

/** What was asked for. */
export interface Selection {
  /** Kernels by folder name, or text that occurs in `kernel name`; all when empty. */
  readonly only: readonly string[];
  readonly suites: readonly string[];
  readonly variant?: string;
}

/**
 * Selects the cases that were asked for.
 *
 * @throws {RangeError} when a term or the variant matches nothing, listing what there is.
 */
export function selectCases(all: readonly BenchCase[], { only, suites, variant }: Selection): BenchCase[] {
  const variants = variantsIn(all);
  if (variant !== undefined && !variants.includes(variant)) {
    throw new RangeError(`Cannot bench variant "${variant}": there are ${variants.join(", ")}`);
  }
  const inSuites = all.filter(({ suite }) => suites.includes(suite));
  for (const term of only) {
    if (term === "steps" || all.some((benchCase) => matches(benchCase, term))) continue;
    const kernels = [...new Set(all.map(({ kernelCase }) => kernelCase.kernel))].sort();
    throw new RangeError(
      `Cannot bench "${term}": there are ${kernels.join(", ")}, steps, or part of a case's name`,
    );
  }
  return inSuites.filter((benchCase) =>
    (only.length === 0 || only.some((term) => matches(benchCase, term))) &&
    (variant === undefined || benchCase.kernelCase.variants.includes(variant))
  );
}

/** Lists the names of the variants that cases have, sorted. */
export function variantsIn(cases: readonly BenchCase[]): string[] {
  return [...new Set(cases.flatMap(({ kernelCase }) => kernelCase.variants))].sort();
}

const matches = ({ folder, kernelCase: { kernel, name } }: BenchCase, term: string): boolean =>
  folder === term || `${kernel} ${name}`.includes(term);
