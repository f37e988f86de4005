/** What a run folder proves before it is used, what it keeps to go back to, and how a run is made longer. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { checkRun } from "../../../rl/run/check.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { restoreRun } from "../../../rl/run/proof.ts";
import { checkpointOf, copyFolder, finishedRun, inScratch, killedAt, namesIn, touch } from "./scratch_run.ts";

Deno.test("the checkpoint before the last is kept, and no other", async () => {
  await inScratch(async (path) => {
    const run = await finishedRun(path);
    for (const content of ["second", "third"]) {
      await run.writeCheckpoint({ "model.safetensors": content, "trainer.json": content });
    }
    assertEquals(await checkpointOf(run), "third");
    assertEquals(await Deno.readTextFile(`${path}/checkpoint.previous/trainer.json`), "second");
    const names = ["checkpoint", "checkpoint.previous", "config.json", "metrics.jsonl", "summary.json"];
    assertEquals(await namesIn(path), names);
  });
});

Deno.test("files in a checkpoint that are not the run's stop what would delete them, by their names", async () => {
  await inScratch(async (path) => {
    await finishedRun(path);
    for (const foreign of ["notes.txt", "pictures"]) {
      const place = `${path}/checkpoint/${foreign}`;
      if (foreign === "notes.txt") await Deno.writeTextFile(place, "mine");
      else await Deno.mkdir(place);
      for (const settings of [{ overwrite: true }, { resume: true }]) {
        const refused = () => RunFolder.create(path, settings);
        await assertRejects(refused, Deno.errors.AlreadyExists, `it holds checkpoint/${foreign}`);
      }
      await Deno.remove(place);
    }
    await touch(path, { overwrite: true });
  });
});

Deno.test("a file put into a checkpoint while the run is under way outlives the checkpoint", async () => {
  await inScratch(async (path) => {
    const run = await finishedRun(path);
    await Deno.writeTextFile(`${path}/checkpoint/notes.txt`, "mine");
    for (const content of ["second", "third", "fourth"]) {
      await run.writeCheckpoint({ "model.safetensors": content, "trainer.json": content });
    }
    assertEquals(await Deno.readTextFile(`${path}/notes.txt`), "mine");
  });
});

Deno.test("metrics that another program changes under a run end it, rather than be taken for its own", async () => {
  await inScratch(async (path) => {
    await using run = await RunFolder.create(path);
    run.appendMetrics({ step: 1 });
    await Deno.writeTextFile(`${path}/metrics.jsonl`, "{}\n", { append: true });
    assertThrows(() => run.appendMetrics({ step: 2 }), Error, "another program changed it");
  });
});

Deno.test("a finished run's result is proven before it is read", async () => {
  await inScratch(async (path) => {
    const run = await finishedRun(path);
    assertEquals(await run.readSummary(), { success: 1 });
    await Deno.writeTextFile(`${path}/summary.json`, '{ "success": 2 }');
    const error = await assertRejects(() => run.readSummary(), Deno.errors.InvalidData);
    assertEquals(
      error.message,
      `Cannot use ${path}: summary.json is damaged (it has 16 bytes, 19 were written); ` +
        `./ponder train --resume --out ${path} makes it anew from the checkpoint`,
    );
  });
});

Deno.test("a run without manifests does not resume, for nothing tells whether it is whole; it can be read", async () => {
  await inScratch(async (path) => {
    await finishedRun(path);
    await Deno.remove(`${path}/checkpoint/manifest.json`);
    await Deno.remove(`${path}/manifest.json`);
    assertEquals((await (await RunFolder.open(path)).readCheckpoint())?.manifest, null);
    await using run = await RunFolder.create(path, { resume: true });
    const error = await assertRejects(() => run.resume(), Deno.errors.InvalidData);
    assertEquals(
      error.message,
      `Cannot use ${path}: checkpoint/manifest.json is damaged (it is missing, so that nothing proves the files beside it: ` +
        "they are from before manifests, or it was removed); no checkpoint in it is whole: begin it again with --overwrite",
    );
  });
});

Deno.test("an edit of config.json while the run is under way does not reach its record", async () => {
  await inScratch(async (path) => {
    await using run = await RunFolder.create(path);
    await run.writeConfig({ lambda: 0.5 });
    await Deno.writeTextFile(`${path}/config.json`, '{ "lambda": 0.9 }');
    await run.writeCheckpoint({ "trainer.json": "" });
    const error = await assertRejects(() => run.resume(), Deno.errors.InvalidData);
    assertEquals(
      error.message,
      `Cannot use ${path}: config.json is damaged (lambda is 0.9, the run was made with 0.5); ` +
        `./ponder check ${path} --restore puts the settings back, or begin it again with --overwrite`,
    );
    await run.close();
    assertEquals(await restoreRun(path), ["Wrote config.json as the checkpoint has it."]);
    assertEquals(await run.readConfig(), { lambda: 0.5 });
  });
});

/** A run that ended, with checkpoints after iterations 1 and 2. */
async function twoCheckpoints(path: string): Promise<void> {
  await using run = await RunFolder.create(path);
  await run.writeConfig({ seed: 7, envSteps: 64 });
  for (const iteration of [1, 2]) {
    run.appendMetrics({ stage: "rl", iteration });
    const content = `${iteration}`;
    const files = { "model.safetensors": content, "trainer.json": content };
    await run.writeCheckpoint(files, { progress: { stage: iteration === 2 ? "done" : "rl", iteration } });
  }
  run.appendMetrics({ stage: "evaluation", after: "rl" });
  await run.writeSummary({ success: 1 });
}

