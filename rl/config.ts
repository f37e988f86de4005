/**
 * Every setting of a run, declared once: its type, unit, meaning and default. Flags, `--config` files, `--help` and
 * `config.json` all come from here; `presets.ts` holds what each environment changes.
 *
 * @module
 */
import { modelPresets } from "../model/mod.ts";
import { defaultsOf, type Given, type Options, UsageError, type Values } from "./cli/mod.ts";
import { readEnvSettings } from "./env_settings.ts";
import { environmentPresets } from "./presets.ts";

/** The options of `train`. */
export const trainOptions = {
  env: { type: "string", default: "NumberLine", meaning: "environment, by short or published name" },
  preset: {
    type: "string",
    default: "nano",
    choices: Object.keys(modelPresets) as readonly string[],
    meaning: "size of the model",
  },
  imageNormalization: {
    type: "string",
    default: "per-image",
    choices: ["per-image", "fixed"],
    meaning: "standardise each image's channels, or map [0, 1] to [-1, 1]",
  },
  envSettings: {
    type: "list",
    default: [],
    meaning: "settings of the environment as key=value, such as target=30; `envs` lists them",
  },
  trainingSettings: {
    type: "list",
    default: [],
    meaning: "the same for the warm start and RL alone, such as solvableOnly=true",
  },
  seed: { type: "integer", default: 0, min: 0, max: 1000, meaning: "seed of everything random" },
  out: { type: "path", meaning: "run folder; runs/<environment>-s<seed> when absent" },
  overwrite: { type: "boolean", default: false, meaning: "replace an existing run folder" },
  resume: { type: "boolean", default: false, meaning: "go on from the run folder's checkpoint" },
  json: { type: "boolean", default: false, meaning: "print the summary as JSON on stdout" },
  profile: {
    type: "boolean",
    default: false,
    meaning: "first trace one step of each kind: a table by kernel, and profile.json for ui.perfetto.dev",
  },

  cot: {
    type: "boolean",
    default: true,
    meaning: "write a chain of thought before the action",
    group: "Method",
  },
  lambda: {
    type: "number",
    default: 0.5,
    min: 0,
    max: 1,
    meaning: "weight of the thought's log-probability in log pi",
    group: "Method",
  },
  freeze: {
    type: "list",
    default: ["head", "embedding", "position", "norm", "bias"],
    meaning: "kinds of tensors RL leaves as they are, of matrix head embedding position norm bias; or none",
    group: "Method",
  },
  temperature: {
    type: "number",
    default: 0.4,
    min: 0.01,
    max: 10,
    meaning: "divides the logits in rollouts, updates and sampled evaluation",
    group: "Method",
  },
  maxNewTokens: {
    type: "integer",
    default: 14,
    min: 1,
    unit: "tokens",
    meaning: "longest response",
    group: "Method",
  },

  demonstrations: {
    type: "integer",
    default: 2000,
    min: 1,
    unit: "steps",
    meaning: "environment steps the scripted solver demonstrates",
    group: "Warm start (SFT)",
  },
  sftSteps: {
    type: "integer",
    default: 200,
    min: 0,
    unit: "updates",
    meaning: "length of the warm start",
    group: "Warm start (SFT)",
  },
  sftBatch: {
    type: "integer",
    default: 32,
    min: 1,
    unit: "steps",
    meaning: "demonstrated steps in an update",
    group: "Warm start (SFT)",
  },
  sftLearningRate: {
    type: "number",
    default: 1e-3,
    min: 0,
    meaning: "peak learning rate",
    group: "Warm start (SFT)",
  },
  sftWarmup: {
    type: "integer",
    default: 50,
    min: 0,
    unit: "updates",
    meaning: "linear rise of the learning rate, then a cosine to a tenth",
    group: "Warm start (SFT)",
  },
  sftWeightDecay: {
    type: "number",
    default: 0.01,
    min: 0,
    meaning: "weight decay of linear weights",
    group: "Warm start (SFT)",
  },
  perceptionGate: {
    type: "number",
    default: 0.98,
    min: 0,
    max: 1,
    meaning: "share of picture fields read correctly (greedy) before RL may begin",
    group: "Warm start (SFT)",
  },
  perceptionExtraSteps: {
    type: "integer",
    default: 400,
    min: 0,
    unit: "updates",
    meaning: "most SFT updates added, 50 at a time, until the gate is passed",
    group: "Warm start (SFT)",
  },
  warmStart: {
    type: "path",
    meaning: "run folder to take the warm start from instead: the same result, sooner",
    group: "Warm start (SFT)",
  },

  envSteps: {
    type: "integer",
    default: 6144,
    min: 0,
    unit: "steps",
    meaning: "environment steps in all, rounded up to whole iterations",
    group: "RL (PPO)",
  },
  envs: {
    type: "integer",
    default: 32,
    min: 1,
    unit: "environments",
    meaning: "run side by side",
    group: "RL (PPO)",
  },
  rolloutSteps: {
    type: "integer",
    default: 8,
    min: 1,
    unit: "steps",
    meaning: "steps of each environment in an iteration",
    group: "RL (PPO)",
  },
  epochs: {
    type: "integer",
    default: 2,
    min: 1,
    unit: "passes",
    meaning: "over each iteration's steps",
    group: "RL (PPO)",
  },
  minibatch: {
    type: "integer",
    default: 64,
    min: 1,
    unit: "steps",
    meaning: "steps in an update",
    group: "RL (PPO)",
  },
  learningRate: {
    type: "number",
    default: 1e-4,
    min: 0,
    meaning: "learning rate, falling linearly to a tenth",
    group: "RL (PPO)",
  },
  visionLearningRateScale: {
    type: "number",
    default: 0.1,
    min: 0,
    meaning: "learning rate of vision encoder and projector over that of the language model",
    group: "RL (PPO)",
  },
  valueLearningRateScale: {
    type: "number",
    default: 5,
    min: 0,
    meaning: "the same for the value head",
    group: "RL (PPO)",
  },
  gamma: { type: "number", default: 0.9, min: 0, max: 1, meaning: "discount a step", group: "RL (PPO)" },
  gaeLambda: {
    type: "number",
    default: 0.95,
    min: 0,
    max: 1,
    meaning: "lambda of the advantage estimate",
    group: "RL (PPO)",
  },
  clip: { type: "number", default: 0.2, min: 0, meaning: "clip of the policy ratio", group: "RL (PPO)" },
  valueClip: {
    type: "number",
    default: 0.2,
    min: 0,
    meaning: "clip of the value's change",
    group: "RL (PPO)",
  },
  valueCoefficient: {
    type: "number",
    default: 0.5,
    min: 0,
    meaning: "weight of the value loss",
    group: "RL (PPO)",
  },
  entropyCoefficient: {
    type: "number",
    default: 0,
    min: 0,
    meaning: "weight of the mean token entropy (nats) as a bonus",
    group: "RL (PPO)",
  },
  ratioGuard: {
    type: "number",
    default: 10,
    min: 1,
    meaning: "ratios beyond this carry no gradient",
    group: "RL (PPO)",
  },
  klStop: {
    type: "number",
    default: 0.04,
    min: 0,
    unit: "nats",
    meaning: "ends an iteration's updates when a minibatch's KL estimate exceeds it",
    group: "RL (PPO)",
  },
  policyGradientClip: {
    type: "number",
    default: 1,
    min: 0,
    meaning: "largest gradient norm, value head apart; 0 clips nothing",
    group: "RL (PPO)",
  },
  valueGradientClip: {
    type: "number",
    default: 1,
    min: 0,
    meaning: "largest gradient norm of the value head; 0 clips nothing",
    group: "RL (PPO)",
  },
  adamBeta1: {
    type: "number",
    default: 0.5,
    min: 0,
    max: 0.9999,
    meaning: "momentum of Adam in RL",
    group: "RL (PPO)",
  },
  adamBeta2: {
    type: "number",
    default: 0.999,
    min: 0,
    max: 0.99999,
    meaning: "memory of Adam's squared gradients in RL",
    group: "RL (PPO)",
  },
  adamEpsilon: {
    type: "number",
    default: 1e-8,
    min: 1e-12,
    meaning: "epsilon of Adam in RL",
    group: "RL (PPO)",
  },
  advantageFloor: {
    type: "number",
    default: 0.25,
    min: 1e-6,
    meaning: "least standard deviation that advantages are divided by",
    group: "RL (PPO)",
  },
  advantageClamp: {
    type: "number",
    default: 3,
    min: 0,
    meaning: "largest normalised advantage",
    group: "RL (PPO)",
  },
  formatPenalty: {
    type: "number",
    default: 1,
    min: 0,
    unit: "scaled reward",
    meaning: "taken off a step's reward, for PPO only, when no action was found in the text",
    group: "RL (PPO)",
  },
  rewardScale: { type: "number", default: 1, min: 0, meaning: "multiplies rewards", group: "RL (PPO)" },

  evalEpisodes: {
    type: "integer",
    default: 512,
    min: 1,
    unit: "episodes",
    meaning: "held-out episodes of the final evaluation, sampled and greedy each",
    group: "Evaluation",
  },
} as const satisfies Options;

