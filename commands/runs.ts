/**
 * `runs`: lists runs with their results, age and state.
 *
 * @module
 */
import { relative, resolve } from "node:path";
import {
  type Command,
  defineOptions,
  formatShare,
  formatTable,
  printable,
  processConsole,
  runCommand,
  runPath,
  RUNS_FOLDER,
  userFolder,
} from "../rl/cli/mod.ts";
import { describeRun, findRuns } from "../rl/watch/runs.ts";
import type { RunListed } from "../rl/watch/wire.ts";

const options = defineOptions({
  json: { type: "boolean", default: false, meaning: "print the runs as JSON on stdout" },
});

/** The `runs` command. */
export const runsCommand: Command<typeof options> = {
  command: "./ponder runs",
  summary: "List runs, the newest first: held-out success, age, and whether they train, stopped or finished.",
  examples: ["./ponder runs", "./ponder runs runs/sweep", "./ponder runs --json"],
  options,
  maxPositional: 64,
  async run({ values: { json }, positional }) {
    const folders = positional.length > 0 ? positional.map(runPath) : [RUNS_FOLDER];
    const found = await findRuns(folders).catch((error) => {
      // Nothing was trained yet.
      if (positional.length === 0 && error instanceof Deno.errors.NotFound) return [];
      throw error;
    });
    const paths = new Map(found.map(({ id, path }) => [id, path]));
    const listed = (await Promise.all(found.map(describeRun)))
      .map(({ listed }) => ({ ...listed, name: nameFor(paths.get(listed.id)!) }))
      .sort((a, b) => b.changedMs - a.changedMs);
    if (json) {
      const runs = listed.map(({ id, ...run }) => ({ path: fromUser(paths.get(id)!), ...run }));
      processConsole.out(JSON.stringify(runs, null, 2) + "\n");
    } else if (listed.length === 0) {
      processConsole.out(`No runs in ${folders.join(", ")}; ./ponder train begins one\n`);
    } else processConsole.out(formatRuns(listed, Date.now()) + "\n");
  },
};

/** What a user can type after `--run` for the run at this path, from the folder that they are in. */
function nameFor(path: string): string {
  return path.startsWith(`${RUNS_FOLDER}/`) ? path.slice(RUNS_FOLDER.length + 1) : relativeToUser(path);
}

/** A path of this process, as it is from the folder that the user is in. */
function fromUser(path: string): string {
  return userFolder() === Deno.cwd() ? path : resolve(path);
}

function relativeToUser(path: string): string {
  const name = relative(userFolder(), resolve(path));
  return name === "" ? "." : name.startsWith("..") ? path : name;
}

/** A table of runs for people. */
export function formatRuns(runs: readonly RunListed[], nowMs: number): string {
  const share = (value: number | null) => value === null ? "-" : formatShare(value);
  const rows = runs.map((run) => [
    ...[run.name, run.environment, run.policy === "cnn" ? `${run.algorithm}, cnn` : run.algorithm],
    ...[share(run.afterSft), share(run.sampled), share(run.greedy)],
    ...[run.status, run.changedMs === 0 ? "-" : formatAge(nowMs - run.changedMs)],
  ]);
  const table = formatTable(
    ["run", "environment", "algorithm", "after SFT", "success", "greedy", "state", "age"],
    rows,
  );
  const notes = runs.filter(({ status }) => status === "damaged").map(({ name, detail }) =>
    printable(`${name}: ${detail}`)
  );
  return [table, ...notes.length > 0 ? ["", ...notes] : []].join("\n");
}

/** An age in its largest unit: `3 d`. */
function formatAge(ms: number): string {
  for (const [unit, size] of [["d", 86_400e3], ["h", 3_600e3], ["min", 60e3]] as const) {
    if (ms >= size) return `${Math.floor(ms / size)} ${unit}`;
  }
  return `${Math.max(0, Math.floor(ms / 1e3))} s`;
}

if (import.meta.main) Deno.exit(await runCommand(runsCommand, Deno.args));
