/**
 * Evaluates a trained run on held-out episodes, beside chance and the solver.
 *
 *     deno run -A evaluate.ts
 *     ./ponder eval --run runs/Maze             # the same from the shell, with a table
 */
import { evaluate, loadPolicy, openGpu, scriptedPolicy } from "@ponder/ponder";
import maze from "./environment.ts";
import { trainedMaze } from "./train.ts";

const run = await trainedMaze();
const gpu = await openGpu();
const policy = await loadPolicy(gpu, `${run}/checkpoint`, maze.make());
const players = {
  chance: scriptedPolicy("random", 0),
  solver: scriptedPolicy("optimal", 0),
  [run]: policy,
};
for (const [name, player] of Object.entries(players)) {
  const { success, ci95: [low, high], meanReturn } = await evaluate(player, {
    environment: maze,
    episodes: 64,
    seed: 0,
    greedy: false,
    ...policy.sampling,
  });
  console.log(
    `${name}: success ${success} (${low.toFixed(2)} to ${high.toFixed(2)}), return ${meanReturn}`,
  );
}
gpu.destroy();
