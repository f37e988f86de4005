/**
 * `train --profile`: traces steady training steps, for a table by kernel and for a timeline.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../envs/mod.ts";
import { type Gpu, type ProfileRow, type ProfileWait, summarizeProfile } from "../kernels/gpu/mod.ts";
import { formatShare, formatTable } from "../rl/cli/mod.ts";
import type { Algorithm } from "../rl/algorithms/algorithm.ts";
import { learn } from "../rl/algorithms/mod.ts";
import type { CommonSettings } from "../rl/config.ts";
import { trainingEnvSettings } from "../rl/env_settings.ts";
import { collectRollout, VectorEnv } from "../rl/rollout.ts";
import { firstPolicy } from "../rl/policies/mod.ts";
import { learnContext } from "../rl/reference.ts";
import { rlOptimizer, sftOptimizer } from "../rl/optimizers.ts";
import { demonstrate } from "../rl/demonstrations.ts";
import { sftBatch, sftUpdate } from "../rl/sft.ts";

/** A step as it was measured. Host times are those of `performance.now()`, in milliseconds. */
export interface TracedStep {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Dispatches in order. */
  readonly rows: readonly ProfileRow[];
  /** The times in which the host waited for the GPU. */
  readonly waits: readonly ProfileWait[];
  /** Number of dispatches that were not measured for lack of room. */
  readonly missed: number;
  /** Did the device time the dispatches? If not, each was submitted and waited for alone. */
  readonly hasTimestamps: boolean;
}

/** Number of steps before the one that counts. After them everything is compiled and every buffer exists. */
const WARM_UP = 2;

/** Runs a step until it is steady, then once more with every dispatch timed. */
export async function traceStep(gpu: Gpu, name: string, step: () => Promise<unknown>): Promise<TracedStep> {
  for (let index = 0; index < WARM_UP; index++) await step();
  gpu.profile.start();
  const startMs = performance.now();
  await step();
  const endMs = performance.now();
  const rows = await gpu.profile.stop();
  const { waits, missed, hasTimestamps } = gpu.profile;
  return { name, startMs, endMs, rows, waits, missed, hasTimestamps };
}

/** Traces an SFT step, a rollout step and a minibatch with the settings of a run, on a policy of its own. */
export async function traceTraining(
  gpu: Gpu,
  environment: EnvironmentDefinition,
  config: CommonSettings,
  algorithm: Algorithm,
): Promise<TracedStep[]> {
  const make = () => environment.make(trainingEnvSettings(environment, config));
  const policy = await firstPolicy(gpu, environment, config);
  const traced: TracedStep[] = [];
  // With learning rates of 0 every repetition is the same step.
  if (config.demonstrations > 0) {
    const demonstrations = await demonstrate(policy, environment, {
      ...config,
      demonstrations: Math.min(config.sftBatch, config.demonstrations),
    });
    const warmStart = sftOptimizer(policy, config);
    const batch = sftBatch(demonstrations, 0, config);
    traced.push(await traceStep(gpu, "SFT step", () => sftUpdate(policy, warmStart, batch, 0, config)));
    warmStart.dispose();
  }

  const vectorEnv = new VectorEnv(
    environment,
    config.envs,
    config.seed,
    trainingEnvSettings(environment, config),
  );
  const lambda = algorithm.thoughtWeight?.(config) ?? 1;
  const collect = (steps: number) =>
    collectRollout(policy, vectorEnv, { ...config, lambda, steps, stepsBefore: 0 });
  traced.push(await traceStep(gpu, "rollout step", () => collect(1)));

  const optimizer = rlOptimizer(policy, config);
  const steps = Math.ceil(config.minibatch / config.envs);
  const rollout = await collect(steps);
  const once = { ...config, minibatch: steps * config.envs, epochs: 1 };
  const context = learnContext(policy, optimizer, { learningRate: 0, makeEnvironment: make });
  traced.push(await traceStep(gpu, "minibatch", () => learn(algorithm, rollout, once, context)));
  optimizer.dispose();

  gpu.free(policy.parameters.values);
  if (policy.parameters.gradients !== null) gpu.free(policy.parameters.gradients);
  gpu.trim();
  return traced;
}

/** A wait of the host, and the dispatches that it waited for. */
export interface Submission {
  readonly rows: readonly ProfileRow[];
  readonly wait: ProfileWait;
}

/** Groups dispatches by the wait that followed them. */
export function submissionsOf({ rows, waits }: Pick<TracedStep, "rows" | "waits">): Submission[] {
  let first = 0;
  return waits.flatMap((wait) => {
    const start = first;
    while (first < rows.length && rows[first].recordedMs <= wait.startMs) first++;
    return start === first ? [] : [{ rows: rows.slice(start, first), wait }];
  });
}

