/** Generalized advantage estimation (Schulman et al. 2016, https://arxiv.org/abs/1506.02438, equations 11 and 16). */

/**
 * A rollout of `steps` x `envs`, row-major: element `t * envs + e` belongs to step `t` of environment `e`.
 *
 * Notation: action `a[t]` was taken in state `s[t]`. It earned `rewards[t]` and led to `s'[t]`, the state before any automatic
 * reset. Within an episode `s'[t]` is `s[t+1]`.
 */
export interface RolloutRewards {
  /** Reward of each step, already scaled. */
  readonly rewards: ArrayLike<number>;
  /** V(s[t]). */
  readonly values: ArrayLike<number>;
  /** 1 if the rules ended the episode at this step, so that nothing can be earned after it; else 0. */
  readonly terminated: ArrayLike<number>;
  /** 1 if the step limit ended the episode at this step; else 0. The state had a future then, worth `bootstrapValues`. */
  readonly truncated: ArrayLike<number>;
  /** V(s'[t]). It is read only at truncated steps and at the last step of the rollout; other elements may hold anything. */
  readonly bootstrapValues: ArrayLike<number>;
  /** Number of steps of each environment. */
  readonly steps: number;
  /** Number of environments side by side. */
  readonly envs: number;
  /** Discount, in [0, 1]. */
  readonly gamma: number;
  /** Weight of longer returns, in [0, 1]: 0 trusts the values alone, 1 the rewards alone. */
  readonly lambda: number;
}

/** Advantages and value targets, both `steps` x `envs`, row-major. */
export interface Advantages {
  /** A[t]. */
  readonly advantages: Float32Array;
  /** A[t] + V(s[t]), the value head's target. */
  readonly returns: Float32Array;
}

/**
 * Computes the advantages and value targets of a rollout:
 *
 *     delta[t] = r[t] + gamma * V(s'[t]) - V(s[t])          V(s'[t]) is 0 if terminated
 *     A[t]     = delta[t] + gamma * lambda * A[t+1]         A[t+1] is left out if an episode ended at t
 *
 * A truncated step bootstraps from the final state of its own episode, never from the first state of the next one. A
 * step that is both terminated and truncated counts as terminated. Sums are in f64.
 *
 * @throws {RangeError} when an array's length is not `steps * envs`, or gamma or lambda is outside [0, 1].
 *
 * @example Two steps of one environment; the second ends the episode
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { generalizedAdvantages } from "@ponder/ponder/rl";
 *
 * const { advantages, returns } = generalizedAdvantages({
 *   rewards: [0, 1],
 *   values: [0.5, 0.5],
 *   terminated: [0, 1],
 *   truncated: [0, 0],
 *   bootstrapValues: [0, 0],
 *   steps: 2,
 *   envs: 1,
 *   gamma: 1,
 *   lambda: 1,
 * });
 * assertEquals([...advantages], [0.5, 0.5]);
 * assertEquals([...returns], [1, 1]);
 * ```
 */
export function generalizedAdvantages(rollout: RolloutRewards): Advantages {
  checkRollout(rollout);
  const { rewards, values, terminated, truncated, bootstrapValues, steps, envs, gamma, lambda } = rollout;
  const advantages = new Float32Array(steps * envs);
  const returns = new Float32Array(steps * envs);
  for (let e = 0; e < envs; e++) {
    let nextAdvantage = 0;
    for (let t = steps - 1; t >= 0; t--) {
      const i = t * envs + e;
      const isEnd = Boolean(terminated[i] || truncated[i]);
      let nextValue = 0;
      if (!terminated[i]) nextValue = isEnd || t === steps - 1 ? bootstrapValues[i] : values[i + envs];
      const delta = rewards[i] + gamma * nextValue - values[i];
      const advantage: number = isEnd ? delta : delta + gamma * lambda * nextAdvantage;
      advantages[i] = nextAdvantage = advantage;
      returns[i] = advantage + values[i];
    }
  }
  return { advantages, returns };
}

function checkRollout(rollout: RolloutRewards): void {
  const { steps, envs } = rollout;
  for (const name of ["steps", "envs"] as const) {
    if (!Number.isInteger(rollout[name]) || rollout[name] < 0) {
      throw new RangeError(
        `Cannot estimate advantages: ${name} is ${rollout[name]}, use a whole number of at least 0`,
      );
    }
  }
  for (const name of ["gamma", "lambda"] as const) {
    if (!(rollout[name] >= 0 && rollout[name] <= 1)) {
      throw new RangeError(`Cannot estimate advantages: ${name} is ${rollout[name]}, use a number in [0, 1]`);
    }
  }
  for (const name of ["rewards", "values", "terminated", "truncated", "bootstrapValues"] as const) {
    const { length } = rollout[name];
    if (length !== steps * envs) {
      throw new RangeError(
        `Cannot estimate advantages: ${name} has ${length} elements, ` +
          `give one for each of ${steps} steps x ${envs} environments`,
      );
    }
  }
}
