/**
 * A training run under way: what it trains, where it stands and what it has measured.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import type { AdamW, HostTensor, Segment } from "../../model/mod.ts";
import { type Actor, type Actors, type EpisodeKind, ownActors } from "../actors.ts";
import type { Algorithm } from "../algorithms/mod.ts";
import {
  type Effort,
  loadPolicy,
  loadTrainer,
  loadWarmStart,
  saveCheckpoint,
  START,
  type TrainerState,
} from "./checkpoint.ts";
import type { Progress } from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import { evaluationEnvSettings } from "../env_settings.ts";
import { estimateWork } from "./estimate.ts";
import type { Evaluation } from "../evaluation.ts";
import type { MetricsLine } from "../metrics.ts";
import type { CheckpointName, RunStore } from "./store.ts";
import { peakMemory } from "../memory.ts";
import { firstPolicy } from "../policies/mod.ts";
import type { Policy } from "../policy.ts";
import type { RunBase } from "../pretrained/run_base.ts";
import { probePrompt, requireSound } from "./probe.ts";
import { Recorder } from "./recorder.ts";
import type { CollectSettings } from "../rollout.ts";
import { rlOptimizer, sftOptimizer } from "../optimizers.ts";
import { Stopped } from "./stop.ts";
import { ThoughtAlarm } from "../thought_alarm.ts";

/** What a run tells people while it goes on. */
export type RunProgress = Pick<Progress, "update" | "note">;

/** What a run gets from outside. */
export interface RunContext {
  readonly gpu: Gpu;
  /** The environment that `config.env` names. */
  readonly environment: EnvironmentDefinition;
  /** How it learns. */
  readonly algorithm: Algorithm;
  /** The pretrained model that the settings name; opened anew when absent. */
  readonly base?: RunBase | null;
  readonly folder: RunStore;
  readonly progress: RunProgress;
  /** Who acts in RL and in evaluations; the policy itself when absent. */
  readonly actors?: Actors;
  /** Receives every line of `metrics.jsonl` as it is written. */
  readonly onLine?: (line: MetricsLine) => void;
  /** True once the user asked to stop. */
  readonly isStopped: () => boolean;
}

/** The result of a run. An evaluation is null if the run stopped before it. */
export interface RunResult {
  /** What was trained. */
  readonly policy: Policy;
  /** Evaluation after the warm start. */
  readonly afterSft: Evaluation | null;
  /** Evaluation of the trained policy. */
  readonly afterRl: Evaluation | null;
  /** Number of weights in the policy. */
  readonly parameters: number;
  /** Updates of the warm start, with those that the perception gate added. */
  readonly sftUpdates: number;
  /** Environment steps of RL. */
  readonly envSteps: number;
  /** Cost of the stages, over all processes that worked on the run. */
  readonly effort: Effort;
  /** Seconds that earlier processes worked on the run. */
  readonly earlierSeconds: number;
  /** Largest resident set that a process of the run was seen with, in bytes. */
  readonly peakBytes: number;
}

type Stage = "sft" | "rl" | "evaluation";

/** A run under way. */
export class Run {
  readonly progress: RunProgress;
  readonly work: ReturnType<typeof estimateWork>;
  readonly thoughtAlarm = new ThoughtAlarm();
  afterSft: Evaluation | null = null;
  afterRl: Evaluation | null = null;
  readonly effort: { -readonly [K in keyof Effort]: Effort[K] };
  readonly #earlierSeconds: number;
  readonly #context: RunContext;
  readonly #probe: readonly Segment[];
  /** Null when nothing is recorded. */
  readonly recorder: Recorder | null;
  readonly #ownActors: Actors;
  #clock: { readonly stage: Stage; sinceMs: number } | null = null;

  private constructor(
    readonly config: CommonSettings,
    context: RunContext,
    readonly policy: Policy,
    /** The optimiser of the current stage. */
    public optimizer: AdamW,
    public state: TrainerState,
  ) {
    this.#context = context;
    const { environment } = context;
    this.#probe = probePrompt(policy, environment.make(evaluationEnvSettings(environment, config)));
    this.progress = context.progress;
    this.work = estimateWork(policy, config);
    this.effort = { ...state.effort };
    this.recorder = this.#openRecorder();
    this.#ownActors = ownActors(config.actingWeights);
    this.#earlierSeconds = this.effort.sft + this.effort.rl + this.effort.evaluation;
  }

  /** Opens a new run. With `config.resume` it is the folder's run, without the metrics that it will write again. */
  static async open(config: CommonSettings, context: RunContext): Promise<Run> {
    const { environment, gpu, folder, base } = context;
    const checkpoint = config.resume ? await folder.resume() : null;
    const env = environment.make(evaluationEnvSettings(environment, config));
    const policy = checkpoint === null
      ? await firstPolicy(gpu, environment, config, base)
      : await loadPolicy(gpu, checkpoint, env, { model: config.model, base });
    const optimizerOf = ({ stage }: TrainerState) =>
      stage === "sft" ? sftOptimizer(policy, config) : rlOptimizer(policy, config);
    const { state, optimizer } = checkpoint === null
      ? { state: { ...START, memory: {} }, optimizer: optimizerOf(START) }
      : await loadTrainer(checkpoint, policy.parameters, optimizerOf);
    const isExtended = (checkpoint?.manifest?.extensions.length ?? 0) > 0;
    const isShort = state.stage === "done" && isExtended && state.envSteps < config.envSteps;
    const run = new Run(config, context, policy, optimizer, isShort ? { ...state, stage: "rl" } : state);
    if (!config.resume) return run;
    for (const line of await folder.readMetrics() as unknown as MetricsLine[]) {
      if (line.stage === "evaluation" && line.after === "sft") run.afterSft = line;
      if (line.stage === "rl") run.thoughtAlarm.check(line);
    }
    return run;
  }

