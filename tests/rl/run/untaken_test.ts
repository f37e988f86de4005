/** A run that is killed before it has taken the weights that it was to begin from. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { trainCommand } from "../../../commands/train.ts";
import { onGpu } from "../../gpu.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { UNSOLVED } from "../../../scripts/kills.ts";
import { noteUntaken, untaken } from "../../../rl/run/untaken.ts";
import { metricsOf, runHere, TempFolder, TINY_FLAGS, untrainedRun } from "../tiny_run.ts";
import { touch } from "./scratch_run.ts";

Deno.test({
  name: "a run killed before it has taken its warm start takes it when it is resumed",
  ...onGpu,
  fn: async () => {
    using temp = new TempFolder();
    const [source, whole, killed] = ["source", "whole", "killed"].map((name) => `${temp.path}/${name}`);
    Deno.writeTextFileSync(`${temp.path}/unsolved.ts`, UNSOLVED);
    await untrainedRun(source, { seed: 3 });
    const train = async (...args: string[]) => {
      const { code, err } = await runHere(trainCommand, ...args);
      assertEquals(code, 0, err);
    };
    const flags = [...TINY_FLAGS, "--demonstrations", "0", "--env", `${temp.path}/unsolved.ts`];
    await train(...flags, "--warm-start", source, "--out", whole);
    assertEquals([...Deno.readDirSync(whole)].some(({ name }) => name === "warm_start.json"), false);

    // Killed after the first of two checkpoints.
    await Deno.mkdir(`${killed}/checkpoint`, { recursive: true });
    await noteUntaken(killed, source);
    await Deno.copyFile(`${whole}/config.json`, `${killed}/config.json`);
    await Deno.copyFile(`${source}/checkpoint/manifest.json`, `${killed}/checkpoint/manifest.json`);
    await train("--resume", "--out", killed, "--env", `${temp.path}/unsolved.ts`);
    assertEquals(metricsOf(killed), metricsOf(whole));
    for (const file of ["checkpoint/model", "warm_start/model", "checkpoint/optimizer"]) {
      const [ours, theirs] = [killed, whole].map((run) => Deno.readFileSync(`${run}/${file}.safetensors`));
      assert(ours.every((byte, i) => byte === theirs[i]) && ours.length === theirs.length, file);
    }
    assertEquals(await untaken(killed), null);
  },
  sanitizeResources: false,
  sanitizeOps: false,
});

Deno.test("a note that cannot be followed is refused, and nothing is removed for it", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  await (await RunFolder.create(run)).writeConfig({ seed: 1 });
  for (const text of ["", "{}", '{"from": 7}', '{"from": null}', "[]"]) {
    Deno.writeTextFileSync(`${run}/warm_start.json`, text);
    const { message } = await assertRejects(() => untaken(run), Deno.errors.InvalidData);
    assertStringIncludes(message, "warm_start.json does not name the run to begin from");
  }
  await noteUntaken(run, "first");
  assertEquals(await untaken(run), `${Deno.cwd()}/first`);
  Deno.writeTextFileSync(`${run}/summary.json`, "{}");
  const { message } = await assertRejects(() => untaken(run), Deno.errors.InvalidData);
  assertStringIncludes(message, "remove warm_start.json");
});

Deno.test("what a run has before its config.json is in nobody's way", async () => {
  using temp = new TempFolder();
  for (const settings of [{}, { overwrite: true }]) {
    const run = `${temp.path}/${JSON.stringify(settings).length}`;
    await Deno.mkdir(run);
    await noteUntaken(run, "first");
    Deno.writeTextFileSync(`${run}/config.json.5f0c.tmp`, "{");
    await touch(run, settings);
    assertEquals([...Deno.readDirSync(run)], []);
  }
});
