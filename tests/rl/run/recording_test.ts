/** The recording in a run folder: what it holds, how it is bounded, and what a killed run leaves of it. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../../envs/mod.ts";
import { decodePicture } from "../../../rl/image.ts";
import { checkRun } from "../../../rl/run/check.ts";
import { chooseTurns } from "../../../rl/run/chosen_turns.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { digestOf } from "../../../rl/run/manifest.ts";
import { restoreRun } from "../../../rl/run/proof.ts";
import { decodeRecorded, encodeRecorded, histogramOf, shortest } from "../../../rl/run/recorded.ts";
import {
  entriesAt,
  Recording,
  RECORDING_ENTRY,
  recordingFaults,
  recordingFile,
} from "../../../rl/run/recording.ts";
import type { Rollout } from "../../../rl/rollout.ts";
import { gpuTest } from "../../gpu.ts";
import { metricsOf, TempFolder, tinyConfig, trainHere } from "../tiny_run.ts";
import { header, recordRange, turnWith } from "./records.ts";

const iterationsIn = (path: string) =>
  entriesAt(path).filter((name) => name.startsWith("rl-")).map((name) => Number(name.slice(3, 9)));

Deno.test("a recorded file reads back as it was written, and is refused half-written, changed or of another format", () => {
  const text = encodeRecorded([header(3), turnWith(`${"0".repeat(32)}.png`)]);
  assertEquals(decodeRecorded(text).header, header(3));
  assertEquals(decodeRecorded(text).turns.length, 1);
  for (let end = 0; end < text.length; end += 17) {
    assertThrows(() => decodeRecorded(text.slice(0, end)), SyntaxError, "half-written");
  }
  assertThrows(
    () => decodeRecorded(text.replace('"iteration":3', '"iteration":4')),
    SyntaxError,
    "not what was",
  );
  const newer = encodeRecorded([{ ...header(3), format: 2 }]);
  assertThrows(() => decodeRecorded(newer), SyntaxError, "its format is 2, this version knows 1");
});

Deno.test("numbers are written in the fewest digits that read back as the same float32", () => {
  const random = new Random(1);
  for (let i = 0; i < 2000; i++) {
    const value = Math.fround((random.float() - 0.5) * 10 ** (random.integer(20) - 10));
    assertEquals(Math.fround(shortest(value)), value);
  }
  assertEquals(JSON.stringify(shortest(Math.fround(0.1))), "0.1");
});

Deno.test("a histogram counts every finite value once", () => {
  assertEquals(histogramOf([]), null);
  assertEquals(histogramOf([NaN, 2, 2])?.counts.reduce((a, b) => a + b), 2);
  const { min, max, counts } = histogramOf([-1, 0, 0.5, 3])!;
  assertEquals([min, max, counts[0], counts.at(-1), counts.reduce((a, b) => a + b)], [-1, 3, 1, 1, 4]);
});

Deno.test("a full recording keeps the first iterations, the newest, and some between, under its bound", () => {
  using temp = new TempFolder();
  const path = `${temp.path}/recording`;
  const recording = new Recording(path, 40_000);
  for (let iteration = 1; iteration <= 300; iteration++) {
    const shared = recording.addPicture(Uint8Array.of(1, 2, 3));
    const own = recording.addPicture(Uint8Array.of(4, iteration & 255, iteration >> 8));
    recording.add(recordingFile(iteration), [header(iteration), turnWith(shared), turnWith(own)]);
    assert(recording.bytes <= 40_000);
  }
  const kept = iterationsIn(path);
  assertEquals(kept.slice(0, 3), [1, 2, 3]);
  assertEquals(kept.slice(-5), [296, 297, 298, 299, 300]);
  const between = kept.filter((iteration) => iteration > 3 && iteration < 280);
  assert(
    between.length > 5 && between.some((it) => it < 140) && between.some((it) => it > 140),
    `${between}`,
  );
  // A picture is there exactly as long as a file names it.
  assertEquals(entriesAt(path).filter((name) => name.endsWith(".png")).length, kept.length + 1);
  const bytes = entriesAt(path).reduce((sum, name) => sum + Deno.statSync(`${path}/${name}`).size, 0);
  assertEquals(recording.bytes, bytes);
});

Deno.test("what is kept between is a fair sample: no iteration is likelier than another", () => {
  using temp = new TempFolder();
  const recording = new Recording(`${temp.path}/recording`, 30_000);
  for (let iteration = 1; iteration <= 600; iteration++) {
    recording.add(recordingFile(iteration), [header(iteration)]);
  }
  const between = iterationsIn(`${temp.path}/recording`).filter((it) => it > 3 && it <= 580);
  assertAlmostEquals(between.reduce((a, b) => a + b) / between.length, 291, 120);
});

Deno.test("a recording that was cut short goes on to what an undisturbed one ends in", () => {
  using temp = new TempFolder();
  recordRange(new Recording(`${temp.path}/whole`, 30_000), 1, 200);
  const cut = `${temp.path}/cut`;
  recordRange(new Recording(cut, 30_000), 1, 117);
  Deno.writeTextFileSync(`${cut}/${recordingFile(118)}`, encodeRecorded([header(118)]).slice(0, 300));
  Deno.writeTextFileSync(`${cut}/${"0".repeat(32)}.png`, "nobody names it");
  const resumed = new Recording(cut, 30_000);
  resumed.resume({ iteration: 102, isAfterSft: true });
  assert(iterationsIn(cut).every((iteration) => iteration <= 102));
  recordRange(resumed, 103, 200);
  assertEquals(entriesAt(cut), entriesAt(`${temp.path}/whole`));
  resumed.resume(null);
  assertEquals(entriesAt(cut), []);
});

Deno.test({
  name:
    "a process that is killed while it records goes on to a recording that is whole, bounded and as without the kill",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using temp = new TempFolder();
    const limit = 40_000;
    const whole = new Recording(`${temp.path}/whole`, limit);
    recordRange(whole, 1, 200);
    for (const least of [1, 9, 60, 150]) {
      const path = `${temp.path}/recording`;
      const fixture = new URL("records.ts", import.meta.url).pathname;
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", fixture, path, String(limit)],
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      // It says a letter for each iteration that it begins.
      let begun = 0;
      for await (const { length } of child.stdout) if ((begun += length) >= least) break;
      child.kill("SIGKILL");
      await child.status;
      const last = iterationsIn(path).at(-1) ?? 0;
      assert(last < 200, "it was killed under way");
      const iteration = 6 * Math.floor(Math.max(0, last - 1) / 6);
      const resumed = new Recording(path, limit);
      resumed.resume({ iteration, isAfterSft: true });
      recordRange(resumed, iteration + 1, 200);
      assertEquals(recordingFaults(temp.path).faults, []);
      assertEquals(entriesAt(path), entriesAt(`${temp.path}/whole`));
      const bytes = entriesAt(path).reduce((sum, name) => sum + Deno.statSync(`${path}/${name}`).size, 0);
      assertEquals([bytes, bytes <= limit], [whole.bytes, true]);
      Deno.removeSync(path, { recursive: true });
    }
  },
});

Deno.test("how long things took changes neither the size of a file nor what is kept", () => {
  using temp = new TempFolder();
  const record = (path: string, time: (iteration: number) => number) => {
    const recording = new Recording(path, 30_000);
    for (let iteration = 1; iteration <= 200; iteration++) {
      const seconds = { rollout: time(iteration), update: time(iteration) / 3, record: 1e-9 };
      recording.add(recordingFile(iteration), [{ ...header(iteration), seconds }]);
    }
    return entriesAt(path).map((name) => [name, Deno.statSync(`${path}/${name}`).size]);
  };
  const fast = record(`${temp.path}/fast`, () => 0);
  assertEquals(record(`${temp.path}/slow`, (iteration) => 1234.56789 * iteration), fast);
  const { header: { seconds } } = decodeRecorded(
    Deno.readTextFileSync(`${temp.path}/slow/${recordingFile(1)}`),
  );
  assertEquals(seconds, { rollout: 1234.5679, update: 411.5226, record: 0 });
});

Deno.test("every episode is as likely to be recorded, with other answers to one of its states", () => {
  const transitions = Array.from({ length: 24 }, (_, i) => ({ state: `s${i % 4}` }));
  const trajectories = [0, 1, 2, 3, 4, 5].map((e) => ({
    ...{ deal: e, outcome: null },
    turns: [0, 1, 2, 3].map((t) => 4 * e + t),
  }));
  const rollout = { transitions, trajectories } as unknown as Rollout;
  const counts = new Array<number>(6).fill(0);
  for (let draw = 0; draw < 600; draw++) {
    const chosen = chooseTurns(rollout, 12, new Random(draw));
    assertEquals(chosen.length, 12);
    assertEquals(new Set(chosen.map(({ index }) => index)).size, 12);
    const episodes = new Set(
      chosen.filter(({ kind }) => kind === "turn").map(({ trajectory }) => trajectory),
    );
    assertEquals(episodes.size, 2);
    for (const trajectory of episodes) counts[trajectory]++;
    for (const { kind, episode, turn, index } of chosen) {
      if (kind === "turn") continue;
      const own = chosen.find((other) =>
        other.kind === "turn" && other.episode === episode && other.turn === turn
      );
      assertEquals(transitions[index].state, transitions[own!.index].state);
    }
  }
  for (const count of counts) assertAlmostEquals(count, 200, 50);
});

Deno.test("check names what is damaged in a recording, and restore removes it", async () => {
  using temp = new TempFolder();
  {
    await using run = await RunFolder.create(temp.path + "/run");
    await run.writeConfig({ seed: 7 });
    await run.writeCheckpoint({ "model.safetensors": "first" });
    const recording = run.record(1e6);
    for (const iteration of [1, 2]) {
      const picture = recording.addPicture(Uint8Array.of(iteration));
      recording.add(recordingFile(iteration), [header(iteration), turnWith(picture)]);
    }
  }
  const run = `${temp.path}/run`;
  const rows = async () =>
    (await checkRun(run)).files.filter(({ file }) => file.startsWith("recording"))
      .map(({ file, state, detail }) => [file, state, detail]);
  assertEquals(await rows(), [["recording", "ok", "2 files, 2 pictures"]]);
  const path = `${run}/recording/${recordingFile(2)}`;
  Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace("xxx", "xyx"));
  const [, picture] = entriesAt(`${run}/recording`).filter((name) => name.endsWith(".png"));
  Deno.writeFileSync(`${run}/recording/${picture}`, Uint8Array.of(9));
  assertEquals((await rows()).map(([file, state]) => [file, state]), [
    [`recording/${picture}`, "damaged"],
    [`recording/${recordingFile(2)}`, "damaged"],
  ]);
  assertEquals((await checkRun(run)).isWhole, false);
  assertEquals(await restoreRun(run), ["Removed 2 damaged files of its recording."]);
  // Somebody else's file is not the run's to delete.
  Deno.writeTextFileSync(`${run}/recording/notes.txt`, "mine");
  assertEquals((await checkRun(run)).notes.at(-1), "recording/notes.txt is not the run's.");
});

/** Digests of a run's other files by name, without how long it took and how much memory, and what has a digest of that. */
async function besideRecording(run: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const folder of ["", "checkpoint/", "checkpoint.previous/", "warm_start/"]) {
    for (const { name, isFile } of Deno.readDirSync(`${run}/${folder}`)) {
      if (!isFile || name === "manifest.json") continue;
      let content: string | Uint8Array = Deno.readFileSync(`${run}/${folder}${name}`);
      if (name === "trainer.json") {
        const { effort: _, peakBytes: __, ...state } = JSON.parse(
          new TextDecoder().decode(content as Uint8Array),
        );
        content = JSON.stringify(state);
      } else if (name === "config.json" && folder === "") {
        const { record: _, ...settings } = JSON.parse(new TextDecoder().decode(content as Uint8Array));
        content = JSON.stringify(settings);
      }
      files[folder + name] = (await digestOf(content)).sha256;
    }
  }
  assertEquals(Object.keys(files).length, 17);
  return files;
}

