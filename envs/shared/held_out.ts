/** Parts of an environment's deals, so that some can be held out of training and evaluated apart. */

/** What is dealt: everything, what training may see, or what is held out of it. */
export const PARTS = ["all", "seen", "held-out"] as const;
/** One of {@linkcode PARTS}. */
export type Part = typeof PARTS[number];

/** Is a deal one of a part? */
export function isDealt(part: Part, isHeldOut: () => boolean): boolean {
  return part === "all" || isHeldOut() === (part === "held-out");
}
