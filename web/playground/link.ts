/**
 * The page's state as the part of its address behind `#`, to share.
 *
 * @module
 */
import { DEMO_ENVIRONMENT, type EnvironmentName, TASKS } from "./environments.ts";
import type { Choice, PlayChoice } from "./protocol.ts";

/** All that a link says. */
export type Shared = Choice & Omit<PlayChoice, "policy">;

/** The state of a page that is opened without a link. */
export const FRESH: Shared = {
  env: DEMO_ENVIRONMENT,
  lambda: 0.5,
  seed: 0,
  budget: "short",
  episode: 0,
  greedy: false,
};

/** Longest link that is read, in characters: a whole one has about 80. */
const MAX_LENGTH = 200;

const whole = (text: string, most: number): number | null =>
  /^\d{1,6}$/.test(text) && Number(text) <= most ? Number(text) : null;

const READERS: { readonly [Key in keyof Shared]: (text: string) => Shared[Key] | null } = {
  env: (text) => Object.hasOwn(TASKS, text) ? text as EnvironmentName : null,
  lambda: (text) => /^(0(\.\d{1,3})?|1(\.0{1,3})?)$/.test(text) ? Number(text) : null,
  seed: (text) => whole(text, 999_999),
  budget: (text) => text === "short" || text === "full" ? text : null,
  episode: (text) => whole(text, 999_999),
  greedy: (text) => text === "1" ? true : text === "0" ? false : null,
};

/** The part of the address behind `#` for a state. */
export function toLink(shared: Shared): string {
  return new URLSearchParams(
    Object.keys(READERS).map((key) => {
      const value = shared[key as keyof Shared];
      return [key, typeof value === "boolean" ? String(Number(value)) : String(value)];
    }),
  ).toString();
}

/** Reads a link, with or without its `#`. A broken one gives what a fresh page shows, and says what is wrong with it. */
export function fromLink(link: string): { readonly shared: Shared; readonly fault: string | null } {
  const text = link.replace(/^#/, "");
  if (text === "") return { shared: FRESH, fault: null };
  const broken = (state: string) => ({ shared: FRESH, fault: `This link ${state}: the page starts fresh.` });
  if (text.length > MAX_LENGTH) return broken(`is too long (${text.length} characters)`);
  const read: Record<string, unknown> = {};
  for (const [key, value] of new URLSearchParams(text)) {
    if (!Object.hasOwn(READERS, key)) {
      return broken("is broken (it says something that this page does not know)");
    }
    const result = READERS[key as keyof Shared](value);
    if (result === null) return broken(`is broken (${key} is not a value that it may have)`);
    read[key] = result;
  }
  return { shared: { ...FRESH, ...read }, fault: null };
}
