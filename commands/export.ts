/**
 * `export`: what a run holds, in the forms of other programs.
 *
 * @module
 */
import { type FileContent, writeFileAtomic } from "../model/files.ts";
import { type Command, defineOptions, formatBytes, runCommand, runPath, UsageError } from "../rl/cli/mod.ts";
import { metricsCsv, scalarsOf, tensorboardEvents } from "../rl/report/metrics_export.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { latestRun } from "../rl/run/latest.ts";
import { explained, proveAllMetrics } from "../rl/run/proof.ts";

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
  out: { type: "path", meaning: "file to write; for tensorboard the folder" },
});

/** The `export` command. */
export const exportCommand: Command<typeof options> = {
  command: "./ponder export",
  summary: "Write a run's metrics for other programs: CSV, TensorBoard, W&B or trackio.",
  examples: [
    "./ponder export runs/NumberLine-s0 --metrics csv --out metrics.csv",
    "./ponder export runs/NumberLine-s0 --metrics tensorboard --out logs/NumberLine-s0",
  ],
  options,
  maxPositional: 1,
  async run({ values: { run: flag, metrics, out }, positional }) {
    if (metrics === undefined) throw new UsageError("Cannot export nothing: name a form with --metrics");
    if (out === undefined) {
      throw new UsageError("Cannot export without a place: name a file or folder with --out");
    }
    const run = flag ?? (positional.length > 0 ? runPath(positional[0]) : await latestRun());
    const folder = await RunFolder.open(run);
    await explained(run, () => proveAllMetrics(run));
    const scalars = scalarsOf(await folder.readMetrics());
    let path = out;
    let content: FileContent;
    if (metrics === "tensorboard") {
      // The file has no clock; the reader needs some time, and the run's is the best.
      const { mtime } = await Deno.stat(`${run}/metrics.jsonl`);
      const seconds = Math.floor((mtime?.getTime() ?? 0) / 1000);
      path = `${out}/events.out.tfevents.${seconds}.ponder`;
      content = tensorboardEvents(scalars, seconds);
    } else if (metrics === "csv") content = metricsCsv(scalars);
    else content = metricsJsonl(scalars);
    await writeFileAtomic(path, content);
    console.error(`Wrote ${path}, ${scalars.length} numbers, ${formatBytes(content.length)}`);
  },
};

/** Objects with `_step`, one for each step of a stage. */
function metricsJsonl(scalars: ReturnType<typeof scalarsOf>): string {
  const rows = new Map<string, Record<string, number>>();
  for (const { name, step, value } of scalars) {
    const key = `${name.split("/")[0]} ${step}`;
    const row = rows.get(key) ?? { _step: step };
    rows.set(key, row);
    row[name] = value;
  }
  return [...rows.values()].map((row) => JSON.stringify(row) + "\n").join("");
}

if (import.meta.main) Deno.exit(await runCommand(exportCommand, Deno.args));
