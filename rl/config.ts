/**
 * The settings of a run, put together from the files that read them. Flags, `--config` files, `--help` and `config.json` come
 * from here. `presets.ts` holds what each environment and each kind of policy changes.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../envs/mod.ts";
import { agentOptions } from "./agent.ts";
import { type Algorithm, requireFeatures } from "./algorithms/algorithm.ts";
import { algorithms, findAlgorithm } from "./algorithms/mod.ts";
import { settingElsewhere } from "./algorithms/elsewhere.ts";
import { ppo, type ppoOptions } from "./algorithms/ppo.ts";
import {
  defaultsOf,
  type Given,
  type Options,
  section,
  shown,
  toFlag,
  UsageError,
  type Values,
} from "./cli/mod.ts";
import { readEnvSettings } from "./env_settings.ts";
import { evaluationOptions } from "./evaluation.ts";
import { policyPresets, presetOf, pretrainedPreset } from "./presets.ts";
import { ADAPTED_LAYERS, pretrainedOptions } from "./pretrained/options.ts";
import { returnOptions, rolloutOptions } from "./rollout.ts";
import { bookkeepingOptions, runOptions, workerOptions } from "./run_options.ts";
import { freezeOptions } from "./optimizers.ts";
import { readMistakes } from "./requirements.ts";
import { responseTokens } from "./setup.ts";
import { sftOptions } from "./sft.ts";
import { updateOptions } from "./update.ts";

/** Settings of every run, by the stage that reads them. */
export const sections: {
  readonly run: typeof runOptions & typeof bookkeepingOptions;
  readonly policy: typeof agentOptions;
  readonly pretrained: typeof pretrainedOptions;
  readonly returns: typeof returnOptions;
  readonly warmStart: typeof sftOptions;
  readonly rollout: typeof rolloutOptions & typeof updateOptions & typeof freezeOptions;
  readonly evaluation: typeof evaluationOptions;
  readonly workers: typeof workerOptions;
} = {
  run: section("Options", { ...runOptions, ...bookkeepingOptions }),
  policy: section("Policy", agentOptions),
  pretrained: section("Pretrained model", pretrainedOptions),
  returns: section("Returns", returnOptions),
  warmStart: section("Warm start (SFT)", sftOptions),
  rollout: section("RL", { ...rolloutOptions, ...updateOptions, ...freezeOptions }),
  evaluation: section("Evaluation", evaluationOptions),
  workers: section("Workers on other machines (NATS)", workerOptions),
};

/** The settings of every run, whichever algorithm learns. */
export const commonOptions:
  & typeof sections["run"]
  & typeof sections["policy"]
  & typeof sections["pretrained"]
  & typeof sections["returns"]
  & typeof sections["warmStart"]
  & typeof sections["rollout"]
  & typeof sections["evaluation"]
  & typeof sections["workers"] = {
    ...sections.run,
    ...sections.policy,
    ...sections.pretrained,
    ...sections.returns,
    ...sections.warmStart,
    ...sections.rollout,
    ...sections.evaluation,
    ...sections.workers,
  };

/** Values of the settings that every run reads. */
export type CommonSettings = Values<typeof commonOptions>;

/** Joins the options of every run with an algorithm's. */
export function optionsOf<O extends Options>(algorithm: Algorithm<O>): typeof commonOptions & O {
  return { ...commonOptions, ...section(`Algorithm (${algorithm.name})`, algorithm.options) };
}

/** The options of `train` with the default algorithm. */
export const trainOptions: typeof commonOptions & typeof ppoOptions = optionsOf(ppo);

/** All settings of a run: those of every run, and those of its algorithm, `ppo` by default. */
export type TrainConfig<O extends Options = typeof ppoOptions> = CommonSettings & Values<O>;

/** The settings that a user gave, an algorithm's among them. */
export type GivenSettings = Given<typeof commonOptions> & { readonly [name: string]: unknown };

/** Settings of a model that is made here, which a pretrained one does not read. */
const MADE_HERE = ["preset", "imageNormalization"];

