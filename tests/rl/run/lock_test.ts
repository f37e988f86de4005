/** Who may train in a run folder. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RunFolder } from "../../../rl/run/folder.ts";
import { lockOwner, RunLock } from "../../../rl/run/lock.ts";
import { outcomeOf, startCommand, TempFolder, untrainedRun } from "../tiny_run.ts";

const ROOT = new URL("../../../", import.meta.url);

/** A process that holds the lock of a folder; `then` is what it does once it has it. */
async function holder(path: string, then: string): Promise<Deno.ChildProcess> {
  const code = `
    const { RunLock } = await import(${JSON.stringify(new URL("rl/run/lock.ts", ROOT).href)});
    await RunLock.take(${JSON.stringify(path)});
    console.log("held");
    ${then}`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "held\n");
  await reader.cancel();
  return child;
}

Deno.test("a folder that is trained in is refused to another process, by the first one's number", async () => {
  using temp = new TempFolder();
  const child = await holder(temp.path, "setInterval(() => {}, 1000);");
  const busy = await assertRejects(() => RunLock.take(temp.path), Deno.errors.Busy);
  assertStringIncludes(busy.message, `Cannot train in ${temp.path}: process ${child.pid}, since `);
  assertStringIncludes(busy.message, "wait for it, stop it, or choose another folder with --out");
  assertEquals((await lockOwner(temp.path))?.pid, child.pid);
  // However it ends, the system takes the lock away.
  child.kill("SIGKILL");
  await child.status;
  assertEquals(await lockOwner(temp.path), null);
  const lock = await RunLock.take(temp.path);
  assertEquals((await lockOwner(temp.path))?.pid, Deno.pid);
  lock.release();
});

Deno.test("a process that exits in the middle leaves no lock", async () => {
  using temp = new TempFolder();
  const child = await holder(temp.path, "Deno.exit(3);");
  assertEquals((await child.status).code, 3);
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

Deno.test("within a process too, a folder has one run at a time", async () => {
  using temp = new TempFolder();
  const run = await RunFolder.create(`${temp.path}/run`);
  await run.writeConfig({});
  for (const settings of [{ resume: true }, { overwrite: true }]) {
    await assertRejects(() => RunFolder.create(`${temp.path}/run`, settings), Deno.errors.Busy);
  }
  // Reading needs no lock.
  assertEquals(await (await RunFolder.open(`${temp.path}/run`)).readConfig(), {});
  await run.close();
  await run.close();
  await (await RunFolder.create(`${temp.path}/run`, { resume: true })).close();
});

Deno.test("a lock that a process of this machine left is taken over", async () => {
  using temp = new TempFolder();
  const left = { pid: 1, host: Deno.hostname(), since: "2026-01-01T00:00:00.000Z" };
  for (const content of [JSON.stringify(left), "", "no JSON", '{"pid":"x"}']) {
    Deno.writeTextFileSync(`${temp.path}/run.lock`, content);
    assertEquals(await lockOwner(temp.path), null);
    (await RunLock.take(temp.path)).release();
    assertEquals([...Deno.readDirSync(temp.path)], []);
  }
});

Deno.test("a lock that another machine left is for a person to remove", async () => {
  using temp = new TempFolder();
  const left = { pid: 77, host: "elsewhere", since: "2026-01-01T00:00:00.000Z" };
  Deno.writeTextFileSync(`${temp.path}/run.lock`, JSON.stringify(left));
  const busy = await assertRejects(() => RunLock.take(temp.path), Deno.errors.Busy);
  assertStringIncludes(busy.message, "process 77 on elsewhere has it since 2026-01-01");
  assertStringIncludes(busy.message, `if it has ended, remove ${temp.path}/run.lock`);
  assertEquals(JSON.parse(Deno.readTextFileSync(`${temp.path}/run.lock`)), left);
});

Deno.test("of many that ask at once, one at a time has the lock", async () => {
  using temp = new TempFolder();
  let held = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let taken = 0; taken < 5;) {
      try {
        const lock = await RunLock.take(temp.path);
        assertEquals(++held, 1);
        await new Promise((resolve) => setTimeout(resolve, 1));
        held--;
        lock.release();
        taken++;
      } catch (error) {
        if (!(error instanceof Deno.errors.Busy)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }));
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

Deno.test({
  name: "train beside a run under way exits with an error that names its process, and changes nothing",
  fn: async () => {
    using temp = new TempFolder();
    const run = `${temp.path}/run`;
    await untrainedRun(run);
    await using _folder = await RunFolder.create(run, { resume: true });
    const before = Deno.readTextFileSync(`${run}/checkpoint/manifest.json`);
    for (const flags of [["--resume"], ["--overwrite"]]) {
      const { code, out, err } = await outcomeOf(startCommand("train", [...flags, "--out", run]));
      assert(code === 1 || code === 2, `${code}`);
      assertEquals(out, "");
      assertStringIncludes(err, `Cannot train in ${run}: process ${Deno.pid}, since `);
    }
    assertEquals(Deno.readTextFileSync(`${run}/checkpoint/manifest.json`), before);
  },
  sanitizeResources: false,
  sanitizeOps: false,
});
