/**
 * Settings that belong to another algorithm than the chosen one.
 *
 * @module
 */
import { nearestName, shellQuote, toFlag } from "../cli/mod.ts";
import type { Algorithm } from "./algorithm.ts";
import { algorithms } from "./mod.ts";

/**
 * Says which algorithms have a setting that the chosen one lacks, and which of its own come nearest. Undefined if no
 * algorithm has it.
 */
export function settingElsewhere(setting: string, chosen: Algorithm): string | undefined {
  const { name, reference = name, options } = chosen;
  const having = Object.values(algorithms).filter(({ options }) => Object.hasOwn(options, setting));
  if (having.length === 0) return undefined;
  const near = nearestSettings(setting, Object.keys(options));
  const rest = near.length === 0
    ? `${name} has none like it: ./ponder algorithms --algorithm ${shellQuote(reference)} lists its own`
    : `the nearest of ${name} ${near.length === 1 ? "is" : "are"} ${
      listed(near.map((setting) => `--${toFlag(setting)}`))
    }`;
  return `it is a setting of ${listed(having.map(({ name }) => name))}, ${rest}`;
}

/** The names that share their first word with this one, else the name that is nearest to it as a text, if one is near. */
function nearestSettings(setting: string, known: readonly string[]): string[] {
  const firstWord = (name: string) => toFlag(name).split("-")[0];
  const akin = known.filter((name) => firstWord(name) === firstWord(setting));
  if (akin.length > 0) return akin;
  const nearest = nearestName(setting, known);
  return nearest === undefined ? [] : [nearest];
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
