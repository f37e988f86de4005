/**
 * Every kind of damage to a run folder: it is refused, or what comes of it is the same bytes. None is silent. Of the damages
 * that any file can take, a third is tried, of each file and of each kind some; `-- --all` tries all.
 */
import { assert, assertEquals } from "@std/assert";
import type { FileContent } from "../../../model/files.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../model/mod.ts";
import { checkRun } from "../../../rl/run/check.ts";
import type { Given } from "../../../rl/cli/mod.ts";
import type { trainOptions } from "../../../rl/config.ts";
import { digestOf } from "../../../rl/run/manifest.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import { findTrainedRun } from "../../../rl/run/trained.ts";
import { gpuTest } from "../../gpu.ts";
import { metricsOf, signAgain, TempFolder, tinyConfig, trainHere } from "../tiny_run.ts";

/** Checkpoints after the warm start and after iterations 6 and 8 of 8. */
const settings: Given<typeof trainOptions> = { cot: false, sftSteps: 3, rolloutSteps: 2, envSteps: 64 };
const LINES_BEFORE_RL = 4;
/** Files that are hashed as a whole whatever they hold. */
const WEIGHTS = ["model.safetensors", "optimizer.safetensors"];
const CHECKPOINT = [...WEIGHTS, "config.json", "tokenizer.json", "trainer.json", "manifest.json"];

/** Does something to the run in a folder. */
type Harm = (run: string) => void;

/** Replaces a file, which may be a hard link, by another. */
function write(path: string, content: Uint8Array | string): void {
  Deno.removeSync(path);
  if (typeof content === "string") Deno.writeTextFileSync(path, content);
  else Deno.writeFileSync(path, content);
}

const bytesOf = (file: string, change: (bytes: Uint8Array) => Uint8Array): Harm => (run) =>
  write(`${run}/${file}`, change(Deno.readFileSync(`${run}/${file}`)));

/** Flips one bit at a share of the file's length. */
const flip = (file: string, share: number): Harm =>
  bytesOf(file, (bytes) => {
    bytes[Math.min(bytes.length - 1, Math.floor(share * bytes.length))] ^= 2;
    return bytes;
  });

// deno-lint-ignore no-explicit-any
const json = (file: string, change: (content: any) => void): Harm => (run) => {
  const content = JSON.parse(Deno.readTextFileSync(`${run}/${file}`));
  change(content);
  write(`${run}/${file}`, JSON.stringify(content, null, 1) + "\n");
};

const lines = (change: (lines: string[]) => string[]): Harm => (run) => {
  const text = Deno.readTextFileSync(`${run}/metrics.jsonl`);
  write(`${run}/metrics.jsonl`, change(text.trimEnd().split("\n")).map((line) => line + "\n").join(""));
};

const tensors = (file: string, change: (names: string[]) => string[]): Harm =>
  bytesOf(file, (bytes) => {
    const { tensors } = decodeSafetensors(bytes);
    const names = [...tensors.keys()];
    const renamed = change(names);
    return encodeSafetensors(new Map(names.map((name, i) => [renamed[i], tensors.get(name)!])));
  });

const copyFile = (from: string, to: string): Harm => (run) =>
  write(`${run}/${to}`, Deno.readFileSync(`${run}/${from}`));

const remove = (entry: string): Harm => (run) => Deno.removeSync(`${run}/${entry}`, { recursive: true });

const swapped = <T>(list: readonly T[], a: number, b: number): T[] =>
  list.map((item, i) => i === a ? list[b] : i === b ? list[a] : item);

/** Damages that any run can take, by name. */
function harmsOf(files: readonly string[]): [string, Harm][] {
  const harms: [string, Harm][] = [];
  for (const file of files) {
    const shares = WEIGHTS.some((name) => file.endsWith(name)) ? [0, 0.5, 1] : [0, 0.3, 0.7, 1];
    for (const share of shares) harms.push([`${file}: a bit flipped at ${share}`, flip(file, share)]);
    harms.push(
      [`${file}: its second half lost`, bytesOf(file, (bytes) => bytes.slice(0, bytes.length >> 1))],
      [`${file}: its last byte lost`, bytesOf(file, (bytes) => bytes.slice(0, -1))],
      [
        `${file}: a byte too many`,
        bytesOf(file, (bytes) => Uint8Array.from({ length: bytes.length + 1 }, (_, i) => bytes[i] ?? 10)),
      ],
      [`${file}: emptied`, bytesOf(file, () => new Uint8Array(0))],
      [`${file}: zeroed`, bytesOf(file, (bytes) => bytes.fill(0))],
      [`${file}: removed`, remove(file)],
    );
  }
  return harms;
}

