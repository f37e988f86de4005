/**
 * `replay`: computes a recorded episode again and shows that every token and number comes out the same, or where not.
 *
 * @module
 */
import { openTunedGpu } from "../bench/tuning.ts";
import { debugLevel } from "../kernels/gpu/mod.ts";
import {
  type Command,
  defineOptions,
  failureMessage,
  printable,
  processConsole,
  Progress,
  runCommand,
  runPath,
  UsageError,
} from "../rl/cli/mod.ts";
import { commonOptions, resolveConfig } from "../rl/config.ts";
import { RunFolder } from "../rl/run/folder.ts";
import { latestRun } from "../rl/run/latest.ts";
import { loadEnvironment } from "../rl/run/load_environment.ts";
import { decodeRecorded } from "../rl/run/recorded.ts";
import {
  entriesAt,
  iterationOf,
  readRecordedText,
  RECORDING_FOLDER,
  recordingFile,
} from "../rl/run/recording.ts";
import { compareEpisode, type Replay, replayFile } from "../rl/run/replay.ts";
import { keepReplay, tellReplay } from "../rl/run/replayed.ts";
import { stoppable } from "../rl/run/stop.ts";
import { modelPlace } from "../rl/pretrained/run_base.ts";
import { isSameEnvironment, readRunSettings, requireNoProgram, unnamed } from "../rl/run/trained.ts";

const options = defineOptions({
  run: {
    type: "path",
    isRun: true,
    meaning: "run folder, which may stand without the flag; the latest one under runs/ when absent",
  },
  episode: {
    type: "string",
    meaning:
      "which recorded episode: 12.0 is the first of iteration 12, sft.0 and rl.0 those of the evaluations; " +
      "the newest file's first when absent",
  },
  env: { type: "string", meaning: "the run's environment, if that is a file of your own" },
  model: { type: "string", meaning: "where the run's pretrained model is now; where it was when absent" },
  algorithm: { type: "string", meaning: "the run's algorithm, if that is a file of your own" },
  json: { type: "boolean", default: false, meaning: "print the comparison as JSON on stdout" },
});

/** The `replay` command. */
export const replayCommand: Command<typeof options> = {
  command: "./ponder replay",
  summary:
    "Compute a recorded episode again and compare every token, log-probability and advantage with the recording. " +
    "The page of ./ponder watch shows the result beside the episode.",
  examples: [
    "./ponder replay",
    "./ponder replay runs/NumberLine-s0 --episode 12.0",
    "./ponder replay runs/NumberLine-s0 --episode rl.0",
  ],
  options,
  maxPositional: 1,
  async run({ values, positional }) {
    if (values.run !== undefined && positional.length > 0) {
      throw new UsageError(`Cannot replay both ${values.run} and ${positional[0]}: name one run`);
    }
    const named = values.run ?? (positional.length > 0 ? runPath(positional[0]) : undefined);
    const run = named ?? await latestRun();
    const folder = await RunFolder.open(run);
    const { of, episode } = await findEpisode(run, values.episode);
    const file = recordingFile(of);
    const text = readRecordedText(run, file);
    const recorded = decodeRecorded(text);
    const label = `${typeof of === "number" ? of : of}.${episode}`;
    if (!recorded.episodes.some((each) => each.episode === episode)) {
      throw new UsageError(
        `Cannot replay ${label}: ${file} has episodes 0 to ${recorded.episodes.length - 1}`,
      );
    }
    const { settings, algorithm } = await readRunSettings(folder, values.algorithm);
    if (algorithm === null) throw unnamed(run, "algorithm", String(settings.algorithm));
    const reference = settings.env ?? commonOptions.env.default;
    if (values.env === undefined) requireNoProgram(run, reference);
    const environment = await loadEnvironment(values.env ?? reference);
    if (!isSameEnvironment(reference, environment)) {
      throw new UsageError(
        `Cannot replay ${run} in ${environment.name}: it was trained on ${printable(reference)}`,
      );
    }
    const model = modelPlace(values.model);
    const config = resolveConfig({ ...settings, ...model && { model } }, environment, algorithm);
    await requireUnextended(folder, of);
    const gpu = await openTunedGpu({ note: console.error });
    const progress = new Progress();
    try {
      progress.note(
        typeof of === "number"
          ? `Training again in memory, from the warm start to iteration ${of}, on ${gpu.adapterName}`
          : `Playing the held-out episodes after ${of === "sft" ? "SFT" : "RL"} again, on ${gpu.adapterName}`,
      );
      const lines = await stoppable(
        () => progress.note("Stopping after this step"),
        (isStopped) => replayFile(of, { gpu, folder, config, environment, algorithm, progress, isStopped }),
      );
      progress.close();
      if (lines === null) return 1;
      const replay = compareEpisode(recorded, lines, episode);
      await keepReplay(run, { file, episode, text }, tellReplay(replay, gpu.adapterName)).catch((error) =>
        console.error(`The page of watch will not show this: ${failureMessage(error)}`)
      );
      processConsole.out(
        values.json
          ? JSON.stringify({ run, episode: label, ...replay }, null, 2) + "\n"
          : report(label, replay, lines.length),
      );
      return replay.mismatches.length === 0 ? 0 : 1;
    } finally {
      progress.close();
      gpu.destroy();
    }
  },
};

