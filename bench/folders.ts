/**
 * The cases of the tests, which are timed too. A folder under `kernels/` that has a `cases.ts` needs no row here.
 *
 * @module
 */
import type { KernelCase } from "../kernels/case.ts";

const KERNELS = new URL("../kernels/", import.meta.url);

/** Whether there is such a file. */
function exists(file: URL): boolean {
  try {
    return Deno.statSync(file).isFile;
  } catch {
    return false;
  }
}

/** What only browsers ask a device for, so that no benchmark in Deno has it. */
const BROWSERS_ONLY: GPUFeatureName = "float32-filterable";

/** The cases of a folder: `cases`, and every other list that is called so, as `halfCases`. */
async function casesIn(folder: string): Promise<[folder: string, cases: readonly KernelCase[]]> {
  const lists: Readonly<Record<string, unknown>> = await import(new URL(`${folder}/cases.ts`, KERNELS).href);
  const cases = Object.keys(lists).filter((name) => /^(cases|\w+Cases)$/.test(name)).sort().flatMap((name) =>
    lists[name] as readonly KernelCase[]
  );
  return [folder, cases.filter(({ feature }) => feature !== BROWSERS_ONLY)];
}

const folders = [...Deno.readDirSync(KERNELS)].map(({ name }) => name).sort().filter((name) =>
  exists(new URL(`${name}/cases.ts`, KERNELS))
);

/** The cases of the tests, by folder under `kernels/`. */
export const casesByFolder: Readonly<Record<string, readonly KernelCase[]>> = Object.fromEntries(
  await Promise.all(folders.map(casesIn)),
);

/** Lists the variants that a kernel's cases have. Headline shapes suit all of them. */
export function variantsOf(kernel: string): string[] {
  const own = Object.values(casesByFolder).flat().filter((each) => each.kernel === kernel);
  return [...new Set(own.flatMap(({ variants }) => variants))];
}
