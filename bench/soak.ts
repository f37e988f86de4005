/**
 * `soak`: trains for long on a tiny setting, and says whether memory or the time of an iteration grows.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../envs/mod.ts";
import { debugLevel, type Gpu } from "../kernels/gpu/mod.ts";
import { writeFileAtomic } from "../model/files.ts";
import {
  type Command,
  commandLine,
  defineOptions,
  formatBytes,
  formatTable,
  processConsole,
  Progress,
  type ProgressState,
  runCommand,
} from "../rl/cli/mod.ts";
import { resolveConfig, settingsOf } from "../rl/config.ts";
import { findAlgorithm } from "../rl/algorithms/mod.ts";
import { loadEnvironment } from "../rl/run/load_environment.ts";
import { runTraining } from "../rl/run/run.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { type Trend, trendOf } from "./trend.ts";
import { openTunedGpu } from "./tuning.ts";

/**
 * Share of the iterations that the trends leave out. In them caches fill, and V8 finds the size of its heap: the number of GPU objects
 * settles after 350 of 1,500. It was a fifth until soaks had been seen to grow, so those made before it changed do not confirm it.
 */
const WARM_UP_SHARE = 1 / 3;

/**
 * Iterations whose least value stands for them in the trends. A save, which comes every sixth iteration, takes memory for a moment:
 * what the process keeps is the least between several saves. Such peaks would also hide how much neighbours depend on each other.
 */
const BLOCK = 25;
/** Blocks that a trend needs; of a short soak they are shorter. */
const LEAST_BLOCKS = 10;

/** A very small run. Its iterations are mostly what every iteration has: rollout, updates, metrics, sometimes a save. */
const TINY = {
  ...{ maxNewTokens: 6, sftSteps: 4, sftBatch: 8, demonstrations: 32, perceptionGate: 0 },
  ...{ envs: 4, rolloutSteps: 4, minibatch: 8, epochs: 1, evalEpisodes: 2, klStop: 100 },
} as const;

/** The options of `soak`. */
export const soakOptions = defineOptions({
  env: { type: "string", default: "NumberLine", meaning: "environment to train on" },
  iterations: {
    type: "integer",
    default: 1500,
    min: 10,
    meaning: "RL iterations; the first third is for caches to fill, and counts in no trend",
  },
  json: { type: "boolean", default: false, meaning: "print the result as JSON on stdout" },
  out: { type: "path", meaning: "also save the JSON in this file" },
});

/** What is measured after each iteration. */
export interface Look {
  /** Resident set of the process, after a collection of garbage if V8 lets programs ask for one, as the task does. */
  readonly residentBytes: number;
  /** Bytes of all GPU buffers that are not destroyed. */
  readonly gpuBytes: number;
  /** Number of GPU buffers and textures that are not destroyed. */
  readonly gpuObjects: number;
  /** Time of the iteration, without that collection. */
  readonly stepMs: number;
}

const MEASURES: Readonly<Record<keyof Look, { title: string; show: (value: number) => string }>> = {
  residentBytes: { title: "resident memory", show: formatBytes },
  gpuBytes: { title: "GPU buffers", show: formatBytes },
  gpuObjects: { title: "GPU buffers and textures", show: (count) => count.toFixed(1) },
  stepMs: { title: "time of an iteration", show: (ms) => `${ms.toFixed(1)} ms` },
};

const NAMES = Object.keys(MEASURES) as (keyof Look)[];

/** If one of these grows, that is a leak. The time of an iteration may follow other work on the machine. */
const LEAKS: readonly (keyof Look)[] = ["residentBytes", "gpuBytes", "gpuObjects"];

/** What a soak found. */
export interface SoakResult {
  readonly command: string;
  /** Time of the start, as ISO 8601. */
  readonly startedAt: string;
  readonly adapter: string;
  readonly deno: string;
  readonly environment: string;
  readonly iterations: number;
  /** Number of iterations at the start that the trends leave out. */
  readonly warmUp: number;
  /** The trend of each measure, per iteration. */
  readonly trends: Readonly<Record<keyof Look, Trend>>;
  readonly samples: readonly Look[];
}

/** The `soak` command. */
export const soakCommand: Command<typeof soakOptions> = {
  command: "./ponder soak",
  summary: "Train for long on a tiny setting and say whether memory or the time of an iteration grows. " +
    "Exit code 1 when memory does: when the 95% interval of its slope is above 0.",
  examples: ["./ponder soak", "./ponder soak --iterations 200 --out soak.json"],
  options: soakOptions,
  async run({ values }) {
    const environment = await loadEnvironment(values.env);
    const startedAt = new Date().toISOString();
    const gpu = await openTunedGpu({ note: console.error });
    try {
      const samples = await soak(gpu, { environment, iterations: values.iterations });
      const warmUp = Math.floor(samples.length * WARM_UP_SHARE);
      const result: SoakResult = {
        command: commandLine("soak"),
        startedAt,
        adapter: gpu.adapterName,
        deno: Deno.version.deno,
        environment: environment.name,
        iterations: samples.length,
        warmUp,
        trends: trendsOf(samples.slice(warmUp)),
        samples,
      };
      const text = JSON.stringify(result, null, 2) + "\n";
      if (values.out !== undefined) await writeFileAtomic(values.out, text);
      processConsole.out(values.json ? text : `${formatSoak(result)}\n`);
      return LEAKS.some((measure) => grows(result.trends[measure])) ? 1 : 0;
    } finally {
      gpu.destroy();
    }
  },
};

