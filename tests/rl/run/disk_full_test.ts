/** A disk that is full: what fails says so, and leaves the old files whole and nothing else. */
import { assert, assertEquals } from "@std/assert";
import { checkRun } from "../../../rl/run/check.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { checkpointOf, copyFolder, inScratch, namesIn } from "./scratch_run.ts";

/** Writes a run until something fails; returns the error and what was written by then. */
async function writeRun(path: string) {
  const done = { lines: 0, checkpoint: null as string | null, summary: false };
  let run: RunFolder | null = null;
  try {
    run = await RunFolder.create(path);
    await run.writeConfig({ seed: 7 });
    for (const content of ["1", "2", "3"]) {
      for (let i = 0; i < 4; i++) {
        run.appendMetrics({ note: content.repeat(900) });
        done.lines++;
      }
      const body = content.repeat(9000);
      await run.writeCheckpoint({ "model.safetensors": body, "trainer.json": body });
      done.checkpoint = body;
    }
    await run.writeSummary({ note: "4".repeat(3000) });
    done.summary = true;
    return { done, error: null };
  } catch (error) {
    return { done, error: error as Error };
  } finally {
    await run?.close();
  }
}

/** What a failed run must leave behind. */
async function requireWhole(path: string, { done, error }: Awaited<ReturnType<typeof writeRun>>) {
  if (error !== null) assert(/^Cannot write .*: .*, check /.test(error.message), error.message);
  const leftovers = (await namesIn(path)).filter((name) => /\.(tmp|new)$/.test(name));
  assertEquals(leftovers, []);
  if (!(await namesIn(path)).includes("config.json")) return assertEquals(done.checkpoint, null);
  const run = await RunFolder.open(path);
  assertEquals((await run.readMetrics()).length, done.lines);
  assertEquals(await checkpointOf(run), done.checkpoint);
  assert((await checkRun(path)).isWhole);
  // `summary.json` may be there while its manifest failed.
  if (done.summary) assert(await run.readSummary() !== null);
}

/** Mounts a disk of this size, or says why it cannot. */
async function mounted(path: string, kilobytes: number): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  await Deno.mkdir(path, { recursive: true });
  const args = ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", path];
  try {
    return (await new Deno.Command("mount", { args, stderr: "null" }).output()).success;
  } catch {
    return false; // no such program, or no permission to run it
  }
}

Deno.test("on a full disk of twenty sizes a run keeps what it had written before", async () => {
  let failures = 0, sizes = 0;
  for (let kilobytes = 8; kilobytes <= 122; kilobytes += 6) {
    await inScratch(async (path) => {
      if (!await mounted(path, kilobytes)) {
        return console.error("SKIPPED: no small disk can be mounted here; it needs root on Linux");
      }
      try {
        const outcome = await writeRun(`${path}/run`);
        await requireWhole(`${path}/run`, outcome);
        if (outcome.error !== null) failures++;
        sizes++;
        // With room again it goes on.
        await copyFolder(`${path}/run`, `${path}-roomy`);
        if (outcome.done.checkpoint === null) return;
        await using resumed = await RunFolder.create(`${path}-roomy`, { resume: true });
        const { manifest } = (await resumed.resume())!;
        assertEquals((await resumed.readMetrics()).length, manifest!.metrics.lines);
      } finally {
        await new Deno.Command("umount", { args: [path] }).output();
      }
    });
    if (sizes === 0) return;
  }
  assertEquals(sizes, 20);
  assert(failures > 10 && failures < 20, `${failures} of 20 sizes were too small`);
});

/** Runs `body`; the `at`-th write to a file takes half of its bytes, and it and all later ones fail. */
async function fullAt<T>(at: number, body: () => Promise<T>): Promise<{ result: T; isFull: boolean }> {
  const { write, writeSync } = Deno.FsFile.prototype;
  let writes = 0;
  const full = () => new Error("No space left on device (os error 28)");
  Deno.FsFile.prototype.write = async function (bytes) {
    if (++writes < at) return await write.call(this, bytes);
    await write.call(this, bytes.subarray(0, bytes.length >> 1));
    throw full();
  };
  Deno.FsFile.prototype.writeSync = function (bytes) {
    if (++writes < at) return writeSync.call(this, bytes);
    writeSync.call(this, bytes.subarray(0, bytes.length >> 1));
    throw full();
  };
  try {
    return { result: await body(), isFull: writes >= at };
  } finally {
    Object.assign(Deno.FsFile.prototype, { write, writeSync });
  }
}

Deno.test("whichever write fails, a run keeps what it had written before", async () => {
  let writes = 1; // the lock's
  for (let isFull = true; isFull; writes++) {
    await inScratch(async (path) => {
      const outcome = await fullAt(writes, () => writeRun(path));
      isFull = outcome.isFull;
      assertEquals(outcome.result.error !== null, isFull);
      await requireWhole(path, outcome.result);
    });
  }
  assert(writes > 20, `only ${writes} writes seen`);
});
