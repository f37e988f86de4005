/**
 * Tuning: finds by a short measurement which variant of each kernel is fastest on this adapter. Every variant is checked
 * against its kernel's f64 reference before it is timed. A variant that fails is never chosen on this adapter.
 *
 * @module
 */
import type { KernelCase } from "../kernels/case.ts";
import { checkOutputs, clearErrors, runOnce, uploadOperands } from "../kernels/check.ts";
import { type Gpu, OutOfMemoryError, type Slice } from "../kernels/gpu/mod.ts";
import { launchContender } from "../kernels/measure.ts";
import { applyTuning, type Tuning, UNTUNED } from "../kernels/tune.ts";
import { benchCases } from "./cases.ts";
import type { BenchCase } from "./run.ts";

/** One measurement: a variant, or the choice without tuning, at one shape. */
export interface TuningTime {
  /** Folder under `kernels/`. */
  readonly folder: string;
  readonly kernelCase: KernelCase;
  /** Null for the variant that is launched if nobody names one. */
  readonly variant: string | null;
  /** Time of one launch in microseconds, the least of a few; infinite if a first look showed it far behind. */
  readonly elapsedUs: number;
}

/** Settings of tuning. */
export interface TuneSettings {
  /** Receives a line for each variant that is dropped, or chosen instead of the adapter's usual one. */
  readonly onNote?: (line: string) => void;
  /** Receives every measurement. */
  readonly onTime?: (time: TuningTime) => void;
  /** Cases to measure; {@linkcode tuningCases} when absent. */
  readonly cases?: readonly BenchCase[];
  /** An earlier result. Its folders are not measured again. */
  readonly earlier?: Tuning;
  /**
   * Time in milliseconds after which no other case is begun. If shaders have to be compiled, the rest may wait for the next
   * time. The first folder is always finished. No limit when absent.
   */
  readonly budgetMs?: number;
}

/** A variant replaces the usual one only if it is this much faster. Measurements of equal variants differ by less. */
const CLEAR_WIN = 1.25;

/** A variant that is this many times slower than the best at a first look, and slower than `SLOW_MS`, is measured no further. */
const FAR_BEHIND = 4;
const SLOW_MS = 3;

/** Work of a timed case, in bytes or tenths of flops. It takes naive code some milliseconds, on two cores or on a card. */
const WORK = { software: 3e6, hardware: 3e7 };

const ROUNDS = 5;
const SAMPLE_MS = 4;

/** Variants that round operands to half precision change the result. Only people choose them. */
const losesPrecision = (variant: string) => variant.endsWith("-f16");

/** Variants of a case that tuning may choose among. */
const candidatesOf = ({ variants }: KernelCase) => variants.filter((variant) => !losesPrecision(variant));

const workOf = ({ flops, bytes }: KernelCase) => Math.max(flops / 10, bytes, 1);

/** Lists the cases that tuning times: for every kernel with several variants, the case nearest to a fixed amount of work. */
export function tuningCases(gpu: Pick<Gpu, "isSoftware">): BenchCase[] {
  const target = gpu.isSoftware ? WORK.software : WORK.hardware;
  const nearest = new Map<string, BenchCase>();
  const distanceOf = (benchCase: BenchCase) => Math.abs(Math.log(workOf(benchCase.kernelCase) / target));
  for (const benchCase of benchCases) {
    if (candidatesOf(benchCase.kernelCase).length < 2) continue;
    const key = benchCase.kernelCase.kernel;
    const best = nearest.get(key);
    if (best === undefined || distanceOf(benchCase) < distanceOf(best)) nearest.set(key, benchCase);
  }
  return [...nearest.values()];
}

/** Checks and times the variants of every kernel that has several. It takes a second or two if shaders are compiled. */
export async function tune(gpu: Gpu, settings: TuneSettings = {}): Promise<Tuning> {
  const { onNote = () => {}, onTime = () => {}, cases = tuningCases(gpu) } = settings;
  const { earlier = UNTUNED, budgetMs = Infinity } = settings;
  const startMs = performance.now();
  let tuning = earlier;
  applyTuning(gpu, tuning);
  for (const folder of new Set(cases.map((each) => each.folder))) {
    if (tuning.folders.includes(folder)) continue;
    const isFirst = tuning.folders.length === earlier.folders.length;
    const found = await tuneFolder(gpu, folder, {
      cases: cases.filter((each) => each.folder === folder).map(({ kernelCase }) => kernelCase),
      isLate: () => !isFirst && performance.now() - startMs > budgetMs,
      onNote,
      onTime,
    }).catch((error) => {
      if (!(error instanceof OutOfMemoryError)) throw error;
      onNote(`Not measuring ${folder} now: ${error.message}`);
      return null;
    });
    if (found === null) break;
    tuning = {
      folders: [...tuning.folders, folder],
      chosen: { ...tuning.chosen, ...found.best && { [folder]: found.best.variant } },
      rejected: { ...tuning.rejected, ...found.rejected.length > 0 && { [folder]: found.rejected } },
    };
    if (found.best !== null) {
      const { variant, gain } = found.best;
      onNote(`${folder}: takes ${variant}, ${gain.toFixed(1)}x as fast as the usual variant here`);
    }
  }
  applyTuning(gpu, tuning);
  // The operands are as large as a training step's. Their memory is given back.
  await gpu.settle();
  gpu.trim();
  return tuning;
}

interface FolderSettings extends Required<Pick<TuneSettings, "onNote" | "onTime">> {
  readonly cases: readonly KernelCase[];
  /** Is there no time left for another case? */
  readonly isLate: () => boolean;
}

