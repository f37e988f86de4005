/**
 * The benchmark of kernels: which cases there are, and the clock of the threads that play the GPU. The command is
 * in `bench.ts`.
 *
 * @module
 */
import { casesByFolder } from "./folders.ts";
import { headlineCases } from "./headline.ts";
import { largeCases } from "./large.ts";
import type { BenchCase } from "./run.ts";
import { variantsIn } from "./select.ts";

export { measureCeiling, shareOfCeiling } from "./ceiling.ts";
export { compareRuns, parseRun } from "./report/compare.ts";
export {
  type BusyClock,
  type Contender,
  launchContender,
  measureInTurns,
  type MeasureSettings,
} from "../kernels/measure.ts";
export { headlineCases } from "./headline.ts";
export { type Peer, peerSpecifiers } from "./peers/common.ts";
export { type Jax, type JaxArray, jaxTask } from "./peers/jax.ts";
export { openPeers } from "./peers/mod.ts";
export { type BenchCase, benchCase, type BenchContext, profileLaunch } from "./run.ts";
export { selectCases } from "./select.ts";
export { ratioSpread, spreadOf } from "./statistics.ts";
export * from "./types.ts";

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

/**
 * CPU time of the threads that play the GPU, on Linux with software Vulkan: lavapipe's workers have no name of their
 * own, so they carry the process's, as its main thread does, which is left out. Deno shows `/proc/self/task` only to
 * processes with all permissions; without them, and elsewhere, the answer is null.
 *
 * Flops over this time, per worker, is a rate that other work moves less than the wall rate: a thread that waits for
 * its core does not age. Shared caches, memory bandwidth and clock still slow it down, up to twofold on a busy
 * machine, so only ratios taken in one run and runs on a quiet machine are worth quoting.
 */
export function busyNs(): number | null {
  try {
    const tasks = "/proc/self/task";
    const nameOf = (id: string) => Deno.readTextFileSync(`${tasks}/${id}/comm`).trim();
    const mainName = nameOf(String(Deno.pid));
    // Threads come with the first work, those of peers later.
    const workers = [...Deno.readDirSync(tasks)].map(({ name }) => name).filter((id) =>
      id !== String(Deno.pid) && nameOf(id) === mainName
    );
    return workers.reduce(
      (sum, id) => sum + Number(Deno.readTextFileSync(`${tasks}/${id}/schedstat`).split(" ")[0]),
      0,
    );
  } catch {
    return null;
  }
}
