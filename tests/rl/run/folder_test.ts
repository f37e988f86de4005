import { assert, assertEquals, assertRejects } from "@std/assert";
import { RunFolder } from "../../../rl/run/folder.ts";
import { checkpointOf, finishedRun, inScratch, killedAt, namesIn, touch } from "./scratch_run.ts";

Deno.test("a new run folder is made with its parents and holds what is written", async () => {
  await inScratch(async (path) => {
    await using run = await RunFolder.create(path);
    assertEquals([await run.readSummary(), await run.checkpointPath(), await run.readMetrics()], [
      null,
      null,
      [],
    ]);
    await run.writeConfig({ seed: 7, nested: { lambda: 0.5 } });
    await run.writeSummary({ success: 0.5, missing: NaN });
    await run.writeCheckpoint({ "model.safetensors": Uint8Array.of(1, 2), "trainer.json": "{}" });
    const reader = await RunFolder.open(path);
    assertEquals(await reader.readConfig(), { seed: 7, nested: { lambda: 0.5 } });
    assertEquals(await reader.readSummary(), { success: 0.5, missing: null });
    assertEquals(
      await Deno.readFile(`${await reader.checkpointPath()}/model.safetensors`),
      Uint8Array.of(1, 2),
    );
    await run.close();
    assertEquals(await namesIn(path), ["checkpoint", "config.json", "summary.json"]);
  });
});

Deno.test("an existing run is refused without a flag, and left as it is", async () => {
  await inScratch(async (path) => {
    const run = await finishedRun(path);
    const error = await assertRejects(() => RunFolder.create(path), Deno.errors.AlreadyExists);
    assertEquals(
      error.message,
      `Cannot write ${path}: it exists, pass --overwrite to replace it or --resume to go on`,
    );
    assertEquals(await checkpointOf(run), "first");
  });
});

Deno.test("an empty folder counts as new", async () => {
  await inScratch(async (path) => {
    await Deno.mkdir(path, { recursive: true });
    await using run = await RunFolder.create(path);
    await run.writeConfig({});
    assertEquals(await namesIn(path), ["config.json"]);
  });
});

Deno.test("a folder in which a run was killed while it wrote its first file counts as new", async () => {
  await inScratch(async (path) => {
    await Deno.mkdir(path, { recursive: true });
    const half = `${path}/config.json.5f0c.tmp`;
    await Deno.writeTextFile(half, "{");
    await Deno.writeTextFile(`${path}/run.lock`, "");
    await assertRejects(
      () => RunFolder.create(path, { resume: true }),
      Deno.errors.NotFound,
      "no config.json",
    );
    await Deno.writeTextFile(`${path}/notes.tmp`, "");
    await assertRejects(() => RunFolder.create(path), Deno.errors.AlreadyExists, "something else than a run");
    assertEquals(await namesIn(path), ["config.json.5f0c.tmp", "notes.tmp"]);
    await Deno.remove(`${path}/notes.tmp`);
    await touch(path, {});
    assertEquals(await namesIn(path), []);
  });
});

Deno.test("overwriting removes all that a run leaves", async () => {
  await inScratch(async (path) => {
    const run = await finishedRun(path);
    await run.writeCheckpoint({ "model.safetensors": "first" }, { name: "warm_start" });
    await run.writeCheckpoint({ "model.safetensors": "second" });
    await Deno.mkdir(`${path}/checkpoint.new`);
    await Deno.writeTextFile(`${path}/summary.json.5f0c.tmp`, "{");
    await touch(path, { overwrite: true });
    assertEquals(await namesIn(path), []);
    // What a run leaves that was killed while it wrote its first file.
    await Deno.writeTextFile(`${path}/config.json.5f0c.tmp`, "{");
    await touch(path, { overwrite: true });
    assertEquals(await namesIn(path), []);
  });
});

Deno.test("overwriting refuses a folder that is not recognisably a run's, and deletes nothing", async () => {
  await inScratch(async (path) => {
    await Deno.mkdir(path, { recursive: true });
    await Deno.writeTextFile(`${path}/metrics.jsonl`, "");
    const overwrite = () => RunFolder.create(path, { overwrite: true });
    await assertRejects(overwrite, Deno.errors.AlreadyExists, "it has no config.json");
    await Deno.writeTextFile(`${path}/config.json`, "{}");
    await Deno.writeTextFile(`${path}/thesis.tex`, "");
    await assertRejects(overwrite, Deno.errors.AlreadyExists, "it holds thesis.tex");
    assertEquals(await namesIn(path), ["config.json", "metrics.jsonl", "thesis.tex"]);
  });
});

Deno.test("a file is no run folder", async () => {
  await inScratch(async (path) => {
    await Deno.mkdir(path.replace(/x$/, ""), { recursive: true });
    await Deno.writeTextFile(path, "");
    for (const settings of [{}, { overwrite: true }, { resume: true }]) {
      await assertRejects(() => RunFolder.create(path, settings), Deno.errors.AlreadyExists, "it is a file");
    }
    await assertRejects(() => RunFolder.open(path), Deno.errors.AlreadyExists, "it is a file");
  });
});

Deno.test("overwrite and resume exclude each other", async () => {
  await inScratch(async (path) => {
    await assertRejects(() => RunFolder.create(path, { overwrite: true, resume: true }), TypeError, "both");
  });
});

