/**
 * What an experiment is, and how its rows are made: the same kinds of comparison for every task.
 *
 * @module
 */
import { algorithms, ppo } from "../algorithms/mod.ts";
import { defaultsOf } from "../cli/mod.ts";
import { environmentPresets } from "../presets.ts";
import { sftOptions } from "../sft.ts";

/** The table that an experiment is in. */
export type Group =
  | "reference"
  | "main"
  | "ablation"
  | "controlled"
  | "mistakes"
  | "lambda"
  | "algorithms"
  | "credit"
  | "warmstart"
  | "faithful"
  | "generalisation"
  | "ood";

/** One comparison of a task: the same flags over several seeds. */
export interface Experiment {
  /** Short name, for file names. */
  readonly name: string;
  /** Title in the table. */
  readonly title: string;
  readonly environment: string;
  readonly group: Group;
  /**
   * What measures it. `train` and `baseline` train a policy. `policy` evaluates a policy without a model, once, without seeds.
   * `variant` evaluates the policy of another experiment with the same seed in another environment.
   */
  readonly command: "train" | "baseline" | "policy" | "variant";
  /** Flags to add to environment, seed and folder. */
  readonly flags: readonly string[];
  /** Seeds it is trained with; those of a policy without a model are none. */
  readonly seeds: readonly number[];
  /** Name of the experiment whose policies a variant evaluates; the default when absent. */
  readonly of?: string;
  /** Does it differ from the default experiment only in RL? It then uses the default's warm start, if that is kept. */
  readonly sharesWarmStart?: true;
}

/** So many seeds, from 0 on. */
const seedsUpTo = (count: number): readonly number[] => Array.from({ length: count }, (_, seed) => seed);

/** Seeds of a task's main table and controlled ablation: more if a run is short and seeds differ much. */
const MAIN_SEEDS: Readonly<Record<string, number>> = { NumberLine: 10, EZPoints: 5, Blackjack: 5 };
/** Seeds of everything else. */
const SEEDS = seedsUpTo(3);
/** Name of the experiment whose trained policies the variants evaluate. */
export const DEFAULT = "default";
/** Number of episodes for policies without a model, which need no GPU. */
const POLICY_EPISODES = "10000";

const mainSeeds = (environment: string) => seedsUpTo(MAIN_SEEDS[environment] ?? SEEDS.length);

type Row = Pick<Experiment, "name" | "title" | "flags"> & Partial<Experiment>;

/** The experiments that every task has: the rows of the main table, and the ablation of the chain of thought. */
export function common(environment: string): Experiment[] {
  const policy = (name: string, title: string): Experiment => ({
    ...{ name, title, environment, group: "reference", command: "policy" },
    ...{ flags: ["--policy", name, "--episodes", POLICY_EPISODES], seeds: [] },
  });
  const main = (row: Row): Experiment => ({
    environment,
    group: "main",
    command: "train",
    seeds: mainSeeds(environment),
    ...row,
  });
  const { demonstrations, sftSteps } = { ...defaultsOf(sftOptions), ...environmentPresets[environment] };
  const cloning = ["--demonstrations", String(demonstrations), "--sft-steps", String(sftSteps)];
  return [
    policy("random", "random"),
    policy("optimal", "optimal (solver)"),
    main({ name: DEFAULT, title: "SFT + RL", flags: [] }),
    main({
      name: "clean",
      title: "SFT on clean demonstrations",
      flags: ["--mistakes", "none", "--env-steps", "0"],
    }),
    main({ name: "cnn", title: "CNN + RL", command: "baseline", flags: [] }),
    main({ name: "cnn-cloned", title: "CNN + behaviour cloning + RL", command: "baseline", flags: cloning }),
    ablation(environment, "no-cot", "without chain of thought", "--no-cot"),
  ];
}

/** A row of the ablations: the default with these flags. */
export function ablation(environment: string, name: string, title: string, ...flags: string[]): Experiment {
  return { name, title, environment, group: "ablation", command: "train", flags, seeds: SEEDS };
}

/** The solver with other rules for its plans. */
export function solver(environment: string, name: string, title: string, settings: string): Experiment {
  return {
    ...{ name, title, environment, group: "reference", command: "policy", seeds: [] },
    flags: ["--policy", "optimal", "--episodes", POLICY_EPISODES, "--env-settings", settings],
  };
}

/** RL that shall keep thought and action together, from the default's warm start. */
export function faithful(environment: string, name: string, title: string, ...flags: string[]): Experiment {
  return {
    ...{ name, title, environment, group: "faithful", command: "train", flags, seeds: SEEDS },
    sharesWarmStart: true,
  };
}

