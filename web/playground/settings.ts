/**
 * What a run in the page is set to: the same settings by name as `./ponder train` has.
 *
 * @module
 */
import { DEMO_ENVIRONMENT } from "./environments.ts";
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

/** Other environments need more to learn anything; a real GPU has it in a minute. */
const LONGER = { demonstrations: 4096, sftSteps: 240 };

/** The settings of a run. */
export function settingsOf({ env, lambda, seed, budget }: Choice): Record<string, unknown> {
  const isLonger = env !== DEMO_ENVIRONMENT && budget === "short";
  return { ...BUDGETS[budget], ...isLonger && LONGER, lambda, seed };
}