Deno.test("without a run there is nothing to resume or to open", async () => {
  await inScratch(async (path) => {
    const resume = () => RunFolder.create(path, { resume: true });
    await assertRejects(resume, Deno.errors.NotFound, "there is no such folder, leave out --resume");
    await assertRejects(() => RunFolder.open(path), Deno.errors.NotFound, "no such folder");
    await Deno.mkdir(path, { recursive: true });
    await assertRejects(resume, Deno.errors.NotFound, "it has no config.json");
    await assertRejects(() => RunFolder.open(path), Deno.errors.NotFound, "it has no config.json");
  });
});

Deno.test("metrics are one object a line, with null for what JSON cannot hold", async () => {
  await inScratch(async (path) => {
    await using run = await RunFolder.create(path);
    run.appendMetrics({ step: 1, loss: 0.5 });
    run.appendMetrics({ step: 2, loss: NaN, text: "a\nb", deep: [Infinity] });
    const lines = (await Deno.readTextFile(`${path}/metrics.jsonl`)).split("\n");
    assertEquals(lines, ['{"step":1,"loss":0.5}', '{"step":2,"loss":null,"text":"a\\nb","deep":[null]}', ""]);
    assertEquals((await run.readMetrics())[1], { step: 2, loss: null, text: "a\nb", deep: [null] });
  });
});

Deno.test("resuming drops the lines after the checkpoint and a half-written one, and keeps the others' bytes", async () => {
  await inScratch(async (path) => {
    const file = `${path}/metrics.jsonl`;
    {
      await using run = await RunFolder.create(path);
      await run.writeConfig({});
      run.appendMetrics({ step: 1 });
      run.appendMetrics({ step: 2 });
      run.appendMetrics({ step: 3 });
      await run.writeCheckpoint({ "trainer.json": "{}" }, { keep: ({ step }) => Number(step) <= 2 });
      run.appendMetrics({ step: 4 });
      await Deno.writeTextFile(file, '{"st', { append: true });
    }
    await using run = await RunFolder.create(path, { resume: true });
    await run.resume();
    assertEquals(await Deno.readTextFile(file), '{"step":1}\n{"step":2}\n');
    await Deno.writeTextFile(file, '{"st', { append: true });
    await run.resume();
    run.appendMetrics({ step: 3 });
    assertEquals(await run.readMetrics(), [{ step: 1 }, { step: 2 }, { step: 3 }]);
  });
});

Deno.test("without a checkpoint a run resumes with no metrics", async () => {
  await inScratch(async (path) => {
    await using run = await RunFolder.create(path);
    assertEquals(await run.resume(), null);
    run.appendMetrics({ step: 1 });
    assertEquals([await run.resume(), await run.readMetrics()], [null, []]);
  });
});

Deno.test("a line that is no object is named by its number", async () => {
  await inScratch(async (path) => {
    await using run = await RunFolder.create(path);
    await Deno.writeTextFile(`${path}/metrics.jsonl`, '{"step":1}\n[2]\n');
    await assertRejects(() => run.readMetrics(), SyntaxError, "line 2 is not a JSON object");
  });
});

Deno.test("a config must hold finite numbers, and be an object when it is read", async () => {
  await inScratch(async (path) => {
    await using run = await RunFolder.create(path);
    await assertRejects(() => run.writeConfig({ klStop: Infinity }), RangeError, "klStop is Infinity");
    await Deno.writeTextFile(`${path}/config.json`, "[1]");
    await assertRejects(() => run.readConfig(), SyntaxError, "it holds no JSON object");
    await Deno.writeTextFile(`${path}/config.json`, "{");
    await assertRejects(() => run.readConfig(), SyntaxError, "not JSON");
  });
});

Deno.test("killed at any change to the disk, a run keeps a whole checkpoint, resumes and writes the next", async () => {
  let kills = 0, isKilled = true;
  while (isKilled) {
    await inScratch(async (path) => {
      const run = await finishedRun(path);
      isKilled = await killedAt(kills + 1, () => {
        return run.writeCheckpoint({ "model.safetensors": "second", "trainer.json": "second" });
      });
      if (isKilled) kills++;
      const seen = await checkpointOf(await RunFolder.open(path));
      assert(seen === "first" || seen === "second", `${seen} after change ${kills}`);
      await using resumed = await RunFolder.create(path, { resume: true });
      assertEquals(await checkpointOf(resumed), seen);
      const left = new Set(["checkpoint.previous", "manifest.json"]); // or not yet
      const names = (await namesIn(path)).filter((name) => !left.has(name));
      assertEquals(names, ["checkpoint", "config.json", "metrics.jsonl", "summary.json"]);
      assertEquals((await resumed.resume())?.path, `${path}/checkpoint`);
      await resumed.writeCheckpoint({ "model.safetensors": "third", "trainer.json": "third" });
      assertEquals(await checkpointOf(resumed), "third");
    });
  }
  // At least: make the new folder, two files, two renames, remove the old folder.
  assert(kills >= 6, `only ${kills} changes seen`);
});

Deno.test("killed while it writes the first checkpoint, a run has none, and resumes", async () => {
  await inScratch(async (path) => {
    await using run = await RunFolder.create(path);
    await run.writeConfig({});
    assert(
      await killedAt(4, () => run.writeCheckpoint({ "model.safetensors": "first", "trainer.json": "first" })),
    );
    await run.close();
    await using resumed = await RunFolder.create(path, { resume: true });
    assertEquals(await checkpointOf(resumed), null);
    assertEquals(await namesIn(path), ["config.json"]);
  });
});