Deno.test("restored, a damaged run goes on from the checkpoint before", async () => {
  await inScratch(async (path) => {
    await twoCheckpoints(path);
    assert((await checkRun(path)).isWhole);
    await Deno.writeTextFile(`${path}/checkpoint/trainer.json`, "3");
    const { files, isWhole } = await checkRun(path);
    assertEquals([files.find(({ state }) => state === "damaged"), isWhole], [
      { file: "checkpoint/trainer.json", state: "damaged", detail: "its content is not what was written" },
      false,
    ]);
    {
      await using run = await RunFolder.create(path, { resume: true });
      const error = await assertRejects(() => run.resume(), Deno.errors.InvalidData);
      assertEquals(
        error.message,
        `Cannot use ${path}: checkpoint/trainer.json is damaged (its content is not what was written); ` +
          `./ponder check ${path} --restore goes back to rl, iteration 1, or begin it again with --overwrite`,
      );
      await assertRejects(() => restoreRun(path), Deno.errors.Busy);
    }
    assertEquals((await restoreRun(path)).length, 2);
    assert((await checkRun(path)).isWhole);
    await using run = await RunFolder.create(path, { resume: true });
    assertEquals((await run.resume())?.manifest?.progress, { stage: "rl", iteration: 1 });
    assertEquals(await run.readMetrics(), [{ stage: "rl", iteration: 1 }]);
    assertEquals(await checkpointOf(run), "1");
  });
});

Deno.test("killed at any change to the disk, a restoration can be done again", async () => {
  await inScratch(async (path) => {
    await twoCheckpoints(path);
    await Deno.writeTextFile(`${path}/checkpoint/trainer.json`, "3");
    let isKilled = true;
    for (let kills = 0; isKilled; kills++) {
      const copy = `${path}-${kills}`;
      await copyFolder(path, copy);
      isKilled = await killedAt(kills + 2, async () => void await restoreRun(copy));
      await restoreRun(copy);
      assert((await checkRun(copy)).isWhole, `killed at change ${kills + 2}`);
      await using run = await RunFolder.create(copy, { resume: true });
      assertEquals((await run.resume())?.manifest?.progress, { stage: "rl", iteration: 1 });
    }
  });
});

Deno.test("with nothing whole to go back to, a restoration changes nothing", async () => {
  await inScratch(async (path) => {
    await twoCheckpoints(path);
    for (const folder of ["checkpoint", "checkpoint.previous"]) {
      await Deno.writeTextFile(`${path}/${folder}/trainer.json`, "3");
    }
    const before = await namesIn(path);
    const error = await assertRejects(() => restoreRun(path), Deno.errors.InvalidData);
    assertStringIncludes(error.message, "no checkpoint in it is whole, begin it again with --overwrite");
    assertEquals(await namesIn(path), before);
  });
});

Deno.test("how to begin again names what the settings hold, and no command that would run a stranger's program", async () => {
  await inScratch(async (path) => {
    const again = async (settings: object) => {
      await using run = await RunFolder.create(path, { overwrite: true });
      await run.writeConfig(settings);
      await run.writeCheckpoint({ "trainer.json": "1" });
      await Deno.writeTextFile(`${path}/checkpoint/trainer.json`, "2");
      const error = await assertRejects(() => run.resume(), Deno.errors.InvalidData);
      return error.message.replace(/^.*no checkpoint in it is whole: /, "");
    };
    const config = `${path}/config.json`;
    assertEquals(
      await again({ env: "NumberLine", algorithm: "ppo" }),
      `./ponder train --config ${config} --overwrite --out ${path} begins it again`,
    );
    for (const program of ["/tmp/evil.ts", "./a b.ts", "data:text/javascript,1", "https://localhost/x"]) {
      assertEquals(
        await again({ env: program, algorithm: "ppo" }),
        `begin it again with --overwrite, your own --env, and the settings in ${config}`,
      );
      assertStringIncludes(
        await again({ env: program, algorithm: program }),
        "your own --env and --algorithm",
      );
    }
    assertEquals(await again({ env: 1, algorithm: "ppo" }), "begin it again with --overwrite");
  });
});

Deno.test("extended, a run has the new settings, remembers the old ones and its result, and goes on", async () => {
  await inScratch(async (path) => {
    await twoCheckpoints(path);
    let isKilled = true;
    for (let kills = 0; isKilled; kills++) {
      const copy = `${path}-${kills}`;
      await copyFolder(path, copy);
      const run = await RunFolder.create(copy, { resume: true });
      isKilled = await killedAt(kills + 1, () => run.extend({ envSteps: 128 }));
      await run.close();
      await using resumed = await RunFolder.create(copy, { resume: true });
      const { envSteps } = await resumed.readConfig();
      assert(envSteps === 64 || envSteps === 128);
      if (!isKilled) assertEquals([envSteps, await resumed.readSummary()], [128, null]);
      const { manifest } = (await resumed.resume())!;
      assertEquals(manifest?.settings, { seed: 7, envSteps });
      const progress = { stage: "done", iteration: 2 };
      const extension = { before: { envSteps: 64 }, progress, summary: { success: 1 } };
      assertEquals(manifest?.extensions, envSteps === 64 ? [] : [extension]);
      assertEquals((await resumed.readMetrics()).length, 2);
      await resumed.writeCheckpoint({ "trainer.json": "" });
      assertEquals((await resumed.resume())?.manifest?.extensions, manifest?.extensions);
    }
  });
});

Deno.test("a run that has no checkpoint yet is not extended", async () => {
  await inScratch(async (path) => {
    await using run = await RunFolder.create(path);
    await run.writeConfig({ envSteps: 64 });
    await assertRejects(() => run.extend({ envSteps: 128 }), Deno.errors.NotFound, "no checkpoint yet");
  });
});
