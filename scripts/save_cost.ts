/**
 * `saving`: measures what saving costs in a run with the default settings, as a share of its time in RL.
 *
 * @module
 */
import { numberLine } from "../envs/mod.ts";
import { openGpu } from "../kernels/gpu/mod.ts";
import { ppo } from "../rl/algorithms/mod.ts";
import type { Algorithm } from "../rl/algorithms/mod.ts";
import { type Command, Progress, runCommand } from "../rl/cli/mod.ts";
import { resolveConfig, settingsOf } from "../rl/config.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { runTraining } from "../rl/run/run.ts";
import { Run } from "../rl/run/state.ts";

/** Iterations of the run. They give two saves on the way, and the one at the end. */
const ITERATIONS = 12;

/** The `saving` command. */
export const savingCommand: Command<Record<string, never>> = {
  command: "./ponder saving",
  summary: "Measure what saving costs in a run with the default settings, as a share of its time in RL, " +
    "and print it as JSON. It takes about half a minute.",
  examples: ["./ponder saving"],
  options: {},
  async run() {
    const config = resolveConfig(
      { demonstrations: 0, envSteps: ITERATIONS * 256, evalEpisodes: 1 },
      numberLine,
    );
    const saves: number[] = [];
    const save = Run.prototype.save;
    Run.prototype.save = async function (name) {
      const startMs = performance.now();
      await save.call(this, name);
      if (this.state.iteration > 0) saves.push(performance.now() - startMs);
    };
    const gpu = await openGpu();
    const folder = await Deno.makeTempDir({ prefix: "ponder_save_cost_" });
    try {
      await using run = await RunFolder.create(`${folder}/run`);
      await run.writeConfig(settingsOf(config));
      const progress = new Progress();
      const { effort } = await runTraining(config, {
        gpu,
        environment: numberLine,
        algorithm: ppo as unknown as Algorithm,
        folder: run,
        progress,
        isStopped: () => false,
      });
      progress.close();
      // Every sixth iteration ends with a save. The last one is saved once more as finished.
      const regular = saves.slice(0, -1), mean = regular.reduce((sum, ms) => sum + ms, 0) / regular.length;
      const iterationMs = 1e3 * effort.rl / ITERATIONS;
      console.log(JSON.stringify({
        command: "./ponder saving",
        adapter: gpu.adapterName,
        iterations: ITERATIONS,
        iterationMs: Math.round(iterationMs),
        savesMs: saves.map(Math.round),
        shareOfTime: Number((mean / 6 / iterationMs).toFixed(4)),
      }));
    } finally {
      gpu.destroy();
      await Deno.remove(folder, { recursive: true });
    }
  },
};

if (import.meta.main) Deno.exit(await runCommand(savingCommand, Deno.args));
