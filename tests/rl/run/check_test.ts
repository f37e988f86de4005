/** The `check` command, started as its task starts it: it has no right to a GPU. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { outcomeOf, startCommand } from "../tiny_run.ts";
import { checkRun } from "../../../rl/run/check.ts";
import { restoreRun } from "../../../rl/run/proof.ts";
import { finishedRun, inScratch } from "./scratch_run.ts";

const check = (...args: string[]) => outcomeOf(startCommand("check", args));

Deno.test("check lists a whole run's files and exits with 0", async () => {
  await inScratch(async (path) => {
    await finishedRun(path);
    const { code, out, err } = await check(path);
    assertEquals([code, err], [0, ""]);
    const files = [
      "config.json",
      "metrics.jsonl",
      "checkpoint/trainer.json",
      "summary.json",
      "manifest.json",
    ];
    for (const file of files) assertStringIncludes(out, file);
    assertStringIncludes(out, `${path} is whole.`);
    const json = await check("--json", "--run", path);
    assertEquals([json.code, JSON.parse(json.out).isWhole], [0, true]);
  });
});

Deno.test("check names what is damaged and exits with 1; --restore goes back, and it is whole again", async () => {
  await inScratch(async (path) => {
    const run = await finishedRun(path);
    await run.writeCheckpoint({ "trainer.json": "second" });
    await Deno.writeTextFile(`${path}/checkpoint/trainer.json`, "secone");
    // The user's own files are no part of what goes.
    for (const name of ["notes.txt", "summary.json"]) {
      await Deno.writeTextFile(`${path}/checkpoint/${name}`, "mine");
    }
    const { code, out } = await check(path);
    assertEquals(code, 1);
    assertStringIncludes(out, "damaged: its content is not what was written");
    assertStringIncludes(out, "--restore goes back to what is whole");
    assert(!out.includes("It goes on from"), out);
    const restored = await check(path, "--restore");
    assertEquals([restored.code, restored.err], [0, ""]);
    assertStringIncludes(restored.out, "Went back to the checkpoint before");
    assertEquals(await Deno.readTextFile(`${path}/checkpoint/trainer.json`), "first");
    const kept = [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) =>
      /^(notes|summary)/.test(name)
    );
    assertEquals(kept.sort().map((name) => name.slice(0, 13)), ["notes.txt", "summary.json."]);
  });
});

Deno.test("check takes a path from where its user is, with --run or without", async () => {
  await inScratch(async (path) => {
    await finishedRun(path);
    const env = { PONDER_CWD: path.slice(0, path.lastIndexOf("/")) };
    for (const args of [["x"], ["--run", "x"], ["x", "--restore"]]) {
      const { code, out, err } = await outcomeOf(startCommand("check", args, { env }));
      assertEquals([code, err], [0, ""], args.join(" "));
      assertStringIncludes(out, `${path} is whole.`);
    }
  });
});

Deno.test("check says what it cannot check: no folder, no run, two runs", async () => {
  await inScratch(async (path) => {
    assertEquals((await check(path)).code, 1);
    assertEquals((await check(path)).err, `Cannot check ${path}: no such folder, name the folder of a run\n`);
    await Deno.mkdir(path, { recursive: true });
    assertEquals(
      (await check(path)).err,
      `Cannot check ${path}: it holds no run, name the folder of a run\n`,
    );
    assertStringIncludes((await check(path, "--restore")).err, `Cannot check ${path}: it holds no run`);
    assertStringIncludes((await check(`${path}/no`, "--restore")).err, "no such folder");
    assertEquals([...Deno.readDirSync(path)], []);
    for (const args of [["a", "b"], ["a", "--run", "b"]]) assertEquals((await check(...args)).code, 2);
  });
});

/** Does `work` while the files whose paths end so may not be read. */
async function forbidden(ending: string, work: () => Promise<void>): Promise<void> {
  const { readFile, readFileSync, readDirSync } = Deno;
  const refuse = (path: string | URL) => {
    if (String(path).endsWith(ending)) {
      throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
    }
  };
  Deno.readFile = async (path, ...rest) => (refuse(path), await readFile(path, ...rest));
  Deno.readFileSync = (path) => (refuse(path), readFileSync(path));
  Deno.readDirSync = (path) => (refuse(path), readDirSync(path));
  try {
    await work();
  } finally {
    Object.assign(Deno, { readFile, readFileSync, readDirSync });
  }
}

Deno.test("what may not be read is not called damaged, and --restore leaves it", async () => {
  await inScratch(async (path) => {
    await finishedRun(path);
    await Deno.mkdir(`${path}/recording`);
    const recorded = `${path}/recording/after-rl.jsonl`;
    await Deno.writeTextFile(recorded, "whatever it holds");
    for (
      const file of [
        "after-rl.jsonl",
        "metrics.jsonl",
        "checkpoint/manifest.json",
        "trainer.json",
        "recording",
      ]
    ) {
      await forbidden(file, async () => {
        await assertRejects(() => checkRun(path), Error, "ermission denied", file);
        await assertRejects(() => restoreRun(path), Error, "ermission denied", file);
      });
      assertEquals(await Deno.readTextFile(recorded), "whatever it holds");
    }
    assertEquals((await restoreRun(path)).at(-1), "Removed 1 damaged files of its recording.");
  });
});