/** Picks the settings that `config.json` keeps: those that decide what a run computes. */
export function settingsOf(config: object): Record<string, unknown> {
  const isPretrained = (config as { readonly model?: string }).model !== undefined;
  const isUnread = (name: string) =>
    isPretrained ? MADE_HERE.includes(name) : Object.hasOwn(pretrainedOptions, name);
  const isKept = (name: string) =>
    !Object.hasOwn(bookkeepingOptions, name) && !Object.hasOwn(workerOptions, name) && name !== "warmStart";
  return Object.fromEntries(Object.entries(config).filter(([name]) => isKept(name) && !isUnread(name)));
}

/** Is this a setting that only RL reads? Runs that differ in such settings alone have the same warm start. */
export function isRlSetting(name: string, algorithm: Options): boolean {
  return name === "algorithm" || Object.hasOwn(sections.rollout, name) || Object.hasOwn(algorithm, name);
}

/**
 * Resolves the settings of a run. Given settings override the presets of policy and environment, which override the defaults.
 * It then checks what no single option can check.
 *
 * @throws {UsageError} naming the settings that are unknown or do not fit together, or what the environment lacks.
 *
 * @example The preset of an environment, and one setting of one's own
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { numberLine } from "@ponder/ponder/envs";
 * import { resolveConfig } from "@ponder/ponder/rl";
 *
 * const config = resolveConfig({ lambda: 0.3 }, numberLine);
 * assertEquals([config.env, config.algorithm, config.lambda], ["NumberLine", "ppo", 0.3]);
 * ```
 */
export function resolveConfig<O extends Options = typeof ppoOptions>(
  given: GivenSettings,
  environment: EnvironmentDefinition,
  algorithm: Algorithm<O> = findAlgorithm(given.algorithm ?? ppo.name) as unknown as Algorithm<O>,
): TrainConfig<O> {
  const options: Options = optionsOf(algorithm);
  const policy = policyPresets[given.policy ?? commonOptions.policy.default];
  const foreign = Object.keys(given).find((name) => !Object.hasOwn(options, name));
  if (foreign !== undefined) {
    const place = settingElsewhere(foreign, algorithm as unknown as Algorithm);
    throw new UsageError(
      `Cannot use --${toFlag(foreign)}: ${place ?? `${algorithm.name} has no such setting`}; leave it out`,
    );
  }
  const presets = {
    ...presetOf(environment, everyOption(options)),
    ...policy.all,
    ...policy.environments[environment.reference],
    ...given.model !== undefined && pretrainedPreset(given.lora === true),
  };
  const known = Object.entries(presets).filter(([name]) => Object.hasOwn(options, name));
  const before: Record<string, unknown> = { ...defaultsOf(options), ...Object.fromEntries(known) };
  // A run's config.json, given as --config, holds these too, as they are anyway.
  const unused = Object.keys(given).find((name) =>
    policy.without.includes(name) && JSON.stringify(given[name]) !== JSON.stringify(before[name])
  );
  if (unused !== undefined) {
    throw new UsageError(
      `Cannot use --${toFlag(unused)}: a policy of kind ${
        given.policy ?? commonOptions.policy.default
      } has no such setting`,
    );
  }
  const config = {
    ...before,
    ...given,
    env: environment.reference,
    algorithm: algorithm.reference ?? algorithm.name,
  } as TrainConfig<O>;
  const freeze = readFreeze(config.freeze);
  requirePretrained(given, { ...config, freeze });
  requireFitting(environment, config);
  requireFeatures(algorithm, environment, config);
  const maxNewTokens = given.maxNewTokens ?? presets.maxNewTokens ?? responseTokens(environment, config);
  const { kind, ...collection } = algorithm.collect(config);
  // Then what an iteration collects next depends on what it has collected.
  const isOpen = "extraGroups" in collection && (collection.extraGroups ?? 0) > 0;
  if (config.staleness > 0 && (isOpen || "dealAgain" in collection && (collection.dealAgain ?? 0) > 0)) {
    throw new UsageError(
      "Cannot use --staleness with deals that depend on returns: leave out --extra-groups and --deal-again",
    );
  }
  if (config.learners > 1 && config.actingWeights !== "f32") {
    throw new UsageError(
      `Cannot use --acting-weights ${config.actingWeights} with --learners: gradients need the exact weights, which are sent ` +
        "for every minibatch; leave one out",
    );
  }
  if (kind === "steps") requireWholeMinibatches(config, (collection as { steps: number }).steps);
  return { ...config, maxNewTokens, freeze };
}

