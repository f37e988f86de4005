/**
 * `watch`: a page that follows runs, on this machine alone; or one file of it to send to somebody.
 *
 * @module
 */
import { openTunedGpu } from "../bench/tuning.ts";
import { writeFileAtomic } from "../model/files.ts";
import { type Command, defineOptions, formatBytes, runCommand, runPath, RUNS_FOLDER } from "../rl/cli/mod.ts";
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
    "./ponder watch runs/NumberLine-s0 --export page.html",
  ],
  options,
  maxPositional: 64,
  async run({ values: { run, port, export: out }, positional }) {
    const named = [...run === undefined ? [] : [run], ...positional.map(runPath)];
    const folders = named.length > 0 ? named : [RUNS_FOLDER];
    const page = await readPage();
    if (out !== undefined) {
      const found = await findRuns(folders);
      if (found.length === 0) {
        throw new Deno.errors.NotFound(
          `Cannot export a page of ${
            folders.join(", ")
          }: there is no run in it, name a run or a folder of runs`,
        );
      }
      const html = await exportPage(page, found);
      await writeFileAtomic(out, html);
      console.error(`Wrote ${out}, ${formatBytes(html.length)}; open it in a browser`);
      return 0;
    }
    // Runs that begin later are found too; a folder that is named must be there now.
    if (named.length > 0) await findRuns(folders);
    const runs = async () => await findRuns(folders).catch(() => []);
    await using play = new Play({ runs, openGpu: () => openTunedGpu({ note: console.error }) });
    const site = makeSite({ page, runs, play: (request, path) => play.answer(request, path) });
    await using server = serveSite(site, { port, note: console.error });
    console.error(`Watching ${folders.join(", ")} at ${server.url}  (Ctrl-C ends it)`);
    await stoppable(() => void server.close(), () => server.finished);
    return 0;
  },
};

if (import.meta.main) Deno.exit(await runCommand(watchCommand, Deno.args));
