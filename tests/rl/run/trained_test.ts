/** Which run and which checkpoint the commands take that use one, and when they refuse it. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { numberLine } from "../../../envs/mod.ts";
import { resolveConfig, settingsOf } from "../../../rl/config.ts";
import { latestRun } from "../../../rl/run/latest.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { findTrainedRun, readRunSettings } from "../../../rl/run/trained.ts";
import { inScratch } from "./scratch_run.ts";
import { tinyConfig } from "../tiny_run.ts";

/** A finished run whose checkpoint holds a few bytes. */
async function trainedRun(path: string): Promise<void> {
  await using run = await RunFolder.create(path);
  await run.writeConfig(settingsOf(tinyConfig()));
  for (const content of ["first", "second"]) await run.writeCheckpoint({ "model.safetensors": content });
  await run.writeSummary({ success: 1 });
}

Deno.test("a run's own checkpoint and settings are taken, whether it is under way or not", async () => {
  await inScratch(async (path) => {
    await trainedRun(path);
    const { checkpoint, label, config } = await findTrainedRun({ run: path, given: {} });
    assertEquals([checkpoint, label], [`${path}/checkpoint`, path]);
    assertEquals(settingsOf(config), settingsOf(tinyConfig()));
    await using _run = await RunFolder.create(path, { resume: true });
    assertEquals((await findTrainedRun({ run: path, given: {} })).checkpoint, checkpoint);
  });
});

Deno.test("a program that a run's settings name runs only if the user names it", async () => {
  await inScratch(async (path) => {
    const [ran, program] = [`${path}/ran`, `${path}/evil.ts`];
    const evil = `Deno.writeTextFileSync("${ran}", ""); export default 1;`;
    const references = [
      program,
      new URL(`file://${program}`).href,
      "./evil.ts",
      "../x/evil.ts",
      `data:text/javascript,${evil}`,
      `data:text/javascript;base64,${btoa(evil)}//x.ts`,
      "https://localhost/evil.ts",
    ];
    Deno.env.set("PONDER_CWD", path);
    try {
      for (const [name, reference] of references.flatMap((r) => [["env", r], ["algorithm", r]])) {
        await Deno.mkdir(path, { recursive: true });
        await using run = await RunFolder.create(path);
        await run.writeConfig({ ...settingsOf(tinyConfig()), [name]: reference });
        await run.writeCheckpoint({ "model.safetensors": "weights" });
        await Deno.writeTextFile(program, evil);
        // Another algorithm's run can be looked at, since its policy only acts.
        const find = () => findTrainedRun({ run: path, given: {} });
        if (name === "env") await assertRejects(find, Error);
        else await find();
        assertEquals((await readRunSettings(run)).algorithm === null, name === "algorithm", reference);
        await assertRejects(() => Deno.stat(ran), Deno.errors.NotFound);
        await run.close();
        await Deno.remove(path, { recursive: true });
      }
    } finally {
      Deno.env.delete("PONDER_CWD");
    }
  });
});

Deno.test("a baseline's own settings are taken, those too that its policy has not", async () => {
  await inScratch(async (path) => {
    const baseline = resolveConfig({ policy: "cnn" }, numberLine);
    await using run = await RunFolder.create(path);
    await run.writeConfig(settingsOf(baseline));
    await run.writeCheckpoint({ "model.safetensors": "weights" });
    const { config } = await findTrainedRun({ run: path, given: {} });
    assertEquals(settingsOf(config), settingsOf(baseline));
  });
});

Deno.test("a run whose settings were edited is refused by the setting", async () => {
  await inScratch(async (path) => {
    await trainedRun(path);
    const config = JSON.parse(await Deno.readTextFile(`${path}/config.json`));
    await Deno.writeTextFile(`${path}/config.json`, JSON.stringify({ ...config, temperature: 2 }));
    const find = () => findTrainedRun({ run: path, given: {} });
    const error = await assertRejects(find, Deno.errors.InvalidData);
    const damage = "config.json is damaged (temperature is 2, the run was made with 0.4)";
    assertStringIncludes(
      error.message,
      `Cannot use ${path}: ${damage}; ./ponder check ${path} --restore puts`,
    );
  });
});

Deno.test("a finished run with another checkpoint than its last is refused", async () => {
  await inScratch(async (path) => {
    await trainedRun(path);
    await Deno.remove(`${path}/checkpoint`, { recursive: true });
    await Deno.rename(`${path}/checkpoint.previous`, `${path}/checkpoint`);
    const find = () => findTrainedRun({ run: path, given: {} });
    await assertRejects(find, Deno.errors.InvalidData, "it is not the one that the run ended with");
  });
});

Deno.test("a run from before manifests is taken, and the label says that nothing proves it", async () => {
  await inScratch(async (path) => {
    await trainedRun(path);
    for (const folder of ["", "checkpoint/"]) await Deno.remove(`${path}/${folder}manifest.json`);
    const { label } = await findTrainedRun({ run: path, given: {} });
    assertEquals(label, `${path} (from before manifests: its files cannot be verified)`);
  });
});

Deno.test("the latest run is the one with the newest checkpoint", async () => {
  await inScratch(async (path) => {
    const runs = path.replace(/\/x$/, "");
    await Deno.mkdir(runs, { recursive: true });
    await assertRejects(() => latestRun(runs), Deno.errors.NotFound, "none under");
    for (const [name, seconds] of [["b", 1000], ["a", 2000], ["c", 1500]] as const) {
      await trainedRun(`${runs}/${name}`);
      await Deno.utime(`${runs}/${name}/checkpoint`, seconds, seconds);
    }
    await Deno.mkdir(`${runs}/other`);
    await Deno.writeTextFile(`${runs}/notes.txt`, "");
    await Deno.symlink(`${runs}/notes.txt`, `${runs}/linked.txt`);
    await Deno.symlink(`${runs}/gone`, `${runs}/broken`);
    assertEquals(await latestRun(runs), `${runs}/a`);
    // A run that is kept elsewhere, and linked to.
    await Deno.rename(`${runs}/a`, `${runs}-kept`);
    await Deno.symlink(`${runs}-kept`, `${runs}/d`);
    assertEquals(await latestRun(runs), `${runs}/d`);
  });
});