/** The options of all algorithms, and these. */
function everyOption(options: Options): Options {
  return Object.assign({}, ...Object.values(algorithms).map((algorithm) => algorithm.options), options);
}

/** Checks that the settings of a pretrained model have one, and that those of a model made here do not. */
function requirePretrained(given: GivenSettings, { freeze, lora, loraTargets }: CommonSettings): void {
  const isPretrained = given.model !== undefined;
  const names = isPretrained ? MADE_HERE : Object.keys(pretrainedOptions);
  const unread = names.find((name) => given[name] !== undefined && given[name] !== false);
  if (unread !== undefined) {
    throw new UsageError(
      `Cannot use --${toFlag(unread)} ` +
        (isPretrained
          ? "with --model: a pretrained model says that itself, leave it out"
          : "without --model: name the folder of a pretrained model, or leave it out"),
    );
  }
  const unknown = loraTargets.find((target) => !(ADAPTED_LAYERS as readonly string[]).includes(target));
  if (unknown !== undefined || loraTargets.length === 0) {
    throw new UsageError(
      `Cannot use --lora-targets: ${
        unknown === undefined ? "it names no layer" : `unknown layer ${shown(unknown)}`
      }, ` +
        `known: ${ADAPTED_LAYERS.join(", ")}`,
    );
  }
  if (isPretrained && lora && !freeze.includes("vision")) {
    throw new UsageError(
      "Cannot train adapters and vision together: a run with --lora keeps its adapters alone, add vision to --freeze or " +
        "leave out --lora",
    );
  }
}

/** Checks that settings fit together, and that the environment accepts its own. */
function requireFitting(environment: EnvironmentDefinition, config: CommonSettings): void {
  if (config.overwrite && config.resume) {
    throw new UsageError(
      "Cannot use --overwrite and --resume together: one replaces the run, the other goes on",
    );
  }
  if (config.extend && !config.resume) {
    throw new UsageError(
      "Cannot use --extend without --resume: it trains a run that is there for longer, add --resume",
    );
  }
  if (config.warmStart !== undefined && config.resume) {
    throw new UsageError(
      "Cannot use --warm-start and --resume together: a run goes on from its own checkpoint, leave one out",
    );
  }
  if (config.sftThoughts && config.cot) {
    throw new UsageError(
      "Cannot use --sft-thoughts with a chain of thought: all demonstrations have theirs, add --no-cot or leave it out",
    );
  }
  readMistakes(environment.make(), config.mistakes);
  readEnvSettings(environment, config.envSettings);
  readEnvSettings(environment, [...config.envSettings, ...config.trainingSettings]);
}

function requireWholeMinibatches({ envs, minibatch }: CommonSettings, steps: number): void {
  if ((envs * steps) % minibatch === 0) return;
  throw new UsageError(
    `Cannot train with these sizes: --minibatch ${minibatch} must divide the ${
      envs * steps
    } steps of an iteration ` +
      `(--envs ${envs} x --rollout-steps ${steps})`,
  );
}

const KINDS = ["matrix", "head", "embedding", "position", "norm", "bias", "vision"];

function readFreeze(freeze: readonly string[]): readonly string[] {
  if (freeze.length === 1 && freeze[0] === "none") return [];
  for (const kind of freeze) {
    if (!KINDS.includes(kind)) {
      throw new UsageError(
        `Cannot use --freeze: unknown kind ${shown(kind)}, known: ${KINDS.join(", ")}, or none alone`,
      );
    }
  }
  return freeze;
}
