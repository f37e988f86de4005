/** Training in processes of its own that are signalled, lose their parent, or cannot write their messages. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { metricsOf, outcomeOf, signalsItself, TempFolder, TINY_FLAGS } from "../rl/tiny_run.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
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

/** Waits until training has begun, or ended. */
async function waitForMetrics(run: string, child: Deno.ChildProcess): Promise<void> {
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  while (metricsOf(run) === "" && !hasEnded) await new Promise((resolve) => setTimeout(resolve, 20));
  assert(!hasEnded, `${run} does not begin`);
}

const isSaved = (run: string): boolean =>
  [...Deno.readDirSync(run)].some(({ name }) => name === "checkpoint");

Deno.test("a closed terminal and a full log end training with a save", noWindows, async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const command = [Deno.execPath(), ...signalsItself("train"), ...LONG, "--out", run];
  const child = start("sh", ["-c", `exec "$@" 2>/dev/full`, "sh", ...command], {
    PONDER_TEST_SIGNALS: "SIGHUP 1",
  });
  const { code, out } = await outcomeOf(child);
  assertEquals([code, out], [1, ""]);
  assert(isSaved(run));
});

Deno.test("a training that is to outlive its terminal goes on after SIGHUP", noWindows, async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const { code, err } = await outcomeOf(
    start(Deno.execPath(), [...signalsItself("train"), ...LONG, "--out", run], {
      PONDER_SIGHUP: "ignore",
      PONDER_TEST_SIGNALS: "SIGHUP 1,SIGTERM 8",
    }),
  );
  assertEquals(code, 1, err);
  assert(metricsOf(run).trimEnd().split("\n").length >= 8, "it went on");
  assert(isSaved(run));
});

Deno.test("a training whose deno task is killed saves and ends", noWindows, async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const task = start(Deno.execPath(), ["task", "train", ...LONG, "--out", run]);
  await waitForMetrics(run, task);
  task.kill("SIGKILL");
  // Its streams close when the last process that holds them has ended.
  const { err } = await outcomeOf(task);
  assertStringIncludes(err, "Stopping: finishing this step and saving.");
  assert(isSaved(run));
});
