/**
 * A trained run acts on a picture file: it reads the picture and a prompt, thinks aloud, and names an action.
 *
 *     deno run -A act.ts                        # draws maze.png first
 *     deno run -A act.ts my_maze.png
 */
import { encodePicture, loadAgent, openGpu } from "@ponder/ponder";
import maze from "./environment.ts";
import { trainedMaze } from "./train.ts";

const env = maze.make();
const { observation, info } = env.reset({ seed: 4 });
const [file = "maze.png"] = Deno.args;
if (Deno.args.length === 0) await Deno.writeFile(file, encodePicture(observation));

const run = await trainedMaze();
const gpu = await openGpu();
const agent = await loadAgent(gpu, `${run}/checkpoint`);
const prompt = env.prompt(info, { cot: agent.cot });
const { decoding, action } = await agent.act(await Deno.readFile(file), prompt);
console.log(`${file}: the agent writes ${decoding.text}`);
console.log(`action: ${action ?? "none found"}`);

// The same with an environment: its present state is what the agent sees.
const { parse } = await agent.act(env, { greedy: true });
console.log("reward:", env.step(parse.action ?? env.randomAction()).reward);
gpu.destroy();