const meaningful: readonly [string, Harm][] = [
  [
    "token ids swapped",
    json("checkpoint/tokenizer.json", ({ model: { vocab } }) => {
      const [a, b] = Object.keys(vocab);
      [vocab[a], vocab[b]] = [vocab[b], vocab[a]];
    }),
  ],
  ["a slot missing", json("checkpoint/trainer.json", ({ slots }) => slots.pop())],
  ["two slots swapped", json("checkpoint/trainer.json", ({ slots }) => slots.reverse())],
  ["an action of a slot changed", json("checkpoint/trainer.json", ({ slots }) => slots[0].episodeSeed++)],
  ["iteration 1e9", json("checkpoint/trainer.json", (state) => state.iteration = 1e9)],
  ["iteration one less", json("checkpoint/trainer.json", (state) => state.iteration--)],
  ["optimizerStep 0", json("checkpoint/trainer.json", (state) => state.optimizerStep = 0)],
  ["no episodes", json("checkpoint/trainer.json", (state) => state.episodes = 0)],
  ["another stage", json("checkpoint/trainer.json", (state) => state.stage = "sft")],
  ["less effort", json("checkpoint/trainer.json", (state) => state.effort.rl = 0)],
  ["another model's layers", json("checkpoint/config.json", (config) => config.layers = 1e9)],
  ["another normalisation", json("checkpoint/config.json", (config) => config.normEpsilon = 1)],
  [
    "two weights swapped",
    tensors("checkpoint/model.safetensors", (names) => {
      const [a, b] = ["norm_1", "norm_2"].map((norm) => names.indexOf(`language.blocks.0.${norm}.weight`));
      return swapped(names, a, b);
    }),
  ],
  [
    "moments swapped",
    tensors(
      "checkpoint/optimizer.safetensors",
      (names) => names.map((name) => (name[0] === "m" ? "v" : "m") + name.slice(1)),
    ),
  ],
  [
    "weights of the checkpoint before",
    copyFile("checkpoint.previous/model.safetensors", "checkpoint/model.safetensors"),
  ],
  [
    "moments of the warm start",
    copyFile("warm_start/optimizer.safetensors", "checkpoint/optimizer.safetensors"),
  ],
  ["the state of the warm start", copyFile("warm_start/trainer.json", "checkpoint/trainer.json")],
  [
    "the manifest of the checkpoint before",
    copyFile("checkpoint.previous/manifest.json", "checkpoint/manifest.json"),
  ],
  ["a manifest that lists no file", json("checkpoint/manifest.json", (manifest) => manifest.files = {})],
  [
    "a manifest that expects no metrics",
    json("checkpoint/manifest.json", (manifest) => manifest.metrics.bytes = 0),
  ],
  ["a manifest of another format", json("checkpoint/manifest.json", (manifest) => manifest.format = 2)],
  ["lambda edited", json("config.json", (config) => config.lambda = 0.9)],
  ["the seed edited", json("config.json", (config) => config.seed = 1)],
  ["another environment", json("config.json", (config) => config.env = "EZPoints")],
  ["more steps", json("config.json", (config) => config.envSteps = 128)],
  ["fewer steps", json("config.json", (config) => config.envSteps = 32)],
  ["a setting lost", json("config.json", (config) => delete config.temperature)],
  ["a setting too many", json("config.json", (config) => config.extra = true)],
  ["the first line lost", lines((lines) => lines.slice(1))],
  ["a line in the middle lost", lines((lines) => lines.toSpliced(5, 1))],
  ["all lines of RL lost", lines((lines) => lines.slice(0, LINES_BEFORE_RL))],
  ["a line twice", lines((lines) => lines.toSpliced(5, 0, lines[5]))],
  ["two lines swapped", lines((lines) => swapped(lines, 5, 6))],
  ["two numbers of one line swapped", lines((lines) => swapped(lines, 0, 1))],
  [
    "a number edited",
    lines((lines) => lines.map((line, i) => i === 5 ? line.replace(/\d\.\d/, "7.7") : line)),
  ],
  ["a blank line", lines((lines) => lines.toSpliced(3, 0, ""))],
  ["half a line in the middle", lines((lines) => lines.map((line, i) => i === 5 ? line.slice(0, 20) : line))],
  ["other line ends", lines((lines) => lines.map((line) => line + "\r"))],
  ["the last line lost", lines((lines) => lines.slice(0, -1))],
  ["lines after the end", lines((lines) => [...lines, '{"stage":"rl","iteration":99}'])],
  [
    "half a line at the end",
    (run) => Deno.writeTextFileSync(`${run}/metrics.jsonl`, '{"sta', { append: true }),
  ],
  ["no checkpoint", remove("checkpoint")],
  ["no checkpoint before", remove("checkpoint.previous")],
  ["no warm start", remove("warm_start")],
  ["the checkpoint before in place of the last", (run) => {
    Deno.removeSync(`${run}/checkpoint`, { recursive: true });
    Deno.renameSync(`${run}/checkpoint.previous`, `${run}/checkpoint`);
  }],
  ["the warm start in place of the last checkpoint", (run) => {
    Deno.removeSync(`${run}/checkpoint`, { recursive: true });
    Deno.renameSync(`${run}/warm_start`, `${run}/checkpoint`);
  }],
  ["a half-written checkpoint beside", (run) => {
    Deno.mkdirSync(`${run}/checkpoint.new`);
    Deno.writeTextFileSync(`${run}/checkpoint.new/model.safetensors`, "half");
  }],
];