/** Settings of a soak. */
export interface SoakSettings {
  readonly environment: EnvironmentDefinition;
  readonly iterations: number;
  /** Receives the text of the progress line; stderr of this process when absent. */
  readonly write?: (text: string) => void;
}

/** Trains in a folder that is deleted afterwards. Returns a sample for each RL iteration. */
export async function soak(
  gpu: Gpu,
  { environment, iterations, write }: SoakSettings,
): Promise<Look[]> {
  const envSteps = iterations * TINY.envs * TINY.rolloutSteps;
  const config = resolveConfig({ ...TINY, envSteps }, environment);
  const living = watchGpuObjects(gpu.device);
  const path = await Deno.makeTempDir({ prefix: "ponder_soak_" });
  // All are there from the start: what keeps them must not grow.
  const kept = new Float64Array(NAMES.length * iterations);
  let count = 0, beforeMs = performance.now();
  const progress = new IterationWatch({ write }, () => {
    const stepMs = performance.now() - beforeMs;
    // What is waiting to be collected is no leak, and how much of it there is changes by many megabytes.
    (globalThis as { gc?: () => void }).gc?.();
    const look: Look = { residentBytes: Deno.memoryUsage().rss, ...living(), stepMs };
    if (count < iterations) kept.set(NAMES.map((name) => look[name]), NAMES.length * count++);
    beforeMs = performance.now();
  });
  try {
    const folder = await RunFolder.create(path);
    await folder.writeConfig(settingsOf(config));
    await runTraining(config, {
      gpu,
      environment,
      algorithm: findAlgorithm(config.algorithm),
      folder,
      progress,
      isStopped: () => false,
    });
    await gpu.settle();
    return Array.from({ length: count }, (_, i) => {
      const look = NAMES.map((name, j) => [name, kept[NAMES.length * i + j]]);
      return Object.fromEntries(look) as Record<keyof Look, number>;
    });
  } finally {
    progress.close();
    await Deno.remove(path, { recursive: true });
  }
}

/** Progress that also reports each RL iteration. */
class IterationWatch extends Progress {
  readonly #onIteration: () => void;

  constructor(options: ConstructorParameters<typeof Progress>[0], onIteration: () => void) {
    super(options);
    this.#onIteration = onIteration;
  }

  override update(state: ProgressState): void {
    if (state.stage === "rl") this.#onIteration();
    super.update(state);
  }
}

/** Counts buffers and textures that a device makes from now on, until they are destroyed. */
function watchGpuObjects(device: GPUDevice): () => Pick<Look, "gpuBytes" | "gpuObjects"> {
  let gpuBytes = 0, gpuObjects = 0;
  const watch = <T extends { destroy(): void }>(made: T, bytes: number): T => {
    gpuBytes += bytes;
    gpuObjects++;
    let isLiving = true;
    const destroy = made.destroy.bind(made);
    made.destroy = () => {
      if (isLiving) [gpuBytes, gpuObjects, isLiving] = [gpuBytes - bytes, gpuObjects - 1, false];
      destroy();
    };
    return made;
  };
  const createBuffer = device.createBuffer.bind(device);
  const createTexture = device.createTexture.bind(device);
  device.createBuffer = (descriptor) => watch(createBuffer(descriptor), descriptor.size);
  // A texture mirrors a buffer, whose bytes count already.
  device.createTexture = (descriptor) => watch(createTexture(descriptor), 0);
  return () => ({ gpuBytes, gpuObjects });
}

/** Computes the trend of every measure, per iteration. */
export function trendsOf(samples: readonly Look[]): SoakResult["trends"] {
  return Object.fromEntries(
    NAMES.map((measure) => [measure, trendOfLeast(samples.map((sample) => sample[measure]))]),
  ) as Record<keyof Look, Trend>;
}

/** The trend per value of the least value of each block. */
function trendOfLeast(values: readonly number[]): Trend {
  const length = Math.max(1, Math.min(BLOCK, Math.floor(values.length / LEAST_BLOCKS)));
  const least: number[] = [];
  for (let end = length; end <= values.length; end += length) {
    least.push(Math.min(...values.slice(end - length, end)));
  }
  const { slope, interval: [low, high], ...others } = trendOf(least);
  return { slope: slope / length, interval: [low / length, high / length], ...others };
}

/** Is a slope above 0 with 95% confidence? */
export const grows = ({ interval: [low] }: Trend): boolean => low > 0;

/** Formats the result as a table. */
export function formatSoak({ adapter, iterations, warmUp, trends, samples }: SoakResult): string {
  const rows = Object.entries(MEASURES).map(([name, { title, show }]) => {
    const measure = name as keyof Look;
    const { slope, interval: [low, high] } = trends[measure];
    return [
      title,
      show(samples[warmUp][measure]),
      show(samples.at(-1)![measure]),
      show(1000 * slope),
      Number.isFinite(low) ? `${show(1000 * low)} to ${show(1000 * high)}` : "unknown",
      !Number.isFinite(low) ? "too short to tell" : low > 0 ? "grows" : high < 0 ? "falls" : "no trend",
    ];
  });
  return [
    `${iterations} iterations on ${adapter}; trends are of those after the first ${warmUp}, by least squares over the`,
    `least of each ${BLOCK} iterations, with intervals that allow for the correlation of neighbours.`,
    "",
    formatTable(["measure", "first", "last", "slope per 1000", "95% interval", "verdict"], rows),
  ].join("\n");
}

if (import.meta.main) {
  Deno.exit(await runCommand(soakCommand, Deno.args, { debug: debugLevel > 0 }));
}