/** Finds the best variant of a folder; null for it if the usual ones stay. The whole result is null if time ran out. */
async function tuneFolder(
  gpu: Gpu,
  folder: string,
  { cases, isLate, onNote, onTime }: FolderSettings,
): Promise<{ best: { variant: string; gain: number } | null; rejected: string[] } | null> {
  const rejected: string[] = [];
  const reject = (variant: string, error: Error) => {
    if (rejected.includes(variant)) return;
    rejected.push(variant);
    gpu.rejected.set(folder, rejected);
    onNote(`Dropped variant ${variant} of ${folder} on this adapter: ${error.message}`);
  };
  const times: TuningTime[] = [];
  const measure = async (kernelCase: KernelCase, variants: readonly string[]) => {
    for (const [variant, elapsedUs] of await timeCase(gpu, kernelCase, variants, reject)) {
      times.push({ folder, kernelCase, variant, elapsedUs });
      onTime(times.at(-1)!);
    }
  };
  for (const kernelCase of cases) {
    if (isLate()) return null;
    await measure(kernelCase, candidatesOf(kernelCase));
  }
  const first = bestVariant(times, rejected);
  if (first === null) return { best: null, rejected };
  // Other work on the machine can make a variant look fast once. It has to be fast twice.
  times.length = 0;
  for (const kernelCase of cases) {
    await measure(kernelCase, candidatesOf(kernelCase).filter((variant) => variant === first.variant));
  }
  return { best: bestVariant(times, rejected), rejected };
}

/** Finds the variant of a folder that gains most over the usual choice, as a geometric mean over its kernels. */
export function bestVariant(
  times: readonly TuningTime[],
  rejected: readonly string[],
): { variant: string; gain: number } | null {
  const kernels = [...new Set(times.map(({ kernelCase }) => kernelCase))];
  const usOf = (kernelCase: KernelCase, variant: string | null) =>
    times.find((time) => time.kernelCase === kernelCase && time.variant === variant)?.elapsedUs;
  let best: { variant: string; gain: number } | null = null;
  for (const variant of new Set(times.map((time) => time.variant))) {
    if (variant === null || rejected.includes(variant)) continue;
    // A kernel of the folder that lacks the variant keeps its usual one.
    const gains = kernels.map((kernelCase) => {
      const [usual, own] = [usOf(kernelCase, null), usOf(kernelCase, variant)];
      return usual === undefined || own === undefined ? 1 : usual / own;
    });
    const gain = Math.exp(gains.reduce((sum, each) => sum + Math.log(each), 0) / gains.length);
    if (gain >= CLEAR_WIN && gain > (best?.gain ?? 0)) best = { variant, gain };
  }
  return best;
}

/** Times the variants that pass their check, and the usual choice (null). */
async function timeCase(
  gpu: Gpu,
  kernelCase: KernelCase,
  variants: readonly string[],
  reject: (variant: string, error: Error) => void,
): Promise<[variant: string | null, elapsedUs: number][]> {
  const inputs = kernelCase.inputs();
  const want = kernelCase.reference(inputs);
  const slices: Slice[] = [];
  const contenders: { variant: string | null; run(count: number): Promise<void> }[] = [];
  try {
    // The usual choice comes last: variants that failed are known by then, and not chosen.
    for (const variant of [...variants, null]) {
      const operands = uploadOperands(gpu, kernelCase, inputs);
      slices.push(...Object.values(operands));
      try {
        const got = await runOnce(gpu, kernelCase, operands, variant ?? undefined);
        const label = `${kernelCase.kernel} (${variant ?? "usual variant"}) at ${kernelCase.name}`;
        checkOutputs(label, got, want, kernelCase);
        const launch = () => kernelCase.launch(gpu, operands, variant ?? undefined);
        contenders.push({ variant, ...launchContender(gpu, launch) });
      } catch (error) {
        await clearErrors(gpu);
        // This is no fault of the variant, and nothing to keep on disk.
        if (error instanceof OutOfMemoryError) throw error;
        if (variant !== null) reject(variant, error as Error);
      }
    }
    return await timeInTurns(contenders);
  } finally {
    for (const slice of slices) gpu.release(slice);
  }
}

async function timeInTurns<V>(
  contenders: readonly { readonly variant: V; run(count: number): Promise<void> }[],
): Promise<[V, number][]> {
  const elapsedMs = async (contender: { run(count: number): Promise<void> }, count: number) => {
    const startMs = performance.now();
    await contender.run(count);
    return (performance.now() - startMs) / count;
  };
  const firstMs = contenders.map(() => Infinity);
  const limitMs = () => Math.max(SLOW_MS, FAR_BEHIND * Math.min(...firstMs));
  // A slow contender gets a second chance, since other work may have had the machine.
  for (let look = 0; look < 2; look++) {
    for (const [index, contender] of contenders.entries()) {
      if (firstMs[index] < limitMs()) continue;
      firstMs[index] = Math.min(firstMs[index], await elapsedMs(contender, 1));
    }
  }
  const isFar = (index: number) => contenders[index].variant !== null && firstMs[index] > limitMs();
  const bestMs = firstMs.map((ms, index) => isFar(index) ? Infinity : ms);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, contender] of contenders.entries()) {
      if (isFar(index)) continue;
      const count = Math.max(1, Math.min(200, Math.round(SAMPLE_MS / firstMs[index])));
      bestMs[index] = Math.min(bestMs[index], await elapsedMs(contender, count));
    }
  }
  return contenders.map(({ variant }, index) => [variant, bestMs[index] * 1e3]);
}