/** A copy that shares the weights' bytes on disk. */
function copyRun(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyRun(`${from}/${name}`, `${to}/${name}`);
    else if (WEIGHTS.includes(name)) Deno.linkSync(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Digests of files, which compare sooner than their bytes. */
async function digestsOf(files: Readonly<Record<string, FileContent>>): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const [name, content] of Object.entries(files)) digests[name] = (await digestOf(content)).sha256;
  return digests;
}

/** The files of a checkpoint. */
const filesOf = (folder: string) =>
  digestsOf(Object.fromEntries(CHECKPOINT.map((name) => [name, Deno.readFileSync(`${folder}/${name}`)])));

/** What can be taken from a run: where each use of it ends, or the error's message. */
async function usesOf(run: string) {
  const told = async <T>(use: () => Promise<T>): Promise<T | Refused> => {
    try {
      return await use();
    } catch (error) {
      return { refused: (error as Error).message };
    }
  };
  const { isWhole } = await checkRun(run).catch(() => ({ isWhole: false }));
  return {
    isWhole,
    summary: await told(async () => await (await RunFolder.open(run)).readSummary()),
    warmStart: await told(async () => {
      const { files, ...more } = await (await RunFolder.open(run)).readWarmStart();
      return { ...more, files: await digestsOf(files) };
    }),
    evaluated: await told(async () => {
      const { config, checkpoint } = await findTrainedRun({ run, given: {} });
      return { config, files: await filesOf(checkpoint) };
    }),
    // Last: it drops lines.
    resumed: await told(async () => {
      await using folder = await RunFolder.create(run, { resume: true });
      const checkpoint = await folder.resume();
      if (checkpoint === null) return { metrics: metricsOf(run), files: null };
      const read = await checkpoint.read(...Object.keys(checkpoint.manifest!.files));
      return { metrics: metricsOf(run), files: await digestsOf(read), config: await folder.readConfig() };
    }),
  };
}

type Uses = Awaited<ReturnType<typeof usesOf>>;

interface Refused {
  readonly refused: string;
}

const isRefused = (use: unknown): use is Refused =>
  use !== null && typeof use === "object" && typeof (use as Partial<Refused>).refused === "string";

/** A use that went as it would without damage, went on from an earlier point of the same run, or was refused. */
function isHonest(name: keyof Omit<Uses, "isWhole">, uses: Uses, honest: readonly Uses[]): boolean {
  const use = uses[name];
  if (isRefused(use)) {
    assert(/^Cannot [^]*(: |, |; )/.test(use.refused), use.refused);
    assert(use.refused.length < 700, use.refused);
    return true;
  }
  return honest.some((other) => JSON.stringify(use) === JSON.stringify(other[name]));
}

