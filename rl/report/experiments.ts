/**
 * The experiments of the results table, each with its command and its flags, and the seeds of all.
 *
 * @module
 */
import { algorithms, ppo } from "../algorithms/mod.ts";

/** The table that an experiment is in. */
export type Group = "reference" | "main" | "ablation" | "lambda" | "algorithms" | "ood";

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
  /** Does it differ from the default experiment only in RL? It then uses the default's warm start, if that is kept. */
  readonly sharesWarmStart?: true;
}

/** Seeds of every experiment that has seeds. */
export const SEEDS: readonly number[] = [0, 1, 2];
/** Name of the experiment whose trained policies the variants evaluate. */
export const DEFAULT = "default";
/** Number of episodes for policies without a model, which need no GPU. */
const POLICY_EPISODES = "10000";

/** The experiments that every task has: the rows of the main table, and the ablation of the chain of thought. */
function common(environment: string): Experiment[] {
  const policy = (name: string, title: string): Experiment => {
    const flags = ["--policy", name, "--episodes", POLICY_EPISODES];
    return { name, title, environment, group: "reference", command: "policy", flags };
  };
  return [
    policy("random", "random"),
    policy("optimal", "optimal (solver)"),
    { name: DEFAULT, title: "SFT + RL", environment, group: "main", command: "train", flags: [] },
    { name: "cnn", title: "CNN + RL", environment, group: "main", command: "baseline", flags: [] },
    ablation(environment, "no-cot", "without chain of thought", "--no-cot"),
  ];
}

function ablation(environment: string, name: string, title: string, ...flags: string[]): Experiment {
  return { name, title, environment, group: "ablation", command: "train", flags };
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
    sharesWarmStart: true,
  }));
}

/** The default policy in an environment with another setting. */
function variant(environment: string, name: string, title: string, ...flags: string[]): Experiment {
  return { name: `ood-${name}`, title, environment, group: "ood", command: "variant", flags };
}

/** All experiments, in the order of the report. Variants come after the experiment whose policy they evaluate. */
export const experiments: readonly Experiment[] = [
  ...common("NumberLine"),
  { ...ablation("NumberLine", "unfrozen", "nothing frozen", "--freeze", "none"), sharesWarmStart: true },
  ...lambdas("NumberLine"),
  ...byAlgorithm("NumberLine"),
  ...[10, 20, 50].map((n) =>
    variant("NumberLine", `max-${n}`, `numbers to ${n}`, "--env-settings", `maxPosition=${n}`)
  ),

  ...common("EZPoints"),
  ...lambdas("EZPoints"),

  ...common("Points24"),
  ...[12, 36].map((n) => variant("Points24", `target-${n}`, `target ${n}`, "--env-settings", `target=${n}`)),
  variant("Points24", "faces", "faces count 11 to 13", "--env-settings", "faceValue=11-13"),

  ...common("Blackjack"),

  ...common("Household"),
  ablation("Household", "image-only", "image only", "--env-settings", "mode=image-only"),
  variant("Household", "unseen", "unseen rooms", "--env-settings", "split=unseen", "--episodes", "256"),
];

/** The tasks, in the order of the report. */
export const tasks: readonly string[] = [...new Set(experiments.map(({ environment }) => environment))];
