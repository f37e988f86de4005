/**
 * Who acts for a policy: the policy itself, or somebody else with the same weights.
 *
 * Collecting and evaluating ask an actor for decisions. They do not know where it computes them.
 *
 * @module
 */
import type { Learners } from "./gradients.ts";
import type { Policy } from "./policy.ts";

/** Decides in situations. A policy is one. */
export type Actor = Pick<Policy, "respond">;

/** Which episodes an actor acts in. Their environments have different settings. */
export type EpisodeKind = "training" | "evaluation";

/** Finds who acts for a policy. */
export interface Actors {
  /** Has all who act take over the policy's weights. Call it after every change, before anybody acts. */
  readonly take: (policy: Policy) => Promise<void>;
  /** Returns who acts in episodes of that kind, with the weights that were taken over last. */
  readonly actor: (policy: Policy, kind: EpisodeKind) => Actor;
  /** Those who compute shares of minibatches; absent if only this process does. */
  readonly learners?: Learners;
}

/** The policy acts itself. */
export const ownActors: Actors = {
  take: () => Promise.resolve(),
  actor: (policy) => policy,
};
