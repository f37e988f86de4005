/**
 * Training as a library: a run as an iterator of what happens in it, in a folder or in memory.
 *
 * @module
 */
import { type EnvironmentDefinition, findEnvironment } from "../../envs/mod.ts";
import { type Gpu, openGpu } from "../../kernels/gpu/mod.ts";
import { type Algorithm, findAlgorithm, ppo } from "../algorithms/mod.ts";
import { type GivenSettings, resolveConfig, settingsOf } from "../config.ts";
import type { MetricsLine } from "../metrics.ts";
import type { Policy } from "../policy.ts";
import { openBase } from "../pretrained/run_base.ts";
import { requireBeginning } from "../requirements.ts";
import { requireRunMemory } from "./memory_estimate.ts";
import { runTraining } from "./run.ts";
import { RunFolder } from "./folder.ts";
import type { RunProgress, RunResult } from "./state.ts";
import { MemoryRun } from "./memory_run.ts";

/** What to train. */
export interface TrainOptions {
  /** A definition, or the name of one of ours. */
  readonly environment: EnvironmentDefinition | string;
  /** How to learn: an algorithm, or the name of one of ours; `ppo` when absent. */
  readonly algorithm?: Algorithm | string;
  /** Settings by name, as in `config.json` and `train --help`; the presets of environment and policy when absent. */
  readonly settings?: GivenSettings;
  /** Path of the run folder to make; without it the run is kept in memory. */
  readonly out?: string;
  /** The GPU to use. Without it one is opened; destroy it when you no longer use the policy, which lives on it. */
  readonly gpu?: Gpu;
}

/** How far a stage is. */
export interface ProgressEvent {
  /** Tells this event from others. */
  readonly stage: "progress";
  /** What is being done: `demonstrations`, `sft`, `rl`, `evaluation after sft` or `evaluation after rl`. */
  readonly of: string;
  /** Steps done. */
  readonly step: number;
  /** Steps in all. */
  readonly total: number;
}

/** Something to tell people. */
export interface NoteEvent {
  /** Tells this event from others. */
  readonly stage: "note";
  /** What to say. */
  readonly text: string;
}

/** The end of a run. */
export interface DoneEvent {
  /** Tells this event from others. */
  readonly stage: "done";
  /** What was trained; see `Agent.act`. */
  readonly policy: Policy;
  /** Evaluations and effort. */
  readonly result: Omit<RunResult, "policy">;
}

/** An event of a run: a line of `metrics.jsonl`, progress, a note, or the end. */
export type TrainEvent = MetricsLine | ProgressEvent | NoteEvent | DoneEvent;

/**
 * Trains a policy: warm start, RL, evaluation. If you leave the loop early, the run stops and saves. With the same settings
 * it computes the same numbers as `./ponder train`, to the byte.
 *
 * @throws {UsageError} naming the settings that do not fit together or the machine, or what the environment lacks.
 * @throws {NotFiniteError} when a loss or a weight is not finite.
 *
 * @example Train without a folder, and let the result act
 * ```ts
 * import { train } from "./training.ts";
 *
 * const settings = { sftSteps: 2, demonstrations: 8, perceptionGate: 0, envSteps: 0, evalEpisodes: 2 };
 * for await (const event of train({ environment: "NumberLine", settings })) {
 *   if (event.stage === "evaluation") console.log(event.after, event.sampled.success);
 *   if (event.stage === "done") event.policy.gpu.destroy();
 * }
 * ```
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainEvent, void> {
  const { settings = {}, out } = options;
  const environment = typeof options.environment === "string"
    ? findEnvironment(options.environment)
    : options.environment;
  const algorithm = typeof options.algorithm === "string"
    ? findAlgorithm(options.algorithm)
    : options.algorithm ?? ppo as Algorithm;
  const config = resolveConfig(settings, environment, algorithm);
  requireBeginning(environment, config);
  const base = await openBase(config);
  const gpu = options.gpu ?? await openGpu();
  requireRunMemory(gpu, environment, algorithm, config, base);
  await using store = out === undefined ? new MemoryRun() : await RunFolder.create(out, config);
  await store.writeConfig(settingsOf(config));

  const events = new EventQueue<TrainEvent>();
  const progress: RunProgress = {
    update: ({ stage, step, total }) => events.push({ stage: "progress", of: stage, step, total }),
    note: (text) => events.push({ stage: "note", text }),
  };
  let isStopped = false;
  const run = runTraining(config, {
    gpu,
    environment,
    algorithm,
    base,
    folder: store,
    progress,
    isStopped: () => isStopped,
    onLine: (line) => events.push(line),
  }).then(
    ({ policy, ...result }) => events.end({ stage: "done", policy, result }),
    (error) => events.fail(error),
  );
  try {
    yield* events;
  } finally {
    isStopped = true;
    await run;
  }
}

/** A queue of events: one side pushes them, the other waits for them. */
class EventQueue<Event> implements AsyncIterable<Event> {
  readonly #events: Event[] = [];
  #isOver = false;
  #error: unknown = null;
  #wake: () => void = () => {};

  push(event: Event): void {
    this.#events.push(event);
    this.#wake();
  }

  end(last: Event): void {
    this.#isOver = true;
    this.push(last);
  }

  fail(error: unknown): void {
    this.#error = error;
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void> {
    while (true) {
      while (this.#events.length > 0) yield this.#events.shift()!;
      if (this.#error !== null) throw this.#error;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
