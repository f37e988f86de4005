/**
 * What has changed since results were made, so that the page can say which of them are older.
 *
 * @module
 */
import { settingsOf } from "../config.ts";
import type { Experiment } from "./experiments.ts";
import type { CellResult } from "./result.ts";

/** A change after which training computes something else. */
export interface ResultChange {
  /** Counts up; a result keeps the number of the latest that it was made with. */
  readonly version: number;
  /** What changed, in one sentence. */
  readonly what: string;
  /** Whether an experiment's result may differ by it. */
  readonly touches: (experiment: Experiment) => boolean;
}

const isTrained = ({ command }: Experiment) => command !== "policy";
const isVlm = ({ command }: Experiment) => command === "train" || command === "variant";
const isOf = (...tasks: readonly string[]) => ({ environment }: Experiment) => tasks.includes(environment);

/** All of them, oldest first. */
export const changes: readonly ResultChange[] = [
  {
    version: 1,
    what:
      "The warm start's returns go on after the step limit as that of an average step; before, they ended there, as if nothing " +
      "could follow.",
    touches: (e) => isVlm(e) && isOf("NumberLine", "Household")(e),
  },
  {
    version: 2,
    what:
      "A formula that is too long ends the episode by the rules; before, RL took it for a time limit and bootstrapped from it.",
    touches: (e) => isTrained(e) && isOf("EZPoints", "Points24")(e),
  },
  {
    version: 3,
    what:
      "The KL stop looks at the KL of a weighted token over the last four minibatches, and advantages are divided by their root " +
      "mean square. A VLM's values are not clipped, and its value head learns at the policy's rate. Before: one minibatch's k3 of " +
      "whole responses, their standard deviation, a clip of 0.2, and five times the rate.",
    touches: isTrained,
  },
  {
    version: 4,
    what: "Text without an action weighs 1 in log pi; before, lambda.",
    touches: isVlm,
  },
];

/** The latest change. */
export const LATEST: number = changes[changes.length - 1].version;

/** The changes that an experiment's result of a version is from before. */
export function changesSince(experiment: Experiment, version = 0): readonly ResultChange[] {
  return changes.filter((change) => change.version > version && change.touches(experiment));
}

/**
 * The cells that tables are made of: of each experiment those that are from before the fewest changes, so that no mean mixes
 * what was trained by different rules.
 */
export function newestCells<C extends Pick<CellResult, "experiment" | "summary">>(cells: readonly C[]): C[] {
  const age = ({ experiment, summary }: C) => changesSince(experiment, summary.version).length;
  return [...Map.groupBy(cells, ({ experiment }) => experiment).values()].flatMap((own) => {
    const least = Math.min(...own.map(age));
    return own.filter((cell) => age(cell) === least);
  });
}

/** First 12 hexadecimal digits of SHA-256 over the settings of a run, sorted by name. */
export async function settingsDigest(config: object): Promise<string> {
  const sorted = Object.entries(settingsOf(config)).filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => a < b ? -1 : 1);
  const bytes = new TextEncoder().encode(JSON.stringify(sorted));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest.subarray(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
