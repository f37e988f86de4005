/** Run folders whose files are pipes, devices, or larger than all memory: refused at once. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { checkRun } from "../../../rl/run/check.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { lockOwner } from "../../../rl/run/lock.ts";
import { restoreRun } from "../../../rl/run/proof.ts";
import { finishedRun, inScratch } from "./scratch_run.ts";

/** What takes the place of a file. A reader that opens it waits for ever, or reads until no memory is left. */
const odd: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  "a pipe": (path) => new Deno.Command("mkfifo", { args: [path] }).output(),
  "a device": (path) => Deno.symlink("/dev/zero", path),
  "a file of holes": async (path) => {
    await Deno.writeTextFile(path, "");
    await Deno.truncate(path, 2 ** 40);
  },
};

const files = [
  "config.json",
  "metrics.jsonl",
  "manifest.json",
  "summary.json",
  "checkpoint/manifest.json",
  "checkpoint/model.safetensors",
];

for (const [kind, make] of Object.entries(odd)) {
  Deno.test({
    name: `${kind} in place of any file of a run is refused`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      for (const file of files) {
        await inScratch(async (path) => {
          await finishedRun(path);
          await Deno.remove(`${path}/${file}`);
          await make(`${path}/${file}`);
          assert(!(await checkRun(path)).isWhole, `check finds ${file} damaged`);
          await assertRejects(async () => {
            await (await RunFolder.open(path)).readSummary();
            await using run = await RunFolder.create(path, { resume: true });
            await run.resume();
          }, Error);
          // Mends it, or says why not.
          await restoreRun(path).catch((error) => assert(error.message.startsWith("Cannot "), error.message));
        });
      }
    },
  });

  Deno.test({
    name: `${kind} in a run's recording is not read`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await inScratch(async (path) => {
        await finishedRun(path);
        await Deno.mkdir(`${path}/recording`);
        for (const name of ["rl-000001.jsonl", "after-rl.jsonl", `${"0".repeat(32)}.png`]) {
          await make(`${path}/recording/${name}`);
        }
        const { isWhole } = await checkRun(path);
        assertEquals(isWhole, kind !== "a file of holes"); // what is no file is none of the recording's
      });
    },
  });

  Deno.test({
    name: `${kind} in place of a run's lock tells of no owner`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await inScratch(async (path) => {
        await finishedRun(path);
        await make(`${path}/run.lock`);
        await lockOwner(path);
        await checkRun(path);
      });
    },
  });
}

Deno.test({
  name: "a run that has no checkpoint yet does not write its metrics into a pipe",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inScratch(async (path) => {
      await using run = await RunFolder.create(path);
      await run.writeConfig({});
      await odd["a pipe"](`${path}/metrics.jsonl`);
      await assertRejects(() => run.resume(), Error, "it is no plain file");
    });
  },
});
