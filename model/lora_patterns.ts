/**
 * Ranks and alphas of some of the adapted layers: `rank_pattern` and `alpha_pattern` of PEFT.
 *
 * Source: `get_pattern_key` in `utils/other.py` of https://github.com/huggingface/peft
 *
 * @module
 */
import { quote } from "./quote.ts";

/** Numbers by the path of a linear layer or the end of one, such as `k_proj` or `layers.0.self_attn.q_proj`. */
export type LoraPattern = Readonly<Record<string, number>>;

/** A path or the end of one. PEFT takes any regular expression, but a file must not be able to hang its reader. */
const PATH = /^\^?\w+(?:\\?\.\w+)*$/;

/**
 * Reads a pattern of a parsed `adapter_config.json`; undefined if it says nothing.
 *
 * @throws {RangeError} When a key is more than a path, or a number is not allowed.
 */
export function readLoraPattern(
  name: string,
  value: unknown,
  isAllowed: (value: unknown) => boolean,
): LoraPattern | undefined {
  const refuse = (state: string) => new RangeError(`Cannot use this adapter: ${name} ${state}`);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) {
    throw refuse(`must be an object, got ${quote(value)}`);
  }
  const entries = Object.entries(value);
  for (const [key, number] of entries) {
    if (!PATH.test(key)) throw refuse(`has ${quote(key)}, only layers and ends of their paths are known`);
    if (!isAllowed(number)) throw refuse(`gives ${quote(key)} ${quote(number)}`);
  }
  return entries.length === 0 ? undefined : value as LoraPattern;
}

/** The number of the first key that names one of these paths, or an end of it; `otherwise` if there is none. */
export function ofPattern(
  pattern: LoraPattern | undefined,
  paths: readonly string[],
  otherwise: number,
): number {
  const isNamed = (key: string) => {
    const path = key.replaceAll("\\", "");
    return paths.some((at) => path.startsWith("^") ? at === path.slice(1) : `.${at}`.endsWith(`.${path}`));
  };
  return Object.entries(pattern ?? {}).find(([key]) => isNamed(key))?.[1] ?? otherwise;
}
