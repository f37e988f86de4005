/**
 * Your own algorithm in one file: REINFORCE (Williams 1992) with the mean return of the iteration as its baseline.
 *
 *     A(episode) = return - mean return
 *     minimise     -mean over turns of A * log pi(response)
 *
 *     deno run -A algorithm.ts                  # learns the maze from noise, in memory
 *     ./ponder train --algorithm ./algorithm.ts --env ./environment.ts
 *     ./ponder train --algorithm ./algorithm.ts --help
 */
import { type Algorithm, defineAlgorithm, improveOptions, integer } from "@ponder/ponder/rl";
import { returnsToGo, train } from "@ponder/ponder/rl";
import maze from "./environment.ts";

const reinforce: Algorithm = defineAlgorithm({
  name: "reinforce",
  summary: "return less the mean of the iteration's, one ratio a response",
  source: "doi:10.1007/BF00992696",
  options: {
    episodes: integer(16, "whole episodes of an iteration", { min: 2, unit: "episodes" }),
    ...improveOptions, // what every algorithm with policy ratios has
  },
  metrics: { baseline: "mean return of the iteration's episodes, in units of scaled reward" },
  collect: ({ episodes }) => ({ kind: "episodes", groups: episodes, groupSize: 1 }),
  objective: (settings) => ({
    ...settings,
    ratio: "response",
    clipLow: 1, // never reached: a ratio is above 0
    clipHigh: 1e6,
    values: "none",
    valueClip: 0,
    valueCoefficient: 0,
  }),
  score: (rollout, { gamma }) => {
    const returns = rollout.trajectories.map((episode) => returnsToGo(rollout, episode, gamma)[0]);
    const baseline = returns.reduce((sum, each) => sum + each, 0) / returns.length;
    const samples = rollout.transitions.map((transition) => ({ transition, advantage: 0 }));
    rollout.trajectories.forEach(({ turns }, e) => {
      for (const turn of turns) samples[turn].advantage = returns[e] - baseline;
    });
    return { samples, metrics: { baseline } };
  },
});
export default reinforce;

if (import.meta.main) {
  // Without demonstrations RL begins from noise: at first hardly any response names an action.
  const settings = { demonstrations: 0, envs: 8, envSteps: 200, epochs: 1, minibatch: 32, evalEpisodes: 4 };
  for await (const event of train({ environment: maze, algorithm: reinforce, settings })) {
    if (event.stage === "rl") {
      console.log(`iteration ${event.iteration}: ${event.meanReturn} an episode, ${event.parseRate} parsed`);
    }
    if (event.stage === "done") event.policy.gpu.destroy();
  }
}
