/**
 * Training by reinforcement learning, and what your own algorithm needs. Importing this module asks for no device.
 *
 * {@linkcode train} runs everything: warm start, RL, evaluation. A {@linkcode Policy} learns. An {@linkcode Algorithm} says
 * how. An {@linkcode EnvironmentDefinition} says what it acts in.
 *
 * Dimension letters: `B` responses of a batch, `R` tokens of the longest response, `G` episodes of one deal.
 *
 * @example Train for a moment, in memory, and let the policy act
 * ```ts
 * import { train } from "./mod.ts";
 * import { makeEnv } from "../envs/mod.ts";
 *
 * const settings = { sftSteps: 2, demonstrations: 8, perceptionGate: 0, envSteps: 0, evalEpisodes: 2 };
 * for await (const event of train({ environment: "NumberLine", settings })) {
 *   if (event.stage !== "done") continue;
 *   const env = makeEnv("NumberLine");
 *   env.reset({ seed: 1 });
 *   console.log((await event.policy.act(env)).decoding.text);
 *   event.policy.gpu.destroy();
 * }
 * ```
 *
 * @module
 */

// one run: warm start, RL, evaluation
export {
  type DoneEvent,
  type NoteEvent,
  type ProgressEvent,
  train,
  type TrainEvent,
  type TrainOptions,
} from "./run/training.ts";
export type { SftMetrics } from "./sft.ts";
export type { CreditMetrics } from "./credit.ts";
export type { ThoughtQuality, ThoughtSign } from "./thought_alarm.ts";
export type { RunResult } from "./run/state.ts";
export {
  commonOptions,
  type CommonSettings,
  type GivenSettings,
  resolveConfig,
  sections,
  type TrainConfig,
} from "./config.ts";
export type { EvaluationLine, GateLine, MetricsLine, RlLine, RolloutLine, SftLine } from "./metrics.ts";

// the settings of every run, by the code that reads them
export { bookkeepingOptions, runOptions, workerOptions } from "./run_options.ts";
export { agentOptions } from "./agent.ts";
export { returnOptions, rolloutOptions } from "./rollout.ts";
export { sftOptions } from "./sft.ts";
export { pretrainedOptions } from "./pretrained/options.ts";
export { freezeOptions } from "./optimizers.ts";
export { evaluationOptions } from "./evaluation.ts";

// what is kept of a run, and its policy back
export { RunFolder, type RunFolderSettings } from "./run/folder.ts";
export {
  type Checkpoint,
  CHECKPOINT_NAMES,
  type CheckpointName,
  type CheckpointNote,
  type JsonObject,
  type RunStore,
  type WarmStart,
} from "./run/store.ts";
export { MemoryRun } from "./run/memory_run.ts";
export type { Extension, FileDigest, Manifest } from "./run/manifest.ts";
export type {
  Histogram,
  RecordedEpisode,
  RecordedHeader,
  RecordedLine,
  RecordedMinibatch,
  RecordedTurn,
} from "./run/recorded.ts";
export type { KeptRecording, Recording, RecordingSink } from "./run/recording.ts";
export type { FileContent } from "../model/files.ts";
export { type Effort, loadAgent, loadPolicy } from "./run/checkpoint.ts";
export type { BasePlace } from "./run/pretrained_checkpoint.ts";
export type { RunBase } from "./pretrained/run_base.ts";
export type { Talk } from "./pretrained/talk.ts";
export type { BaseModel } from "./pretrained/base.ts";
export type { ChatForm } from "./pretrained/chat.ts";
export type { ImageProcessor, ImageTokens } from "./pretrained/image_processor.ts";
export { loadAlgorithm } from "./run/load_algorithm.ts";
export { loadEnvironment } from "./run/load_environment.ts";

// policies
export { Agent, type AgentBase, type AgentSettings, DEFAULT_SAMPLING, type Parsing } from "./agent.ts";
export { CnnPolicy } from "./policies/mod.ts";
export { type CnnBatch } from "./policies/cnn.ts";
export type {
  Act,
  ActSettings,
  Batch,
  Decision,
  ForwardSettings,
  Outputs,
  Policy,
  RespondSettings,
  Sampling,
  Situation,
} from "./policy.ts";
export { decodePicture, encodePicture } from "./image.ts";

// acting and measuring
export {
  actingOptions,
  type ActingWeights,
  type Actor,
  type EpisodesAhead,
  type TurnsAhead,
} from "./actors.ts";
export {
  collectEpisodes,
  collectRollout,
  type CollectSettings,
  type EpisodeOutcome,
  type EpisodesSettings,
  type Rollout,
  type RolloutSettings,
  type SlotState,
  type Trajectory,
  type Transition,
  VectorEnv,
} from "./rollout.ts";
export type { Slot, SlotStep } from "./vector_env.ts";
export {
  evaluate,
  evaluateBoth,
  type EvaluatedTurn,
  type Evaluation,
  type EvaluationResult,
  type EvaluationSettings,
  type Judged,
  type Responder,
} from "./evaluation.ts";
export { passAt, type SampledDeals, sampledDeals } from "./pass_at.ts";
export { SCRIPTED_POLICIES, type ScriptedPolicy, scriptedPolicy } from "./scripted_policy.ts";

// algorithms, and what one of your own needs
export {
  type Algorithm,
  algorithms,
  type Collection,
  defineAlgorithm,
  findAlgorithm,
  learn,
  type LearnContext,
  type Scores,
} from "./algorithms/mod.ts";
export * from "./algorithms/table.ts";
export type { LearnMetrics, LearnObserver, SettingsOf } from "./algorithms/algorithm.ts";
export { horizonOptions, ppoOptions } from "./algorithms/ppo.ts";
export {
  boolean,
  type BooleanOption,
  type BooleanSetting,
  choice,
  type ChoiceSetting,
  type Given,
  integer,
  list,
  type ListOption,
  type ListSetting,
  number,
  type NumberOption,
  type NumberRange,
  type NumberSetting,
  type Option,
  type OptionBase,
  type Options,
  type PathOption,
  type StringOption,
  text,
  type TextSetting,
  UsageError,
  type Values,
  type ValueType,
} from "./cli/mod.ts";
export {
  advantageMetrics,
  advantageOptions,
  type AdvantageSettings,
  criticOptions,
  scaleOptions,
  turnAdvantages,
} from "./advantages.ts";
export { type Advantages, generalizedAdvantages, type RolloutRewards } from "./gae.ts";
export {
  collectGroups,
  type Group,
  groupMetrics,
  groupOptions,
  type GroupSettings,
  groupsOf,
  LOSS_MEANS,
  type LossMean,
  lossWeights,
  measureGroups,
  returnsToGo,
} from "./groups.ts";
export {
  type GuardSettings,
  improve,
  type Improvement,
  type ImproveMetrics,
  improveOptions,
  type ImproveSettings,
  type Trainee,
  type UpdateObserver,
} from "./improve.ts";
export type { Learners, ShareGradient } from "./gradients.ts";
export { updateOptions, type UpdateSettings } from "./update.ts";
export type { ObjectiveSettings, PartContext, Sample } from "./objective.ts";
export { responseWeights } from "./thought.ts";
