import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { generalizedAdvantages, type RolloutRewards } from "../../rl/gae.ts";

/** One environment's rollout, without ends unless `over` says so. */
function rolloutOf(rewards: number[], values: number[], over: Partial<RolloutRewards> = {}): RolloutRewards {
  const none = new Uint8Array(rewards.length);
  return {
    rewards,
    values,
    terminated: none,
    truncated: none,
    bootstrapValues: new Float32Array(rewards.length),
    steps: rewards.length,
    envs: 1,
    gamma: 0.9,
    lambda: 0.95,
    ...over,
  };
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  assertEquals(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) {
    assertAlmostEquals(actual[i], expected[i], tolerance * (1 + Math.abs(expected[i])), `element ${i}`);
  }
}

Deno.test("a constant reward and a zero value give the geometric series of gamma lambda", () => {
  const steps = 20, gamma = 0.9, lambda = 0.95, reward = 2;
  const rollout = rolloutOf(Array(steps).fill(reward), Array(steps).fill(0));
  const { advantages, returns } = generalizedAdvantages(rollout);
  const q = gamma * lambda;
  const series = Array.from({ length: steps }, (_, t) => reward * (1 - q ** (steps - t)) / (1 - q));
  assertClose(advantages, series);
  assertEquals(returns, advantages);
});

Deno.test("values that already are the discounted return leave no advantage", () => {
  const steps = 12, gamma = 0.9, value = 1 / (1 - gamma);
  const rollout = rolloutOf(Array(steps).fill(1), Array(steps).fill(value), {
    bootstrapValues: Array(steps).fill(value),
  });
  const { advantages, returns } = generalizedAdvantages(rollout);
  assertClose(advantages, Array(steps).fill(0));
  assertClose(returns, Array(steps).fill(value));
});

Deno.test("lambda 0 gives the temporal difference error of each step", () => {
  const rollout = rolloutOf([1, -1, 0.5], [3, 5, 7], { lambda: 0, bootstrapValues: [NaN, NaN, 11] });
  assertClose(generalizedAdvantages(rollout).advantages, [
    1 + 0.9 * 5 - 3,
    -1 + 0.9 * 7 - 5,
    0.5 + 0.9 * 11 - 7,
  ]);
});

Deno.test("lambda 1 gives the Monte Carlo return, whatever the values in between", () => {
  const rollout = rolloutOf([1, -1, 0.5], [3, 5, 7], { lambda: 1, terminated: [0, 0, 1] });
  const { returns, advantages } = generalizedAdvantages(rollout);
  const expected = [1 + 0.9 * (-1 + 0.9 * 0.5), -1 + 0.9 * 0.5, 0.5];
  assertClose(returns, expected);
  assertClose(advantages, expected.map((value, t) => value - [3, 5, 7][t]));
});

Deno.test("a terminated step takes nothing from what follows, not even from its bootstrap value", () => {
  const rollout = rolloutOf([1, 2, 3], [10, 20, 30], { terminated: [0, 1, 0], bootstrapValues: [9, 99, 40] });
  const { advantages } = generalizedAdvantages(rollout);
  const last = 3 + 0.9 * 40 - 30;
  const middle = 2 - 20;
  assertClose(advantages, [1 + 0.9 * 20 - 10 + 0.9 * 0.95 * middle, middle, last]);
});

Deno.test("a truncated step bootstraps from its own final state and is cut from the next episode", () => {
  const rollout = rolloutOf([1, 2, 3], [10, 20, 30], { truncated: [0, 1, 0], bootstrapValues: [9, 50, 40] });
  const { advantages } = generalizedAdvantages(rollout);
  const middle = 2 + 0.9 * 50 - 20;
  assertClose(advantages, [1 + 0.9 * 20 - 10 + 0.9 * 0.95 * middle, middle, 3 + 0.9 * 40 - 30]);
});

Deno.test("a step that is both terminated and truncated counts as terminated", () => {
  const rollout = rolloutOf([1], [2], { terminated: [1], truncated: [1], bootstrapValues: [100] });
  assertEquals([...generalizedAdvantages(rollout).advantages], [-1]);
});

/** The definition: A[t] = sum over l of (gamma lambda)^l delta[t+l], up to the end of the episode or of the rollout. */
function advantagesByDefinition(rollout: RolloutRewards): number[] {
  const { rewards, values, terminated, truncated, bootstrapValues, steps, envs, gamma, lambda } = rollout;
  return Array.from({ length: steps * envs }, (_, start) => {
    let sum = 0;
    for (let i = start, weight = 1; i < steps * envs; i += envs, weight *= gamma * lambda) {
      const leads = truncated[i] || i + envs >= steps * envs ? bootstrapValues[i] : values[i + envs];
      sum += weight * (rewards[i] + gamma * (terminated[i] ? 0 : leads) - values[i]);
      if (terminated[i] || truncated[i]) break;
    }
    return sum;
  });
}

Deno.test("any rollout agrees with the defining sum", () => {
  const real = fc.double({ min: -10, max: 10, noNaN: true });
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  const rollouts = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 5 })).chain(
    ([steps, envs]) => {
      const rows = <T>(of: fc.Arbitrary<T>) =>
        fc.array(of, { minLength: steps * envs, maxLength: steps * envs });
      const flag = fc.constantFrom(0, 0, 0, 1);
      return fc.record({
        rewards: rows(real),
        values: rows(real),
        terminated: rows(flag),
        truncated: rows(flag),
        bootstrapValues: rows(real),
        steps: fc.constant(steps),
        envs: fc.constant(envs),
        gamma: unit,
        lambda: unit,
      });
    },
  );
  fc.assert(fc.property(rollouts, (rollout) => {
    const { advantages, returns } = generalizedAdvantages(rollout);
    const expected = advantagesByDefinition(rollout);
    assertClose(advantages, expected, 1e-6);
    assertClose(returns, expected.map((advantage, i) => advantage + rollout.values[i]), 1e-6);
  }));
});

Deno.test("an empty rollout gives empty advantages", () => {
  assertEquals(generalizedAdvantages(rolloutOf([], [])).advantages.length, 0);
});

Deno.test("arrays of another length and factors outside [0, 1] are refused by name", () => {
  const rollout = rolloutOf([1, 2], [3, 4]);
  assertThrows(
    () => generalizedAdvantages({ ...rollout, values: [3] }),
    RangeError,
    "values has 1 elements, give one for each of 2 steps x 1 environments",
  );
  assertThrows(() => generalizedAdvantages({ ...rollout, gamma: 1.5 }), RangeError, "gamma is 1.5");
  assertThrows(() => generalizedAdvantages({ ...rollout, lambda: NaN }), RangeError, "lambda is NaN");
  assertThrows(() => generalizedAdvantages({ ...rollout, steps: 0.5 }), RangeError, "steps is 0.5");
});
