/**
 * Trains on the maze by an algorithm other than the default, and prints what it logs.
 *
 *     deno run -A choose_algorithm.ts           # GRPO
 *     deno run -A choose_algorithm.ts rloo      # or another: `./ponder algorithms` lists them
 */
import { algorithms, train } from "@ponder/ponder/rl";
import maze from "./environment.ts";

const algorithm = Deno.args[0] ?? "grpo";
const chosen = algorithms[algorithm];
if (chosen === undefined) {
  console.error(
    `Unknown algorithm ${algorithm}: there are ${Object.keys(algorithms).join(", ")}`,
  );
  Deno.exit(2);
}
console.log(`${chosen.name}: ${chosen.summary}\n${chosen.source}`);

/** The smallest model and few steps, so that the example is short. Groups share one deal; PPO and its kin have no groups. */
const settings = {
  preset: "pico" as const,
  demonstrations: 400,
  sftSteps: 100,
  sftBatch: 16,
  envs: 16,
  envSteps: 64,
  evalEpisodes: 16,
  ..."groups" in chosen.options ? { groups: 4, groupSize: 4 } : {},
};

for await (const event of train({ environment: maze, algorithm, settings })) {
  if (event.stage === "rl") {
    const logged = Object.keys(chosen.metrics).map((name) => `${name} ${event[name as keyof typeof event]}`);
    console.log(
      `${event.envSteps} steps, success ${event.success}, ${logged.join(", ")}`,
    );
  }
  if (event.stage === "done") event.policy.gpu.destroy();
}
