/**
 * What a run in the page is set to: the same settings by name as `./ponder train` has.
 *
 * @module
 */
import type { Choice } from "./protocol.ts";

/** The settings of each budget; what is absent is as in `./ponder train`. */
export const BUDGETS = {
  short: {
    demonstrations: 1024,
    sftSteps: 120,
    envSteps: 2048,
    evalEpisodes: 64,
    perceptionEpisodes: 64,
  },
  full: { evalEpisodes: 128 },
} as const;

/** The settings of a run. */
export function settingsOf({ lambda, seed, budget }: Choice): Record<string, unknown> {
  return { ...BUDGETS[budget], lambda, seed };
}
