/**
 * `act`: a trained policy looks at a picture and says what it would do.
 *
 * @module
 */
import { modelPlace } from "../rl/pretrained/run_base.ts";
import { debugLevel } from "../kernels/gpu/mod.ts";
import { readBytes } from "../model/files.ts";
import { agentOptions } from "../rl/agent.ts";
import {
  type Command,
  defineOptions,
  printable,
  processConsole,
  runCommand,
  UsageError,
  userPath,
} from "../rl/cli/mod.ts";
import { decodePicture } from "../rl/image.ts";
import { withTrainedPolicy } from "./trained_policy.ts";

const options = defineOptions({
  run: { type: "path", isRun: true, meaning: "run folder; the latest one under runs/ when absent" },
  env: { type: "string", meaning: "the run's environment, if that is a file of your own" },
  model: { type: "string", meaning: "where the run's pretrained model is now; where it was when absent" },
  prompt: { type: "string", meaning: "what to ask; the environment's task when absent" },
  greedy: { type: "boolean", default: false, meaning: "take the most probable token instead of sampling" },
  seed: { type: "integer", default: 0, min: 0, max: 1_000_000, meaning: "seed of the draws" },
  temperature: {
    type: "number",
    min: agentOptions.temperature.min,
    max: agentOptions.temperature.max,
    meaning: "divides the logits when sampling; the run's when absent",
  },
  json: { type: "boolean", default: false, meaning: "print a JSON object on stdout instead" },
});

/** The `act` command. */
export const actCommand: Command<typeof options> = {
  command: "./ponder act",
  summary: "Show a picture (PNG, of any size) to a trained policy: what it thinks, and what it would do.",
  examples: ["./ponder act frame.png", "./ponder act frame.png --run runs/NumberLine-s0 --greedy"],
  options,
  maxPositional: 1,
  async run({ given, values: { run, prompt, greedy, seed, json }, positional }) {
    const [picture] = positional;
    if (picture === undefined) throw new UsageError("Cannot act without a picture: name a PNG file");
    const path = userPath(picture);
    const frame = decodePicture(await readBytes(path), path);
    const request = {
      run,
      given: { env: given.env, model: modelPlace(given.model), temperature: given.temperature },
    };
    await withTrainedPolicy(request, async ({ gpu, policy, env, config, label }) => {
      const { info } = env.reset({ seed: 0 });
      const task = prompt ?? env.prompt(info, { cot: policy.cot });
      const acted = await policy.act(frame, task, {
        ...{ greedy, seed, temperature: config.temperature, actions: env.actions },
      });
      await gpu.settle();
      const { decoding, action, response } = acted;
      const probability = Math.exp(response.logprobs.reduce((sum, logprob) => sum + logprob, 0));
      const value = response.value / config.rewardScale;
      if (json) {
        processConsole.out(
          JSON.stringify({ text: decoding.text, action, value, probability, prompt: task }) + "\n",
        );
        return;
      }
      console.error(`${printable(label)} on ${gpu.adapterName}\n`);
      processConsole.out(`${printable(decoding.text)}\n`);
      processConsole.out(
        `-> ${action === null ? "no action found" : `action ${action}`}   value ${value.toFixed(2)}   ` +
          `probability of this response ${(100 * probability).toFixed(1)}%\n`,
      );
    });
  },
};

if (import.meta.main) Deno.exit(await runCommand(actCommand, Deno.args, { debug: debugLevel > 0 }));