/** All settings of a run. */
export type TrainConfig = Values<typeof trainOptions>;

/** Settings that say where and how a run is kept, not what it computes. */
export const bookkeepingSettings = ["out", "overwrite", "resume", "json", "profile", "warmStart"] as const;

/** What a run computes, as its `config.json` keeps it. */
export function settingsOf(config: object): Record<string, unknown> {
  const bookkeeping: readonly string[] = bookkeepingSettings;
  return Object.fromEntries(Object.entries(config).filter(([name]) => !bookkeeping.includes(name)));
}

/** Settings of RL that the warm start reads too: its value head learns discounted, scaled returns. */
const RETURN_SETTINGS = ["gamma", "rewardScale"];

/** Settings that RL alone reads: runs that differ in no other have the same warm start. */
export const rlSettings: readonly string[] = [
  ...["lambda", "freeze"],
  ...Object.entries(trainOptions as Options)
    .filter(([name, { group }]) => group === "RL (PPO)" && !RETURN_SETTINGS.includes(name))
    .map(([name]) => name),
];

const KINDS = ["matrix", "head", "embedding", "position", "norm", "bias"];

/**
 * Lays what was given over the environment's preset over the defaults, and checks what no single option can.
 *
 * @throws {UsageError} naming the settings that do not fit together.
 */
