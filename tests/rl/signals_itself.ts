/**
 * Loaded into a command before its own modules: the process sends itself signals when it has written so many lines of
 * `metrics.jsonl`. A test that watches from outside would come too late on a busy machine.
 *
 * `PONDER_TEST_SIGNALS` is a list such as `SIGHUP 1,SIGTERM 4`.
 */
const signals = Deno.env.get("PONDER_TEST_SIGNALS")!.split(",").map((item) => item.split(" "));
const { writeSync } = Deno.FsFile.prototype;
let lines = 0;

// Metrics are all that a run writes synchronously to a file.
Deno.FsFile.prototype.writeSync = function (this: Deno.FsFile, bytes: Uint8Array): number {
  const written = writeSync.call(this, bytes);
  lines++;
  for (const [signal, after] of signals) {
    if (lines === Number(after)) Deno.kill(Deno.pid, signal as Deno.Signal);
  }
  return written;
};