/** Tries every harm on copies of a run. */
async function tryAll(run: string, harms: readonly [string, Harm][], scratch: string): Promise<void> {
  const fresh = async (harm: Harm) => {
    const copy = `${scratch}/${crypto.randomUUID()}`;
    copyRun(run, copy);
    harm(copy);
    const uses = await usesOf(copy);
    Deno.removeSync(copy, { recursive: true });
    return uses;
  };
  const intact = await fresh(() => {});
  assert(intact.isWhole);
  assert(!Object.values(intact).some(isRefused));
  // Honest too: no result, and to go on from an earlier checkpoint of the run, or from nothing.
  const nothing = { resumed: { metrics: "", files: null }, summary: null } as unknown as Uses;
  const earlier = ["checkpoint.previous", "warm_start"].map((name) => (copy: string) => {
    Deno.removeSync(`${copy}/checkpoint`, { recursive: true });
    Deno.renameSync(`${copy}/${name}`, `${copy}/checkpoint`);
  });
  const honest = [intact, nothing, await fresh(earlier[0]), await fresh(earlier[1])];
  const silent: string[] = [];
  for (const [name, harm] of harms) {
    const uses = await fresh(harm);
    for (const use of ["summary", "warmStart", "resumed"] as const) {
      if (!isHonest(use, uses, honest)) silent.push(`${name}: ${use}`);
    }
    // What `check` calls whole is as it was, to the byte.
    if (uses.isWhole && !isHonest("evaluated", uses, honest)) silent.push(`${name}: check`);
  }
  assertEquals(silent, []);
}

/** Leaves two tensors of each kind in a run's checkpoints: what proves files does not look into them, and hashes fewer bytes. */
async function slim(run: string): Promise<void> {
  for (const folder of ["checkpoint", "checkpoint.previous", "warm_start"]) {
    for (const file of WEIGHTS) {
      const path = `${run}/${folder}/${file}`;
      const { tensors } = decodeSafetensors(Deno.readFileSync(path));
      const few = [...tensors].filter(([name]) => /language\.blocks\.0\.norm_.\.weight/.test(name));
      Deno.writeFileSync(path, encodeSafetensors(new Map(few)));
    }
    await signAgain(`${run}/${folder}`);
  }
}

let runs: Promise<{ finished: string; unfinished: string; temp: TempFolder }> | null = null;

/** A finished run, and one stopped after its seventh iteration. */
function tinyRuns() {
  return runs ??= (async () => {
    const temp = new TempFolder();
    const [finished, unfinished] = [`${temp.path}/finished`, `${temp.path}/unfinished`];
    await trainHere(finished, tinyConfig(settings));
    await slim(finished);
    await (await RunFolder.open(finished)).writeSummary({ success: 0.5 });
    await trainHere(unfinished, tinyConfig(settings), (lines) => lines >= LINES_BEFORE_RL + 7);
    await slim(unfinished);
    return { finished, unfinished, temp };
  })();
}

/** Every third, so that the kinds of one file are others than those of the next. */
const drawn = (harms: readonly [string, Harm][]) =>
  harms.filter((_, i) => Deno.args.includes("--all") || i % 3 === 0);

const inCheckpoints = ["checkpoint", "checkpoint.previous", "warm_start"]
  .flatMap((folder) => CHECKPOINT.map((name) => `${folder}/${name}`));

gpuTest("no damage to the files of a finished run is silent", async () => {
  const { finished, temp } = await tinyRuns();
  const files = ["config.json", "metrics.jsonl", "summary.json", "manifest.json", ...inCheckpoints];
  const harms = drawn(harmsOf(files));
  for (const file of files) assert(harms.some(([name]) => name.startsWith(`${file}: `)), file);
  await tryAll(finished, harms, temp.path);
});

gpuTest("no loss, edit or exchange in a finished run is silent", async () => {
  const { finished, temp } = await tinyRuns();
  await tryAll(finished, meaningful, temp.path);
});

gpuTest("no loss, edit or exchange in a run under way is silent", async () => {
  const { unfinished, temp } = await tinyRuns();
  await tryAll(unfinished, meaningful, temp.path);
});