export function resolveConfig(given: Given<typeof trainOptions>, environment: string): TrainConfig {
  const config = {
    ...defaultsOf(trainOptions),
    ...environmentPresets[environment],
    ...given,
    env: environment,
  } as TrainConfig;
  if (config.overwrite && config.resume) {
    throw new UsageError(
      "Cannot use --overwrite and --resume together: one replaces the run, the other goes on",
    );
  }
  if (config.warmStart !== undefined && config.resume) {
    throw new UsageError(
      "Cannot use --warm-start and --resume together: a run goes on from its own checkpoint, leave one out",
    );
  }
  readEnvSettings(environment, config.envSettings);
  readEnvSettings(environment, [...config.envSettings, ...config.trainingSettings]);
  const freeze = config.freeze.length === 1 && config.freeze[0] === "none" ? [] : config.freeze;
  for (const kind of freeze) {
    if (!KINDS.includes(kind)) {
      throw new UsageError(`Unknown kind "${kind}" in --freeze, known: ${KINDS.join(", ")}, or none alone`);
    }
  }
  const perIteration = config.envs * config.rolloutSteps;
  if (perIteration % config.minibatch !== 0) {
    throw new UsageError(
      `--minibatch ${config.minibatch} must divide the ${perIteration} steps of an iteration ` +
        `(--envs ${config.envs} x --rollout-steps ${config.rolloutSteps})`,
    );
  }
  return { ...config, freeze };
}
