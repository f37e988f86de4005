/**
 * Plays one episode with a trained run and shows what it writes at every step.
 *
 *     deno run -A play.ts
 *     ./ponder play --run runs/Maze             # the same from the shell, with pictures
 */
import { loadPolicy, openGpu } from "@ponder/ponder";
import maze from "./environment.ts";
import { trainedMaze } from "./train.ts";

const run = await trainedMaze();
const gpu = await openGpu();
const env = maze.make();
const policy = await loadPolicy(gpu, `${run}/checkpoint`, env);
env.reset({ seed: 2_000_000_000 }); // training never sees seeds from here on
for (let isOver = false; !isOver;) {
  const { decoding, action, parse } = await policy.act(env);
  const { reward, terminated, truncated } = env.step(
    parse.action ?? env.randomAction(),
  );
  console.log(
    `${decoding.text} -> ${action ?? "a random action"}, reward ${reward}`,
  );
  isOver = terminated || truncated;
}
gpu.destroy();