  /** Records into the folder, from where the run stands. */
  #openRecorder(): Recorder | null {
    const { algorithm, config, policy, state } = this;
    const { folder, progress } = this.#context;
    if (config.record === 0) return null;
    const recording = folder.record?.(config.record * 1e6);
    if (recording === undefined) return null;
    recording.resume(
      config.resume ? { iteration: state.iteration, isAfterSft: state.stage !== "sft" } : null,
    );
    const lambda = algorithm.thoughtWeight?.(config) ?? 1;
    return new Recorder({ recording, policy, config, lambda, note: (text) => progress.note(text) });
  }

  get result(): RunResult {
    return {
      policy: this.policy,
      afterSft: this.afterSft,
      afterRl: this.afterRl,
      parameters: this.policy.parameters.count,
      sftUpdates: this.state.sftUpdates,
      envSteps: this.state.envSteps,
      effort: this.effort,
      earlierSeconds: this.#earlierSeconds,
      peakBytes: Math.max(this.state.peakBytes, peakMemory()),
    };
  }

  get environment(): EnvironmentDefinition {
    return this.#context.environment;
  }

  get algorithm(): Algorithm {
    return this.#context.algorithm;
  }

  /** What the algorithm remembers; kept in the checkpoint. */
  get memory(): Record<string, unknown> {
    return this.state.memory;
  }

  /** The settings for collecting. */
  get collectSettings(): CollectSettings {
    const { algorithm, config } = this;
    return {
      ...config,
      lambda: algorithm.thoughtWeight?.(config) ?? 1,
      actor: this.actor("training"),
      corrects: algorithm.objective(config).correctionCoefficient > 0,
      ...config.exactCredit && { creditDiscount: config.gamma },
    };
  }

  /** Has all who act take over the policy's weights. Call it after every change, before anybody acts. */
  async handOver(kind: EpisodeKind): Promise<void> {
    await this.#actors.take(this.policy, kind);
  }

  /** Who acts in episodes of that kind. */
  actor(kind: EpisodeKind): Actor {
    return this.#actors.actor(this.policy, kind);
  }

  /** Do others act, so that acting and learning may go on side by side? */
  get actsElsewhere(): boolean {
    return this.#context.actors !== undefined;
  }

  /** Those who compute shares of minibatches; absent if only this process does. */
  get learners(): Actors["learners"] {
    return this.#actors.learners;
  }

  get #actors(): Actors {
    return this.#context.actors ?? this.#ownActors;
  }

  /** The weights that RL began with. */
  warmStartWeights(): Promise<ReadonlyMap<string, HostTensor>> {
    return loadWarmStart(this.#context.folder);
  }

  /** Waits until the GPU is known to have done all its work. */
  settle(): Promise<void> {
    return this.#context.gpu.settle();
  }

  /** Throws {@linkcode Stopped} if the user asked to stop. */
  throwIfStopped(): void {
    if (this.#context.isStopped()) throw new Stopped();
  }

  log(line: MetricsLine): void {
    this.#context.folder.appendMetrics(line);
    this.#context.onLine?.(line);
  }

  advance(changes: Partial<TrainerState>): void {
    this.state = { ...this.state, ...changes };
  }

  /** How far the run is, as messages say it. */
  get position(): string {
    const { stage, sftUpdates, iteration } = this.state;
    return stage === "sft" ? `SFT update ${sftUpdates}` : `RL iteration ${iteration}`;
  }

  /**
   * Writes the checkpoint to go on from, or the one for other runs to begin RL from.
   *
   * @throws {NotFiniteError} when weights, moments, or what the policy says of a state are not finite.
   */
  async save(name?: CheckpointName): Promise<void> {
    await requireSound(
      this.policy,
      this.#probe,
      `keep the weights of ${this.position}`,
      this.config.temperature,
    );
    this.#readClock();
    const { peakBytes } = this.result;
    await this.recorder?.sync();
    this.advance({ optimizerStep: this.optimizer.step, effort: { ...this.effort }, peakBytes });
    await saveCheckpoint(this.#context.folder, this.policy, this.optimizer, this.state, name);
  }

  /**
   * Does `work` and adds its wall time to a stage's. Afterwards it empties the GPU's pool, whose buffers would not fit the
   * next stage's shapes.
   */
  async timed<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    this.#clock = { stage, sinceMs: performance.now() };
    try {
      return await work();
    } finally {
      this.#readClock();
      this.#clock = null;
      this.#context.gpu.trim();
    }
  }

  #readClock(): void {
    if (this.#clock === null) return;
    const nowMs = performance.now();
    this.effort[this.#clock.stage] += (nowMs - this.#clock.sinceMs) / 1e3;
    this.#clock.sinceMs = nowMs;
  }
}
