/**
 * The environments that the playground shows, by name: the page itself has no rules, which are the Worker's.
 *
 * @module
 */

/** What each is about. */
export const TASKS = {
  NumberLine: "bring a number to its target, one step at a time",
  EZPoints: "write a formula of two cards that makes 12",
  Points24: "write a formula of four cards that makes 24",
  Blackjack: "come closer to 21 than the dealer, without going over",
  Household: "do a chore in a room, of which one sees a part at a time",
} as const;

/** Name of an environment. */
export type EnvironmentName = keyof typeof TASKS;

/** The one that has a trained policy from the start. */
export const DEMO_ENVIRONMENT: EnvironmentName = "NumberLine";
