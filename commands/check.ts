/**
 * `check`: verifies the files of a run, and can go back to the last whole checkpoint.
 *
 * @module
 */
import { checkRun, type RunState } from "../rl/run/check.ts";
import {
  type Command,
  defineOptions,
  formatTable,
  processConsole,
  runCommand,
  runPath,
  UsageError,
} from "../rl/cli/mod.ts";
import { latestRun } from "../rl/run/latest.ts";
import { restoreRun } from "../rl/run/proof.ts";

const options = defineOptions({
  run: {
    type: "path",
    isRun: true,
    meaning: "run folder, which may stand without the flag; the latest one under runs/ when absent",
  },
  restore: {
    type: "boolean",
    default: false,
    meaning: "go back to the last checkpoint that is whole, with the metrics and settings that belong to it",
  },
  json: { type: "boolean", default: false, meaning: "print the states as JSON on stdout" },
});

/** The `check` command. */
export const checkCommand: Command<typeof options> = {
  command: "./ponder check",
  summary: "Verify every file of a run against its digests; exit with 1 when one is damaged.",
  examples: [
    "./ponder check",
    "./ponder check runs/NumberLine-s0",
    "./ponder check runs/NumberLine-s0 --restore",
    "./ponder check runs/NumberLine-s0 --json",
  ],
  options,
  maxPositional: 1,
  async run({ values, positional }) {
    if (values.run !== undefined && positional.length > 0) {
      throw new UsageError(`Cannot check both ${values.run} and ${positional[0]}: name one run`);
    }
    const run = values.run ?? (positional.length > 0 ? runPath(positional[0]) : undefined) ??
      await latestRun();
    const restored = values.restore ? await restoreRun(run) : [];
    const state = await checkRun(run);
    if (values.json) processConsole.out(JSON.stringify({ run, restored, ...state }, null, 2) + "\n");
    else processConsole.out(report(run, restored, state));
    return state.isWhole ? 0 : 1;
  },
};

function report(run: string, restored: readonly string[], { files, isWhole, notes }: RunState): string {
  const rows = files.map(({ file, state, detail }) => [file, detail === "" ? state : `${state}: ${detail}`]);
  const verdict = isWhole
    ? `${run} is whole.`
    : `${run} is damaged, or cannot be verified; --restore goes back to what is whole, --overwrite begins it again.`;
  return [...restored, formatTable(["file", "state"], rows), "", ...notes, verdict].join("\n") + "\n";
}

if (import.meta.main) Deno.exit(await runCommand(checkCommand, Deno.args));