/** The recording's files by name, without what depends on the clock. */
function recordedIn(run: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of entriesAt(`${run}/recording`)) {
    const text = name.endsWith(".png") ? "" : Deno.readTextFileSync(`${run}/recording/${name}`);
    files[name] = text.replace(/"seconds":\{[^}]*\}/, "").replace(/"sha256":"\w+"/, "");
  }
  return files;
}

gpuTest(
  "a run records turns whose numbers agree with each other and with its metrics, and nothing with --record 0",
  async () => {
    using temp = new TempFolder();
    const settings = { envSteps: 32, maxNewTokens: 14 };
    await trainHere(`${temp.path}/run`, tinyConfig(settings));
    await trainHere(`${temp.path}/none`, tinyConfig({ ...settings, record: 0 }));
    assertEquals(metricsOf(`${temp.path}/run`), metricsOf(`${temp.path}/none`));
    assertEquals(entriesAt(`${temp.path}/none/recording`), []);
    // Everything else is the same to the byte, but for how long it took.
    assertEquals(await besideRecording(`${temp.path}/none`), await besideRecording(`${temp.path}/run`));
    const path = `${temp.path}/run/recording`;
    assertEquals([...Deno.readDirSync(path)].filter(({ name }) => !RECORDING_ENTRY.test(name)), []);
    const lines = metricsOf(`${temp.path}/run`).trim().split("\n").map((line) => JSON.parse(line));
    for (const iteration of [1, 2]) {
      const { header, episodes, turns } = decodeRecorded(
        Deno.readTextFileSync(`${path}/${recordingFile(iteration)}`),
      );
      const metrics = lines.find((line) => line.stage === "rl" && line.iteration === iteration);
      assertEquals(header.minibatches.length, metrics.updates);
      assertAlmostEquals(header.minibatches.at(-1)!.kl, metrics.kl, 1e-6);
      assertEquals(header.histograms.advantage!.counts.reduce((a, b) => a + b), header.turns);
      assert(turns.length > 0 && turns.length <= 12);
      assert(episodes.length > 0);
      for (const turn of turns) {
        const { logprobs, after, alternatives, tokens, weights, ratio, attention, imageShare } = turn;
        assertEquals([after!.length, alternatives!.length, weights.length], [
          tokens.length,
          tokens.length,
          tokens.length,
        ]);
        const logRatio = after!.reduce((sum, logprob, t) => sum + weights[t] * (logprob - logprobs[t]), 0);
        assertAlmostEquals(ratio as number, Math.exp(logRatio), 1e-5);
        tokens.forEach((id, t) => {
          // The forward pass that explains agrees with the one that acted.
          const told = alternatives![t].find(([other]) => other === id);
          if (told) assertAlmostEquals(told[2], Math.exp(logprobs[t]), 2e-3);
        });
        const [columns, rows] = header.grid!;
        assertEquals(atob(attention!).length, tokens.length * columns * rows);
        assert(imageShare!.every((share) => share > 0 && share <= 1 + 1e-6));
        const picture = decodePicture(Deno.readFileSync(`${path}/${turn.picture}`));
        assertEquals([picture.width, picture.height], [32, 32]);
        assertEquals(
          header.prompts[turn.prompt].startsWith("You are playing a game called number line"),
          true,
        );
      }
    }
    const { episodes, turns } = decodeRecorded(Deno.readTextFileSync(`${path}/${recordingFile("rl")}`));
    assertEquals(episodes.map(({ how }) => how), ["sampled", "sampled", "greedy", "greedy"]);
    assertEquals(turns.every(({ after, advantage }) => after === null && advantage === null), true);
  },
);

