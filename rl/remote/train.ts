/**
 * Training through workers.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  type Given,
  shellQuote,
  UsageError,
  withoutSecrets,
} from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import type { workerOptions } from "../run_options.ts";
import { runTraining } from "../run/run.ts";
import type { RunContext, RunResult } from "../run/state.ts";
import { connectTo } from "./connect.ts";
import type { RemoteWork } from "./job_queue.ts";
import { RemoteActors } from "./learner.ts";
import { programName } from "./program.ts";

/**
 * Trains as `runTraining` does. If `config.workers` names a server, others act for the policy; the numbers stay the same.
 *
 * @throws as `runTraining` and `openWorkers` do.
 */
export async function trainWithWorkers(config: CommonSettings, context: RunContext): Promise<RunResult> {
  if (config.workers === undefined) return await runTraining(config, context);
  const { environment, folder: { path: folder }, isStopped, progress } = context;
  const note = (text: string) => progress.note(text);
  await using actors = await openWorkers(config, { environment, folder, note, isStopped });
  const result = await runTraining(config, { ...context, actors });
  await actors.close({ isOver: result.afterRl !== null });
  note(describeWork(actors.work));
  return result;
}

/** Says in a line what workers did. */
function describeWork(work: RemoteWork): string {
  const names = [...work.workers].map(([name, jobs]) => `${name} ${formatCount(jobs)}`).sort().join(", ");
  return `${formatCount(work.jobs)} jobs by ${work.workers.size} workers (${names}); ` +
    `waited ${formatDuration(work.waitedMs)}, in which they worked ${formatDuration(work.workerMs)}; ` +
    `${work.duplicates} duplicates dropped, ${work.refused} refused; ` +
    `sent ${formatBytes(work.jobBytes)} of jobs and ${formatBytes(work.weightBytes)} of weights, ` +
    `got ${formatBytes(work.resultBytes)} of results`;
}

/**
 * Connects to the workers' server, if the settings name one, and leaves again. Call it before anything is made.
 *
 * @throws as {@linkcode connectTo} does.
 */
export async function requireWorkers(config: Given<typeof workerOptions>): Promise<void> {
  if (config.workers === undefined) return;
  await using _ = await connectTo(config.workers, { ...config, flag: "--workers", note: () => {} });
}

/** What acting through workers needs. */
interface RemoteSettings {
  readonly environment: EnvironmentDefinition;
  /** Path of the run folder. */
  readonly folder: string;
  readonly note: (text: string) => void;
  readonly isStopped: () => boolean;
}

/** Connects a run with its workers. Throws as {@linkcode connectTo} and {@linkcode RemoteActors} do. */
async function openWorkers(
  config: CommonSettings,
  { environment, folder, note, isStopped }: RemoteSettings,
): Promise<RemoteActors> {
  const exchange = await connectTo(config.workers!, { ...config, flag: "--workers", note });
  try {
    const path = await Deno.realPath(folder);
    return await RemoteActors.open({
      ...{ exchange, environment, config, note, isStopped },
      name: runName(config.workersName ?? path.split(/[\\/]/).at(-1)!, config.workersName !== undefined),
      place: `${path} on ${Deno.hostname()}`,
      program: await programName(),
    });
  } catch (error) {
    await exchange.close();
    throw error;
  }
}

/** A name that NATS takes: other characters become hyphens, unless a person gave it. */
function runName(text: string, isGiven: boolean): string {
  const name = text.replace(/[^A-Za-z0-9_-]/g, "-").slice(0, 100);
  if (isGiven && name !== text) {
    throw new UsageError("Cannot use --workers-name: write it with letters, digits, - and _ alone");
  }
  return name;
}

/** The flag that names the workers' server, to go on with; nothing if there is none. A password is not repeated. */
export function workersFlag({ workers }: CommonSettings): string {
  return workers === undefined ? "" : ` --workers ${shellQuote(withoutSecrets(workers))}`;
}
