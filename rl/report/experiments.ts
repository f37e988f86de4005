/**
 * The experiments of the results table: what is compared, with which command and flags, over which seeds.
 *
 * @module
 */
import { algorithms, ppo } from "../algorithms/mod.ts";

/** Which table an experiment is in. */
export type Group = "reference" | "main" | "ablation" | "lambda" | "algorithms" | "ood";

/** One comparison of a task: the same flags over several seeds. */
export interface Experiment {
  /** Short name, as in file names. */
  readonly name: string;
  /** What it shows, as in the table. */
  readonly title: string;
  readonly environment: string;
  readonly group: Group;
  /**
   * What measures it: `train` and `baseline` train a policy. `policy` evaluates one without a model, once, without seeds.
   * `variant` evaluates the default policy of the same seed in another environment.
   */
  readonly command: "train" | "baseline" | "policy" | "variant";
  /** Flags beside environment, seed and folder. */
  readonly flags: readonly string[];
  /** Does it differ from the default experiment in RL alone? Then it takes that one's warm start, if it is kept. */
  readonly sharesWarmStart?: true;
}

/** Every experiment is trained with each. */
export const SEEDS: readonly number[] = [0, 1, 2];
/** Name of the experiment whose trained policies the variants evaluate. */
export const DEFAULT = "default";
/** Episodes of policies without a model, which need no GPU. */
const POLICY_EPISODES = "10000";

/** An experiment of every task: the rows of the main table and the ablation of the chain of thought. */
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

/** The default is 0.5. */
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

/** Every algorithm but the default one, by its name. */
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

/** All experiments, in the order of the report; variants come after what they evaluate. */
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