gpuTest("a run that died and went on records what one that did not records", async () => {
  using temp = new TempFolder();
  const settings = { cot: false, sftSteps: 4, rolloutSteps: 2, envSteps: 64 };
  await trainHere(`${temp.path}/whole`, tinyConfig(settings));
  const run = `${temp.path}/died`;
  try {
    await trainHere(run, tinyConfig(settings), (_, metrics) => {
      if (metrics.includes('"iteration":7')) throw new Error("power cut");
      return false;
    });
  } catch (error) {
    assertEquals((error as Error).message, "power cut");
  }
  assertEquals(iterationsIn(`${run}/recording`), [1, 2, 3, 4, 5, 6, 7]);
  await trainHere(run, tinyConfig({ ...settings, resume: true }));
  assertEquals(recordedIn(run), recordedIn(`${temp.path}/whole`));
});

Deno.test("a picture that was lost or cut is written again by the run that goes on", () => {
  using temp = new TempFolder();
  const path = `${temp.path}/recording`;
  const before = new Recording(path, 1e6);
  const pictures = [1, 2, 3].map((byte) => Uint8Array.of(byte, byte));
  const names = pictures.map((png) => before.addPicture(png));
  before.add(recordingFile(1), [header(1), ...names.map(turnWith)]);
  const { bytes } = before;
  Deno.removeSync(`${path}/${names[0]}`);
  Deno.writeTextFileSync(`${path}/${names[1]}`, "");
  const resumed = new Recording(path, 1e6);
  resumed.resume({ iteration: 1, isAfterSft: true });
  assertEquals([resumed.bytes, ...names.map((name) => resumed.has(name))], [bytes - 4, false, false, true]);
  pictures.forEach((png) => resumed.addPicture(png));
  assertEquals(resumed.bytes, bytes);
  for (const [i, name] of names.entries()) assertEquals(Deno.readFileSync(`${path}/${name}`), pictures[i]);
});

Deno.test({
  name: "a run that goes on never writes through a link or a pipe in its recording",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using temp = new TempFolder();
    const path = `${temp.path}/recording`;
    Deno.mkdirSync(path);
    Deno.writeTextFileSync(`${temp.path}/precious`, "mine");
    Deno.symlinkSync("../precious", `${path}/${recordingFile(2)}`);
    await new Deno.Command("mkfifo", { args: [`${path}/${recordingFile(3)}`] }).output();
    // Larger than all memory, and of no run.
    Deno.writeTextFileSync(`${path}/${recordingFile(1)}`, "");
    Deno.truncateSync(`${path}/${recordingFile(1)}`, 2 ** 40);
    const recording = new Recording(path, 1e6);
    recording.resume({ iteration: 1, isAfterSft: true });
    for (const iteration of [2, 3]) recording.add(recordingFile(iteration), [header(iteration)]);
    assertEquals(Deno.readTextFileSync(`${temp.path}/precious`), "mine");
    assertEquals(iterationsIn(path), [2, 3]);
  },
});