/** The times at which the GPU began and ended a submission, on its own clock. */
export function spanOf({ rows }: Pick<Submission, "rows">): { startNs: number; endNs: number } {
  const last = rows[rows.length - 1];
  return { startNs: rows[0].startNs, endNs: last.startNs + last.elapsedNs };
}

/** Times of a step: wall time, the GPU's work with copies between dispatches, and dispatches alone. */
export function timesOf(step: TracedStep): { wallMs: number; gpuMs: number; dispatchMs: number } {
  const dispatchMs = step.rows.reduce((sum, { elapsedNs }) => sum + elapsedNs, 0) / 1e6;
  const spans = submissionsOf(step).map(spanOf).reduce((sum, { startNs, endNs }) => sum + endNs - startNs, 0);
  return {
    wallMs: step.endMs - step.startMs,
    gpuMs: step.hasTimestamps ? spans / 1e6 : dispatchMs,
    dispatchMs,
  };
}

/** Formats a table for each step, and the share of an RL iteration's wall time that is GPU work. */
export function formatTrace(
  steps: readonly TracedStep[],
  { envs, minibatch, epochs }: Pick<CommonSettings, "envs" | "minibatch" | "epochs">,
  /** Number of environment steps in an iteration. */
  perIteration: number,
): string {
  const sections = steps.map((step) => {
    const { wallMs, gpuMs, dispatchMs } = timesOf(step);
    const title = `${step.name}: ${wallMs.toFixed(1)} ms, of them ${gpuMs.toFixed(1)} ms (${
      formatShare(gpuMs / wallMs)
    }) GPU work: ${step.rows.length} dispatches ${dispatchMs.toFixed(1)} ms, copies and gaps the rest`;
    const missed = step.missed > 0 ? `\n${step.missed} more dispatches were not measured` : "";
    return `${title}\n${formatKernels(step.rows)}${missed}`;
  });
  const counts: Record<string, number> = {
    "rollout step": perIteration / envs,
    minibatch: epochs * perIteration / minibatch,
  };
  const total = { wallMs: 0, gpuMs: 0 };
  for (const step of steps) {
    const { wallMs, gpuMs } = timesOf(step);
    total.wallMs += wallMs * (counts[step.name] ?? 0);
    total.gpuMs += gpuMs * (counts[step.name] ?? 0);
  }
  if (total.wallMs > 0) {
    sections.push(
      `RL iteration (${
        Object.entries(counts).map(([name, count]) => `${count} x ${name}`).join(", ")
      }): about ${total.wallMs.toFixed(0)} ms, ${formatShare(total.gpuMs / total.wallMs)} of it GPU work`,
    );
  }
  sections.push(
    "GFLOP/s of matrix products from the sizes of their operands; GB/s of the memory that the others bind.",
  );
  if (steps.some(({ hasTimestamps }) => !hasTimestamps)) {
    sections.push("The adapter has no timestamp queries: every dispatch was submitted and waited for alone.");
  }
  return sections.join("\n\n");
}

function formatKernels(rows: readonly ProfileRow[]): string {
  const totalNs = rows.reduce((sum, { elapsedNs }) => sum + elapsedNs, 0);
  return formatTable(
    ["kernel", "calls", "us", "share", "rate"],
    summarizeProfile(rows).map(({ kernel, count, totalNs: ownNs }) => [
      kernel,
      String(count),
      (ownNs / 1e3).toFixed(0),
      formatShare(ownNs / totalNs),
      formatRate(kernel, rows.filter((row) => row.kernel === kernel), ownNs),
    ]),
  );
}

/** Folders of kernels that are bound by arithmetic: a rate in bytes would say nothing about them. */
const COMPUTE_BOUND = ["attention", "softmax_logprob", "sampling"];

function formatRate(kernel: string, rows: readonly ProfileRow[], elapsedNs: number): string {
  const folder = kernel.split("/")[0];
  if (folder === "matmul") {
    const flops = rows.reduce((sum, row) => sum + productFlops(row), 0);
    return `${(flops / elapsedNs).toPrecision(3)} GFLOP/s`;
  }
  if (COMPUTE_BOUND.includes(folder)) return "";
  const bytes = rows.reduce(
    (sum, { bound }) => sum + bound.reduce((all, { words }) => all + 4 * words, 0),
    0,
  );
  return `${(bytes / elapsedNs).toPrecision(2)} GB/s`;
}

/** For C = A B the product of the sizes is |A| |B| |C| = (MK)(KN)(MN). Its root is the number of multiply-adds. */
function productFlops({ bound }: ProfileRow): number {
  const [A, B] = bound;
  const C = bound.find(({ kind }) => kind === "write");
  return C === undefined ? 0 : 2 * Math.sqrt(A.words * B.words * C.words);
}
