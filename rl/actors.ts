/**
 * Who acts for a policy: the policy itself, or somebody else with the same weights.
 *
 * Collecting and evaluating ask an actor for decisions. They do not know where it computes them.
 *
 * @module
 */
import { roundFloats } from "../model/floats.ts";
import { choice, type ChoiceSetting } from "./cli/mod.ts";
import type { Learners } from "./gradients.ts";
import type { Policy, RespondSettings, Situation } from "./policy.ts";

/** Decides in situations. A policy is one. */
export interface Actor extends Pick<Policy, "respond"> {
  /**
   * Has whole episodes played elsewhere, and returns when they are under way. `respond` then knows the responses in them. Absent
   * if nothing is gained by it.
   */
  readonly playAhead?: (plan: EpisodesAhead) => Promise<void>;
  /**
   * Has further turns of all places played elsewhere. Returns how many turns from now on `respond` knows: 0 if nothing is gained,
   * since several share the places.
   */
  readonly playOn?: (plan: TurnsAhead) => Promise<number>;
}

/** Turns of places whose episodes follow each other. When one ends, its place gets the next deal. */
export interface TurnsAhead extends RespondSettings {
  /** The present state of each place. `random` has their samplers now. Every turn adds `maxNewTokens` to a counter. */
  readonly situations: readonly Situation[];
  /** Seeds of the episodes to come. If several places end in a turn, the first of them gets the first. */
  readonly next: readonly number[];
  /** Rows of a batch. */
  readonly envs: number;
  /** Most turns. */
  readonly turns: number;
}

/** Whole episodes to play. None depends on how another one ends. */
export interface EpisodesAhead extends Omit<RespondSettings, "random"> {
  /** The first states of those that begin side by side. */
  readonly situations: readonly Situation[];
  /** Seed that each episode is reset with. */
  readonly seeds: readonly number[];
  /** (2 x episodes) generator seed and first counter of each one's sampler. Every turn adds `maxNewTokens` to the counter. */
  readonly random: Uint32Array;
}

/** Which episodes an actor acts in. Their environments have different settings. */
export type EpisodeKind = "training" | "evaluation";

/** Finds who acts for a policy. */
export interface Actors {
  /** Has all who act take over the policy's weights for episodes of that kind. Call it after every change, before anybody acts. */
  readonly take: (policy: Policy, kind: EpisodeKind) => Promise<void>;
  /** Returns who acts in episodes of that kind, with the weights that were taken over last. */
  readonly actor: (policy: Policy, kind: EpisodeKind) => Actor;
  /** Those who compute shares of minibatches; absent if only this process does. */
  readonly learners?: Learners;
}

/** Form of the weights that act in training: those that learn, or these rounded. */
export type ActingWeights = "f32" | "bf16";

/** Settings of who acts. */
export const actingOptions = {
  actingWeights: choice(
    "f32",
    ["f32", "bf16"],
    "numbers of the weights that act in RL: those that learn, or these rounded, half as much to send to workers",
  ) as ChoiceSetting<ActingWeights>,
};

/** The form of the weights that act in episodes of a kind. Evaluations are of the policy that is kept, so nothing is rounded. */
export function formOf(
  kind: EpisodeKind,
  { actingWeights }: { readonly actingWeights: ActingWeights },
): ActingWeights {
  return kind === "evaluation" ? "f32" : actingWeights;
}

/** The policy acts itself, in training with weights of that form. Others who act get the same weights. */
export function ownActors(actingWeights: ActingWeights): Actors {
  if (actingWeights === "f32") return { take: () => Promise.resolve(), actor: (policy) => policy };
  let exact = new Float32Array(0), rounded = exact;
  return {
    take: async ({ gpu, parameters }, kind) => {
      if (kind === "evaluation") return;
      [exact] = await gpu.read(parameters.values) as Float32Array<ArrayBuffer>[];
      exact = exact.slice();
      rounded = exact.slice();
      for (const { offset, name } of parameters.list) {
        const { requiresGradient, data } = parameters.get(name);
        if (!requiresGradient) continue;
        rounded.set(roundFloats(exact.subarray(offset, offset + data.length), "BF16"), offset);
      }
    },
    actor: (policy, kind) => {
      if (kind === "evaluation") return policy;
      const { gpu, parameters: { values } } = policy;
      const [before, acting] = [exact, rounded];
      return {
        respond: async (situations, settings) => {
          gpu.write(values, acting);
          try {
            return await policy.respond(situations, settings);
          } finally {
            gpu.write(values, before);
          }
        },
      };
    },
  };
}