/**
 * The thought alone: the same perception, learning rates and steps with it and without it. What the picture's labels teach is
 * held equal by `--sft-thoughts`: a policy without a thought sees each demonstration with its thought as well.
 */
export function controlled(environment: string): Experiment[] {
  const row = (name: string, title: string, ...flags: string[]): Experiment => ({
    ...{ name, title, environment, group: "controlled", command: "train", flags },
    seeds: mainSeeds(environment),
  });
  const vision = ["--vision-learning-rate-scale", "1"];
  return [
    { ...row("vision-1", "thought, vision at the full rate", ...vision), sharesWarmStart: true },
    row("read", "thought in the warm start only", "--no-cot", "--sft-thoughts"),
    row(
      "read-vision-1",
      "thought in the warm start only, vision at the full rate",
      ...["--no-cot", "--sft-thoughts", ...vision],
    ),
    row("no-cot-vision-1", "no thought at all, vision at the full rate", "--no-cot", ...vision),
  ];
}

/** How often the demonstrator makes its largest mistake. The default's share stands between these. */
export function mistakes(
  environment: string,
  kind: string,
  shares: readonly string[],
  suffix?: string,
  ...flags: string[]
): Experiment[] {
  const ending = (joint: string) => suffix === undefined ? "" : joint + suffix;
  return shares.map((share) => ({
    ...{ name: `mistakes-${share}${ending("-")}`, title: `${kind} ${share}${ending(", ")}`, environment },
    ...{
      group: "mistakes",
      command: "train",
      flags: ["--mistakes", `${kind}=${share}`, ...flags],
      seeds: SEEDS,
    },
  }));
}

/** The weight of the thought, lambda, at other values than the default's 0.5. */
export function lambdas(environment: string): Experiment[] {
  return ["0.1", "0.3", "0.7", "0.9"].map((lambda) => ({
    name: `lambda-${lambda}`,
    title: `lambda ${lambda}`,
    environment,
    group: "lambda",
    command: "train",
    flags: ["--lambda", lambda],
    seeds: SEEDS,
    sharesWarmStart: true,
  }));
}

/** An experiment for every algorithm except the default one. */
export function byAlgorithm(environment: string): Experiment[] {
  return Object.keys(algorithms).filter((name) => name !== ppo.name).map((name) => ({
    name: `algorithm-${name}`,
    title: name,
    environment,
    group: "algorithms",
    command: "train",
    flags: ["--algorithm", name],
    seeds: SEEDS,
    sharesWarmStart: true,
  }));
}

/**
 * The algorithms against exact action values, from the same warm start: how far their advantages agree with them, and what the
 * actions give away. A short run shows it.
 */
export function credits(environment: string, steps: string): Experiment[] {
  return Object.keys(algorithms).map((name) => ({
    name: `credit-${name}`,
    title: name,
    environment,
    group: "credit",
    command: "train",
    flags: [...name === ppo.name ? [] : ["--algorithm", name], "--exact-credit", "--env-steps", steps],
    seeds: SEEDS,
    sharesWarmStart: true,
  }));
}

/** Another warm start, or RL from one. */
export function warmStart(environment: string, name: string, title: string, ...flags: string[]): Experiment {
  return { name, title, environment, group: "warmstart", command: "train", flags, seeds: SEEDS };
}

/** Training with a part of the environment held out, evaluated on what it saw. */
export function seen(environment: string, name: string, title: string, ...flags: string[]): Experiment {
  return { name, title, environment, group: "generalisation", command: "train", flags, seeds: SEEDS };
}

/** The same policies on what was held out. */
export function heldOut(
  environment: string,
  of: string,
  title: string,
  settings: string,
  name = "held-out",
): Experiment {
  return {
    ...{ name: `${of}-${name}`, title, environment, group: "generalisation", command: "variant", of },
    ...{ flags: ["--env-settings", settings], seeds: SEEDS },
  };
}

/** Hands held out of the training of a point game. */
export function hands(environment: string): Experiment[] {
  return [
    seen(environment, "hands", "hands held out, on those seen", "--env-settings", "hands=seen"),
    heldOut(environment, "hands", "hands held out, on these", "hands=held-out"),
  ];
}

/** The default policy in an environment with another setting. */
export function variant(environment: string, name: string, title: string, ...flags: string[]): Experiment {
  return { name: `ood-${name}`, title, environment, group: "ood", command: "variant", flags, seeds: SEEDS };
}
