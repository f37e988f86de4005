/**
 * The experiments of the results table, each with its command and its flags, and the seeds of all.
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
   * `variant` evaluates the default policy of the same seed in another environment.
   */
  readonly command: "train" | "baseline" | "policy" | "variant";
  /** Flags to add to environment, seed and folder. */
  readonly flags: readonly string[];
  /** Seeds it is trained with, from 0 on; those of a policy without a model are none. */
  readonly seeds: readonly number[];
  /** Does it differ from the default experiment only in RL? It then uses the default's warm start, if that is kept. */
  readonly sharesWarmStart?: true;
}

/** So many seeds, from 0 on. */
const seedsUpTo = (count: number): readonly number[] => Array.from({ length: count }, (_, seed) => seed);

/** Seeds of a task's main table and controlled ablation: more where a run is short and seeds differ much. */
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
function common(environment: string): Experiment[] {
  const policy = (name: string, title: string): Experiment => {
    const flags = ["--policy", name, "--episodes", POLICY_EPISODES];
    return { name, title, environment, group: "reference", command: "policy", flags, seeds: [] };
  };
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

function ablation(environment: string, name: string, title: string, ...flags: string[]): Experiment {
  return { name, title, environment, group: "ablation", command: "train", flags, seeds: SEEDS };
}

/**
 * The thought alone: the same perception, learning rates and steps with it and without it. What the picture's labels teach is
 * held equal by `--sft-thoughts`: a policy without a thought sees each demonstration with its thought as well.
 */
function controlled(environment: string): Experiment[] {
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
function mistakes(environment: string, kind: string, shares: readonly string[]): Experiment[] {
  return shares.map((share) => ({
    ...{ name: `mistakes-${share}`, title: `${kind} ${share}`, environment, group: "mistakes" },
    ...{ command: "train", flags: ["--mistakes", `${kind}=${share}`], seeds: SEEDS },
  }));
}

/** The weight of the thought, lambda, at other values than the default's 0.5. */
function lambdas(environment: string): Experiment[] {
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
function byAlgorithm(environment: string): Experiment[] {
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

/** The default policy in an environment with another setting. */
function variant(environment: string, name: string, title: string, ...flags: string[]): Experiment {
  return { name: `ood-${name}`, title, environment, group: "ood", command: "variant", flags, seeds: SEEDS };
}

/** All experiments, in the order of the report. Variants come after the experiment whose policy they evaluate. */
export const experiments: readonly Experiment[] = [
  ...common("NumberLine"),
  { ...ablation("NumberLine", "unfrozen", "nothing frozen", "--freeze", "none"), sharesWarmStart: true },
  ...controlled("NumberLine"),
  ...mistakes("NumberLine", "flipMinus", ["0", "0.3", "0.45", "0.7"]),
  ...lambdas("NumberLine"),
  ...byAlgorithm("NumberLine"),
  ...[10, 20, 50].map((n) =>
    variant("NumberLine", `max-${n}`, `numbers to ${n}`, "--env-settings", `maxPosition=${n}`)
  ),

  ...common("EZPoints"),
  ...controlled("EZPoints"),
  ...mistakes("EZPoints", "close", ["0", "0.3", "0.45", "0.7"]),
  ...lambdas("EZPoints"),
  ...byAlgorithm("EZPoints"),

  ...common("Points24"),
  ...[12, 36].map((n) => variant("Points24", `target-${n}`, `target ${n}`, "--env-settings", `target=${n}`)),
  variant("Points24", "faces", "faces count 11 to 13", "--env-settings", "faceValue=11-13"),

  ...common("Blackjack"),
  ...mistakes("Blackjack", "flipStand", ["0", "0.3", "0.55", "0.7"]),
  ...byAlgorithm("Blackjack"),

  ...common("Household"),
  ablation("Household", "image-only", "image only", "--env-settings", "mode=image-only"),
  ...controlled("Household"),
  ...mistakes("Household", "haste", ["0", "0.3", "0.45", "0.7"]),
  variant("Household", "unseen", "unseen rooms", "--env-settings", "split=unseen", "--episodes", "256"),
];

/** The tasks, in the order of the report. */
export const tasks: readonly string[] = [...new Set(experiments.map(({ environment }) => environment))];
