/** Takes what the playground shows at once from a run on NumberLine: its checkpoint, its learning curve, some episodes. */
import { numberLine } from "../envs/mod.ts";
import { openGpu } from "../kernels/gpu/mod.ts";
import type { Agent } from "../rl/agent.ts";
import { loadAgent } from "../rl/run/checkpoint.ts";
import type { Point, Step } from "../web/playground/protocol.ts";
import { playSteps, responder } from "../web/playground/play.ts";

/** Episodes that are recorded. */
const EPISODES = 12;

/** Writes them into a folder. */
export async function writeDemo(run: string, folder: URL): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const name of ["config.json", "tokenizer.json", "model.safetensors"]) {
    await Deno.writeFile(new URL(name, folder), await Deno.readFile(`${run}/checkpoint/${name}`));
  }
  const gpu = await openGpu();
  const agent: Agent = await loadAgent(gpu, `${run}/checkpoint`);
  const episodes: Step[][] = [];
  for (let episode = 0; episode < EPISODES; episode++) {
    const steps: Step[] = [];
    for await (
      const { step } of playSteps(responder(agent, { episode, greedy: false }), numberLine, { episode })
    ) {
      steps.push(step);
    }
    episodes.push(steps);
  }
  gpu.destroy();
  const lines = (await Deno.readTextFile(`${run}/metrics.jsonl`)).trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  const curve: Point[] = lines.filter(({ stage }) => stage === "rl").map(({ envSteps, success }) => ({
    envSteps,
    success,
  }));
  await Deno.writeTextFile(new URL("recorded.json", folder), JSON.stringify({ episodes, curve }) + "\n");
}
