/**
 * `export`: what a run holds, in the forms of other programs.
 *
 * @module
 */
import { type FileContent, writeFileAtomic, writeFolderAtomic } from "../model/files.ts";
import {
  type Command,
  defineOptions,
  formatBytes,
  runCommand,
  runPath,
  shellQuote,
  UsageError,
} from "../rl/cli/mod.ts";
import { modelPlace } from "../rl/pretrained/run_base.ts";
import { adapterFiles, mergedFiles, ownFiles } from "../rl/pretrained/export.ts";
import { requireFree, requireReplaceable } from "../rl/pretrained/install.ts";
import { metricsCsv, metricsJsonl, scalarsOf, tensorboardEvents } from "../rl/report/metrics_export.ts";
import { requireNotOfRun } from "../rl/run/entries.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { latestRun } from "../rl/run/latest.ts";
import { explained, proveAllMetrics } from "../rl/run/proof.ts";
import { readTrainedWeights } from "../rl/run/trained_weights.ts";

const options = defineOptions({
  run: {
    type: "path",
    isRun: true,
    meaning: "run folder, which may stand without the flag; the latest one under runs/ when absent",
  },
  metrics: {
    type: "string",
    choices: ["csv", "tensorboard", "jsonl"],
    meaning: "write the metrics: a table, an event file, or a JSON object a step, as W&B logs them",
  },
  merged: {
    type: "boolean",
    default: false,
    meaning: "write the whole model, with the adapters of a run with --lora in its weights",
  },
  model: {
    type: "string",
    meaning: "where the run's pretrained model is now; where it was when absent",
  },
  out: { type: "path", meaning: "folder to write; for csv and jsonl the file" },
  overwrite: { type: "boolean", default: false, meaning: "replace a folder of weights that is there" },
});

/** The `export` command. */
export const exportCommand: Command<typeof options> = {
  command: "./ponder export",
  summary:
    "Write a run for other programs: its weights in Hugging Face form, or with --metrics its metrics as CSV, for " +
    "TensorBoard, W&B or trackio.",
  examples: [
    "./ponder export runs/EZPoints-SmolVLM-256M-Instruct-s0 --out my-adapter",
    "./ponder export runs/EZPoints-SmolVLM-256M-Instruct-s0 --merged --out my-model",
    "./ponder export runs/NumberLine-s0 --metrics csv --out metrics.csv",
    "./ponder export runs/NumberLine-s0 --metrics tensorboard --out logs/NumberLine-s0",
  ],
  options,
  maxPositional: 1,
  async run({ values: { run: flag, metrics, out, ...weights }, positional }) {
    if (out === undefined) {
      throw new UsageError("Cannot export without a place: name a file or folder with --out");
    }
    const run = flag ?? (positional.length > 0 ? runPath(positional[0]) : await latestRun());
    if (metrics === undefined) return await exportWeights(run, out, weights);
    if (weights.merged || weights.model !== undefined) {
      throw new UsageError(
        "Cannot use --merged or --model with --metrics: export metrics and weights one by one",
      );
    }
    const folder = await RunFolder.open(run);
    await explained(run, () => proveAllMetrics(run));
    const scalars = scalarsOf(await folder.readMetrics());
    let path = out;
    let content: FileContent;
    if (metrics === "tensorboard") {
      // The metrics have no times, but a reader needs one. The best is that of the file.
      const { mtime } = await Deno.stat(`${run}/metrics.jsonl`);
      const seconds = Math.floor((mtime?.getTime() ?? 0) / 1000);
      path = `${out}/events.out.tfevents.${seconds}.ponder`;
      content = tensorboardEvents(scalars, seconds);
    } else if (metrics === "csv") content = metricsCsv(scalars);
    else content = metricsJsonl(scalars);
    await requireNotOfRun(path);
    await writeFileAtomic(path, content);
    console.error(`Wrote ${path}, ${scalars.length} numbers, ${formatBytes(content.length)}`);
  },
};

/** Writes the weights of a run: a PEFT adapter, or a whole model. */
async function exportWeights(
  run: string,
  out: string,
  { merged, model, overwrite }: { merged: boolean; model?: string; overwrite: boolean },
): Promise<void> {
  await (overwrite ? requireReplaceable(out) : requireFree(out));
  const { trained, base, tokenizer } = await readTrainedWeights(
    run,
    model === undefined ? undefined : modelPlace(model),
  );
  const isAdapter = trained.config.lora !== undefined && !merged;
  const files = base === null
    ? ownFiles(trained, tokenizer)
    : isAdapter
    ? adapterFiles(trained, base.base)
    : await mergedFiles(trained, base.base);
  await writeFolderAtomic(out, files, { isNew: !overwrite });
  const { size } = await Deno.stat(`${out}/${isAdapter ? "adapter_model" : "model"}.safetensors`);
  console.error(
    `Wrote ${out}, ${isAdapter ? "a PEFT adapter" : "a Hugging Face folder"} with ${
      formatBytes(size)
    } of weights`,
  );
  console.error(
    `Next: ./ponder import ${shellQuote(out)}` +
      (isAdapter ? ` --base ${shellQuote(base!.base.folder)}` : ""),
  );
}

if (import.meta.main) Deno.exit(await runCommand(exportCommand, Deno.args));