async function findEpisode(
  run: string,
  text: string | undefined,
): Promise<{ of: number | "sft" | "rl"; episode: number }> {
  const files = entriesAt(`${run}/${RECORDING_FOLDER}`).filter((name) => name.endsWith(".jsonl"));
  await Promise.resolve();
  if (files.length === 0) {
    throw new Deno.errors.NotFound(
      `Cannot replay ${run}: nothing of it is recorded, train it without --record 0`,
    );
  }
  if (text === undefined) {
    const newest = files.includes(recordingFile("rl")) ? "rl" : iterationOf(files.at(-1)!) ?? "sft";
    return { of: newest, episode: 0 };
  }
  const [, name, episode = "0"] = /^(\d{1,9}|sft|rl)(?:\.(\d{1,4}))?$/.exec(text) ?? [];
  if (name === undefined) {
    throw new UsageError(`Cannot replay ${printable(text)}: name an episode as 12.0, sft.0 or rl.0`);
  }
  const of = name === "sft" || name === "rl" ? name : Number(name);
  if (!files.includes(recordingFile(of))) {
    const iterations = files.map(iterationOf).filter((each) => each !== null);
    const nearest = typeof of === "number" && iterations.length > 0
      ? `, the nearest is ${iterations.reduce((a, b) => Math.abs(b - of) < Math.abs(a - of) ? b : a)}`
      : "";
    throw new Deno.errors.NotFound(`Cannot replay ${text}: the recording does not hold it${nearest}`);
  }
  return { of, episode: Number(episode) };
}

/** An extended run's learning rate began to fall anew. */
async function requireUnextended(folder: RunFolder, of: number | "sft" | "rl"): Promise<void> {
  const checkpoint = await folder.readCheckpoint();
  if (typeof of !== "number" || (checkpoint?.manifest?.extensions.length ?? 0) === 0) return;
  throw new Error(
    `Cannot replay iteration ${of} of ${folder.path}: the run was extended, name an episode of an evaluation (sft.0, rl.0)`,
  );
}

/** What came out, for people. */
function report(label: string, { turns, tokens, compared, mismatches }: Replay, lines: number): string {
  const said = turns.filter(({ kind }) => kind === "turn")
    .map(({ turn, text, reward }) => `  turn ${turn + 1}  reward ${reward}  ${printable(text)}\n`).join("");
  const what = `${turns.length} responses of episode ${label}, ${tokens} tokens, ${compared} numbers`;
  if (mismatches.length === 0) {
    return `${said}\n${what}: mismatch 0. Every token and log-probability came out the same.\n`;
  }
  const listed = mismatches.slice(0, 20).map(({ turn, token, field, recorded, replayed }) => {
    const where = token === null ? `turn ${turn + 1}` : `turn ${turn + 1}, token ${token + 1}`;
    const short = (value: unknown) => printable(String(JSON.stringify(value))).slice(0, 40);
    return `  ${where}: ${field} was ${short(recorded)}, is ${short(replayed)}\n`;
  }).join("");
  const more = mismatches.length > 20 ? `  and ${mismatches.length - 20} more\n` : "";
  const hint = lines > 0 ? "Another adapter, driver or tuning of kernels computes other roundings.\n" : "";
  return `${said}\n${what}: mismatch ${mismatches.length}\n${listed}${more}${hint}`;
}

if (import.meta.main) Deno.exit(await runCommand(replayCommand, Deno.args, { debug: debugLevel > 0 }));
