/** Training in processes of its own that are signalled, lose their parent, or cannot write their messages. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { taskArguments } from "../../../rl/cli/mod.ts";
import { metricsOf, outcomeOf, TempFolder, TINY_FLAGS } from "../tiny_run.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const noWindows = { ignore: Deno.build.os === "windows", sanitizeResources: false, sanitizeOps: false };

/** A training far too long to end by itself. */
const LONG = [...TINY_FLAGS, "--sft-steps", "1000000"];

function start(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Deno.ChildProcess {
  return new Deno.Command(program, {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", PONDER_CWD: "", PONDER_SIGHUP: "", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Waits until training has begun. */
async function waitForMetrics(run: string): Promise<void> {
  for (let waitedMs = 0; metricsOf(run) === ""; waitedMs += 20) {
    assert(waitedMs < 120_000, `${run} does not begin`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const isSaved = (run: string): boolean =>
  [...Deno.readDirSync(run)].some(({ name }) => name === "checkpoint");

Deno.test("a closed terminal and a full log end training with a save", noWindows, async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const line = `exec "$@" 2>/dev/full`;
  const child = start("sh", [
    "-c",
    line,
    "sh",
    Deno.execPath(),
    ...taskArguments("train"),
    ...LONG,
    "--out",
    run,
  ]);
  await waitForMetrics(run);
  child.kill("SIGHUP");
  const { code, out } = await outcomeOf(child);
  assertEquals([code, out], [1, ""]);
  assert(isSaved(run));
});

Deno.test("a training that is to outlive its terminal goes on after SIGHUP", noWindows, async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const args = [...taskArguments("train"), ...LONG, "--out", run];
  const child = start(Deno.execPath(), args, { PONDER_SIGHUP: "ignore" });
  await waitForMetrics(run);
  child.kill("SIGHUP");
  const linesThen = metricsOf(run).split("\n").length;
  while (metricsOf(run).split("\n").length < linesThen + 3) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGTERM");
  const { code, err } = await outcomeOf(child);
  assertEquals(code, 1, err);
  assert(isSaved(run));
});

Deno.test("a training whose deno task is killed saves and ends", noWindows, async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const task = start(Deno.execPath(), ["task", "train", ...LONG, "--out", run]);
  await waitForMetrics(run);
  task.kill("SIGKILL");
  // Its streams close when the last process that holds them has ended.
  const { err } = await outcomeOf(task);
  assertStringIncludes(err, "Stopping: finishing this step and saving.");
  assert(isSaved(run));
});
