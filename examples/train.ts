/**
 * Trains on the maze for some seconds: a warm start from demonstrations, RL, evaluation.
 *
 *     deno run -A train.ts                      # writes runs/Maze
 */
import { train } from "@ponder/ponder/rl";
import maze from "./environment.ts";

/** The smallest model and few steps, so that the example is short. `./ponder train --help` lists every setting and its default. */
const settings = {
  preset: "pico" as const,
  demonstrations: 400,
  sftSteps: 120,
  sftBatch: 16,
  envs: 16,
  envSteps: 256,
  evalEpisodes: 32,
  overwrite: true,
};

/** Trains into a folder and returns its name. */
export async function trainMaze(out: string): Promise<string> {
  for await (const event of train({ environment: maze, out, settings })) {
    switch (event.stage) {
      case "rl":
        console.log(`${event.envSteps} steps, success ${event.success}`);
        break;
      case "evaluation":
        console.log(
          `after ${event.after}: ${event.sampled.success} of held-out episodes succeed`,
        );
        break;
      case "done":
        event.policy.gpu.destroy();
    }
  }
  return out;
}

/** The folder of a trained run, which is trained first if it is not there. */
export async function trainedMaze(out = "runs/Maze"): Promise<string> {
  const isThere = await Deno.stat(`${out}/checkpoint`).then(
    () => true,
    () => false,
  );
  return isThere ? out : await trainMaze(out);
}

if (import.meta.main) await trainMaze("runs/Maze");
