/** The algorithm of `add_an_algorithm.md`: returns less their mean, no critic. */
import { defineAlgorithm } from "../../rl/algorithms/mod.ts";
import { integer, number } from "../../rl/cli/mod.ts";
import { improveOptions } from "../../rl/improve.ts";

export default defineAlgorithm({
  name: "mean-baseline",
  summary: "return of the episode less the mean return of the iteration",
  source: "Williams 1992",
  options: {
    groups: integer(16, "episodes of an iteration", { min: 2, unit: "episodes" }),
    clip: number(0.2, "clip of the policy ratio", { min: 0 }),
    ...improveOptions,
  },
  metrics: { baseline: "mean return of the iteration's episodes, in units of scaled reward" },
  collect: ({ groups }) => ({ kind: "episodes", groups, groupSize: 1 }),
  objective: ({ clip, ...settings }) => ({
    ...settings,
    ratio: "token",
    clipLow: clip,
    clipHigh: clip,
    values: "none",
    valueClip: 0,
    valueCoefficient: 0,
  }),
  score: ({ transitions, trajectories }) => {
    const returns = trajectories.map(({ turns }) =>
      turns.reduce((sum, turn) => sum + transitions[turn].reward, 0)
    );
    const baseline = returns.reduce((sum, value) => sum + value, 0) / returns.length;
    const samples = trajectories.flatMap(({ turns }, e) =>
      turns.map((turn) => ({ transition: transitions[turn], advantage: returns[e] - baseline }))
    );
    return { samples, metrics: { baseline } };
  },
});
