/**
 * `baseline`: what PPO reaches without language, with a small convolutional network on the same pixels.
 *
 * @module
 */
import { debugLevel, NotFiniteError } from "../kernels/gpu/mod.ts";
import { type BaselineConfig, baselineOptions, resolveBaselineConfig } from "./baseline/config.ts";
import { type BaselineContext, newCnn, runBaseline } from "./baseline/run.ts";
import { type Command, commandLine, formatBytes, formatDuration, Progress, runCommand } from "./cli/mod.ts";
import { settingsOf } from "./config.ts";
import { environmentName } from "./environment_name.ts";
import type { Evaluation } from "./evaluation.ts";
import { peakMemory } from "./memory.ts";
import { evaluationReport, evaluationTable, successMeaning } from "./report.ts";
import { RunFolder } from "./run_folder.ts";
import { stoppable } from "./stop.ts";
import { openTunedGpu } from "./tuning.ts";

/** The `baseline` command. */
export const baselineCommand: Command<typeof baselineOptions> = {
  command: "deno task baseline",
  summary: "Train the paper's baseline, a small CNN with PPO on the same pixels, and evaluate it.",
  examples: [
    "deno task baseline",
    "deno task baseline --env Blackjack --seed 1",
    "deno task baseline --env-steps 30720 --out runs/cnn-longer",
  ],
  options: baselineOptions,
  async run({ given, values }) {
    const config = resolveBaselineConfig(given, environmentName(values.env));
    const out = config.out ?? `runs/${config.env}-cnn-s${config.seed}`;
    // Before the folder: without an adapter there should be no run to trip over next time.
    const gpu = await openTunedGpu({ note: console.error });
    const progress = new Progress();
    try {
      await using folder = await RunFolder.create(out, config);
      await folder.writeConfig(settingsOf(config));
      const note = () => progress.note("Stopping: finishing this step. Once more to stop at once.");
      return await stoppable(note, (isStopped) => train(config, { gpu, folder, progress, isStopped }));
    } finally {
      progress.close();
      gpu.destroy();
    }
  },
};

async function train(config: BaselineConfig, context: BaselineContext): Promise<number> {
  const { gpu, folder, progress } = context;
  const startMs = performance.now();
  const cnn = newCnn(gpu, config);
  const parameters = cnn.parameters.count;
  progress.note(`${config.env}, CNN (${(parameters / 1e6).toFixed(2)}M parameters), seed ${config.seed}`);
  progress.note(`On ${gpu.adapterName}`);
  try {
    const { evaluation, seconds } = await runBaseline(cnn, config, context);
    progress.close();
    if (evaluation === null) {
      console.error(`Stopped. ${folder.path} cannot be resumed: begin again with --overwrite`);
      return 1;
    }
    const total = (performance.now() - startMs) / 1e3;
    const peakBytes = peakMemory();
    const summary = {
      command: commandLine("baseline"),
      adapter: gpu.adapterName,
      deno: Deno.version.deno,
      preset: "cnn",
      parameters,
      seed: config.seed,
      env_steps: config.envSteps,
      evaluation: evaluationReport(evaluation, {
        environment: config.env,
        episodes: config.evalEpisodes,
        seed: 0,
      }),
      evaluation_after_sft: null,
      wall_seconds: { total, sft: 0, ...seconds },
      peak_memory_bytes: peakBytes,
    };
    // What went wrong on the GPU is known only now; no result is kept then.
    await gpu.settle();
    await folder.writeSummary(summary);
    report(config, evaluation);
    console.error(
      `\nTook ${formatDuration(total * 1e3)}, peak memory ${formatBytes(peakBytes)}. Saved in ${folder.path}`,
    );
    if (config.json) console.log(JSON.stringify(summary, null, 2));
    return 0;
  } catch (error) {
    if (!(error instanceof NotFiniteError)) throw error;
    const hint = debugLevel >= 4 ? "" : "; run again with DEBUG=4 to name the op";
    throw new Error(`Cannot go on: ${error.message}${hint}`, { cause: error });
  }
}

/** The evaluation table, on stderr. */
function report(config: BaselineConfig, { sampled, greedy }: Evaluation): void {
  console.error(
    `\n${config.env}, ${config.evalEpisodes} held-out episodes, success = ${successMeaning(config.env)}`,
  );
  console.error(evaluationTable({ "CNN + RL, sampled": sampled, "CNN + RL, greedy": greedy }));
}

if (import.meta.main) Deno.exit(await runCommand(baselineCommand, Deno.args, { debug: debugLevel > 0 }));
