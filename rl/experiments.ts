/**
 * The experiments of the results table: what is compared, with which flags, over which seeds.
 *
 * @module
 */

/** One comparison of a task: the same flags over several seeds. */
export interface Experiment {
  /** Short name, as in file names. */
  readonly name: string;
  /** What it shows, as in the table. */
  readonly title: string;
  readonly environment: string;
  /** Flags of `train` beside `--env` and `--seed`. */
  readonly flags: readonly string[];
}

const experimentsOf =
  (environment: string) => (name: string, title: string, ...flags: string[]): Experiment => ({
    name,
    title,
    environment,
    flags,
  });
const numberLine = experimentsOf("NumberLine");
const ezPoints = experimentsOf("EZPoints");

/** All experiments, in the order of the report. */
export const experiments: readonly Experiment[] = [
  numberLine("default", "SFT + RL"),
  numberLine("no-cot", "without chain of thought", "--no-cot"),
  numberLine("lambda-0.1", "lambda 0.1", "--lambda", "0.1"),
  numberLine("lambda-0.3", "lambda 0.3", "--lambda", "0.3"),
  numberLine("lambda-0.7", "lambda 0.7", "--lambda", "0.7"),
  numberLine("lambda-0.9", "lambda 0.9", "--lambda", "0.9"),
  numberLine("unfrozen", "nothing frozen", "--freeze", "none"),
  ezPoints("default", "SFT + RL"),
  ezPoints("no-cot", "without chain of thought", "--no-cot"),
];

/** The whole command of one cell. */
export function cellCommand({ environment, flags }: Experiment, seed: number): string[] {
  return ["--env", environment, "--seed", String(seed), ...flags];
}
