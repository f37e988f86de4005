/**
 * `watch`: a page that follows runs, on this machine alone; or one file of it to send to somebody.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../envs/mod.ts";
import { openTunedGpu } from "../bench/tuning.ts";
import { writeFileAtomic } from "../model/files.ts";
import { type Command, defineOptions, formatBytes, runCommand, runPath, RUNS_FOLDER } from "../rl/cli/mod.ts";
import { requireNotOfRun } from "../rl/run/entries.ts";
import { loadEnvironment } from "../rl/run/load_environment.ts";
import { stoppable } from "../rl/run/stop.ts";
import { exportPage } from "../rl/watch/export.ts";
import { readPage } from "../rl/watch/page.ts";
import { Play } from "../rl/watch/play.ts";
import { findRuns } from "../rl/watch/runs.ts";
import { DEFAULT_PORT, serveSite } from "../rl/watch/serve.ts";
import { makeSite } from "../rl/watch/site.ts";

const options = defineOptions({
  run: {
    type: "path",
    isRun: true,
    meaning: "a run, or a folder of runs; all under runs/ when absent. Names may stand without the flag",
  },
  port: {
    type: "integer",
    default: DEFAULT_PORT,
    min: 0,
    max: 65535,
    meaning: "port on this machine; the next one if it is in use",
  },
  env: {
    type: "list",
    meaning: "files of your own environments, such as ./maze.ts: runs on them are drawn and played too",
  },
  export: { type: "path", meaning: "write one file that shows these runs without a server" },
});

/** The `watch` command. */
export const watchCommand: Command<typeof options> = {
  command: "./ponder watch",
  summary:
    "Show runs in a browser: trends, iterations, and recorded episodes token by token. Follows runs that train.",
  examples: [
    "./ponder watch",
    "./ponder watch runs/NumberLine-s0 runs/NumberLine-s1",
    "./ponder watch --env ./maze.ts",
    "./ponder watch runs/NumberLine-s0 --export page.html",
  ],
  options,
  maxPositional: 64,
  async run({ values: { run, port, env = [], export: out }, positional }) {
    const named = [...run === undefined ? [] : [run], ...positional.map(runPath)];
    const folders = named.length > 0 ? named : [RUNS_FOLDER];
    const environments = await Promise.all(env.map(loadEnvironment));
    if (out !== undefined) {
      await requireNotOfRun(out);
      const found = await findRuns(folders);
      if (found.length === 0) {
        throw new Deno.errors.NotFound(
          `Cannot export a page of ${
            folders.join(", ")
          }: there is no run in it, name a run or a folder of runs`,
        );
      }
      const html = await exportPage(await readPage(), found, environments);
      await writeFileAtomic(out, html);
      console.error(`Wrote ${out}, ${formatBytes(html.length)}; open it in a browser`);
      return 0;
    }
    // Runs that begin later are found too; a folder that is named must be there now.
    if (named.length > 0) await findRuns(folders);
    await serveRuns({
      folders,
      environments,
      port,
      told: (url) => `Watching ${folders.join(", ")} at ${url}`,
    });
    return 0;
  },
};

/** Serves the page of runs until it is interrupted. `told` makes the line that tells its address. */
export async function serveRuns(
  { folders, environments, model, port, told }: {
    readonly folders: readonly string[];
    readonly environments: readonly EnvironmentDefinition[];
    readonly model?: string;
    readonly port: number;
    readonly told: (url: string) => string;
  },
): Promise<void> {
  const runs = async () => await findRuns(folders).catch(() => []);
  const openGpu = () => openTunedGpu({ note: console.error });
  await using play = new Play({ runs, environments, model, openGpu });
  const answer = (request: Request, path: string) => play.answer(request, path);
  const site = makeSite({ page: await readPage(), runs, environments, play: answer });
  await using server = serveSite(site, { port, note: console.error });
  console.error(`${told(server.url)}  (Ctrl-C ends it)`);
  await stoppable(() => void server.close(), () => server.finished);
}

if (import.meta.main) Deno.exit(await runCommand(watchCommand, Deno.args));
