/**
 * Proving that a run folder holds what was written, and going back to the last whole checkpoint if it does not.
 *
 * @module
 */
import { exists, readBytes, readText, recoverFolder, writeFileAtomic } from "../../model/files.ts";
import { commandLine } from "../cli/mod.ts";
import {
  Damage,
  digestOf,
  faultOf,
  type Manifest,
  MANIFEST_FILE,
  openCheckpoint,
  readManifest,
  readProven,
  readWhole,
  settingsFault,
} from "./manifest.ts";
import { requireSomeRun, rescueForeign } from "./entries.ts";
import { readJsonObject } from "./json_object.ts";
import { MetricsFile, readMetricsFile } from "./metrics_file.ts";
import { metricsFault } from "./metrics_order.ts";
import { RunLock } from "./lock.ts";
import { removeDamagedRecording } from "./recording.ts";
import { isModule } from "./user_module.ts";
import { encodeConfig, type JsonObject } from "./store.ts";

/** Checkpoints to go on from, the latest first. */
export const RESUMABLE = ["checkpoint", "checkpoint.previous"] as const;

/**
 * Proves that `config.json` is the one that a checkpoint was made with.
 *
 * @throws {Damage} naming the setting that differs.
 */
export async function proveSettings(run: string, { settings }: Pick<Manifest, "settings">): Promise<void> {
  const fault = settingsFault(await readSettings(run), settings);
  if (fault !== null) throw new Damage("config.json", fault);
}

/**
 * Proves that `metrics.jsonl` begins with the lines that belong to a checkpoint, and returns them.
 *
 * @throws {Damage} when lines are lost, changed, doubled or moved.
 */
export async function proveMetrics(run: string, { metrics }: Manifest): Promise<JsonObject[]> {
  const path = `${run}/metrics.jsonl`;
  const bytes = await exists(path) ? await readWhole(path, "metrics.jsonl") : new Uint8Array(0);
  if (bytes.length < metrics.bytes) {
    throw new Damage(
      "metrics.jsonl",
      `it has ${bytes.length} bytes, the checkpoint was made after ${metrics.bytes}`,
    );
  }
  const kept = bytes.subarray(0, metrics.bytes);
  if (await faultOf(kept, metrics) !== null) {
    throw new Damage(
      "metrics.jsonl",
      await orderFault(run) ?? "lines before the checkpoint are not what was written",
    );
  }
  const lines = new TextDecoder().decode(kept).split("\n").slice(0, -1).map((line) => JSON.parse(line));
  const fault = metricsFault(lines);
  if (fault !== null) throw new Damage("metrics.jsonl", fault);
  return lines;
}

/**
 * Proves the lines of `metrics.jsonl` that the run's checkpoints and its end vouch for. Later lines can only be read.
 *
 * @throws {Damage} when they are not what was written, or a manifest is damaged.
 */
export async function proveAllMetrics(run: string): Promise<void> {
  for (const name of [...RESUMABLE, "warm_start"]) {
    const manifest = await readManifest(`${run}/${name}`, `${name}/${MANIFEST_FILE}`);
    if (manifest !== null) await proveMetrics(run, manifest);
  }
  const result = await readManifest(run, MANIFEST_FILE);
  if (result !== null) await proveMetrics(run, result);
}

/**
 * Proves the files of a finished run; one that is not finished passes.
 *
 * @throws {Damage} naming the first file that is not what was written.
 */
export async function proveResult(run: string): Promise<void> {
  const manifest = await readManifest(run, MANIFEST_FILE);
  if (manifest === null) return;
  for await (const [name, fault] of fileFaults(run, manifest)) {
    if (fault !== null) throw new Damage(name, fault);
  }
  await proveEnd(run, manifest);
}

/** Reads the files that a manifest has digests of, and says what is wrong with each; null when nothing is. */
export async function* fileFaults(
  folder: string,
  { files }: Pick<Manifest, "files">,
): AsyncGenerator<readonly [name: string, fault: string | null]> {
  for (const [name, expected] of Object.entries(files)) {
    try {
      await readProven(`${folder}/${name}`, name, expected);
      yield [name, null];
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      yield [name, error.state];
    }
  }
}

/**
 * Proves that the checkpoint of a finished run is the one that the run ended with.
 *
 * @param result The run's own manifest.
 * @throws {Damage} when it is another one.
 */
export async function proveEnd(run: string, { progress: { checkpoint } }: Manifest): Promise<void> {
  const identity = await checkpointIdentity(run);
  if (identity === checkpoint) return;
  const isMissing = identity === null && !await exists(`${run}/checkpoint`);
  throw new Damage("checkpoint", isMissing ? "it is missing" : "it is not the one that the run ended with");
}

/** Identifies a run's checkpoint by the digest of its manifest; null when it has none. */
export async function checkpointIdentity(run: string): Promise<string | null> {
  const path = `${run}/checkpoint/${MANIFEST_FILE}`;
  return await exists(path) ? (await digestOf(await readBytes(path))).sha256 : null;
}

/** Finishes an extension of the run if its process was killed before it wrote `config.json`. */
export async function mendExtension(run: string, checkpoint: string): Promise<void> {
  let manifest: Manifest | null;
  let settings: JsonObject;
  try {
    [manifest, settings] = [await readManifest(checkpoint), await readSettings(run)];
  } catch (error) {
    if (error instanceof Damage) return; // reported when the checkpoint is proven
    throw error;
  }
  const before = manifest?.extensions.at(-1)?.before;
  if (manifest === null || before === undefined || settingsFault(settings, manifest.settings) === null) {
    return;
  }
  if (settingsFault(settings, { ...manifest.settings, ...before }) !== null) return;
  await writeFileAtomic(`${run}/config.json`, encodeConfig(manifest.settings));
}

/** Proves everything that a run would go on from: a checkpoint's files and the metrics up to it. */
export async function proveCheckpoint(run: string, name: string): Promise<Manifest> {
  const checkpoint = await openCheckpoint(`${run}/${name}`, name);
  if (checkpoint.manifest === null) throw new Damage(`${name}/${MANIFEST_FILE}`, "it is missing");
  await checkpoint.read(...Object.keys(checkpoint.manifest.files));
  await proveMetrics(run, checkpoint.manifest);
  return checkpoint.manifest;
}

/** Finds the latest checkpoint that is whole; null when none is. */
export async function wholeCheckpoint(
  run: string,
): Promise<{ name: typeof RESUMABLE[number]; manifest: Manifest } | null> {
  for (const name of RESUMABLE) {
    try {
      if (await exists(`${run}/${name}`)) return { name, manifest: await proveCheckpoint(run, name) };
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
    }
  }
  return null;
}

/**
 * Makes a run resumable again from its latest whole checkpoint: that or the one before it, the metrics up to there, and its
 * settings. Returns what was done, one sentence each.
 *
 * @throws {Deno.errors.NotFound} when there is no such folder, or nothing of a run in it.
 * @throws {Deno.errors.InvalidData} when no checkpoint is whole; then nothing is changed.
 */
export async function restoreRun(run: string): Promise<string[]> {
  await requireSomeRun(run); // else its lock would be put into any folder
  const lock = await RunLock.take(run);
  try {
    await recoverFolder(`${run}/checkpoint`);
    const whole = await wholeCheckpoint(run);
    if (whole === null) {
      throw new Deno.errors.InvalidData(
        `Cannot restore ${run}: no checkpoint in it is whole, ${await beginAgain(run)}`,
      );
    }
    const { name, manifest } = whole;
    const done: string[] = [];
    if (name !== "checkpoint") {
      await rescueForeign(run, "checkpoint");
      await Deno.remove(`${run}/checkpoint`, { recursive: true });
      await Deno.rename(`${run}/${name}`, `${run}/checkpoint`);
      done.push(`Went back to the checkpoint before (${describe(manifest.progress)}).`);
    }
    const config = encodeConfig(manifest.settings);
    if (await readText(`${run}/config.json`).catch(() => null) !== config) {
      await writeFileAtomic(`${run}/config.json`, config);
      done.push("Wrote config.json as the checkpoint has it.");
    }
    let isResultWhole = true;
    await proveResult(run).catch(() => isResultWhole = false);
    if (name !== "checkpoint" || !isResultWhole) {
      for (const file of [MANIFEST_FILE, "summary.json"]) {
        if (await exists(`${run}/${file}`)) await Deno.remove(`${run}/${file}`);
      }
      await new MetricsFile(`${run}/metrics.jsonl`).truncate(manifest.metrics.bytes);
      done.push(
        `Cut metrics.jsonl to the ${manifest.metrics.lines} lines before the checkpoint, and removed the result.`,
      );
    }
    const removed = removeDamagedRecording(run);
    if (removed > 0) done.push(`Removed ${removed} damaged files of its recording.`);
    return done;
  } finally {
    lock.release();
  }
}

/**
 * Does `work`. Damage that it meets is reported with the run's name and a remedy.
 *
 * @throws {Deno.errors.InvalidData} for damage.
 */
export async function explained<T>(run: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    throw new Deno.errors.InvalidData(
      `Cannot use ${run}: ${error.message}; ${await remedyFor(run, error)}`,
      { cause: error },
    );
  }
}

/** Makes the error for a checkpoint without a manifest. */
export function unverifiable(checkpoint: string): Damage {
  return new Damage(
    `${checkpoint}/${MANIFEST_FILE}`,
    "it is missing, so that nothing proves the files beside it: they are from before manifests, or it was removed",
  );
}

/** Says in words where a run stood, such as `rl, iteration 6`. */
export function describe({ stage, sftUpdates, iteration }: JsonObject): string {
  if (stage === undefined) return "a point that it does not tell";
  return stage === "sft" ? `warm start, update ${sftUpdates}` : `${stage}, iteration ${iteration}`;
}

/** Says what is wrong with the order of all lines; null when nothing is. */
async function orderFault(run: string): Promise<string | null> {
  try {
    return metricsFault((await readMetricsFile(`${run}/metrics.jsonl`)).lines);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return error.message.replace(/^.*?: (line \d+ is not a JSON object).*$/, "$1");
  }
}

/** Says which command mends a damaged run, and what else would do. */
async function remedyFor(run: string, { file }: Damage): Promise<string> {
  const again = await beginAgain(run);
  if (file.startsWith("warm_start/")) return `nothing else holds it: ${again}`;
  const whole = await wholeCheckpoint(run);
  if (whole === null) return `no checkpoint in it is whole: ${again}`;
  const isConfigWhole = await proveSettings(run, whole.manifest).then(() => true, () => false);
  if (whole.name === "checkpoint" && isConfigWhole) {
    return `${commandLine("train", ["--resume", "--out", run])} makes it anew from the checkpoint`;
  }
  const restore = commandLine("check", [run, "--restore"]);
  if (whole.name === "checkpoint") return `${restore} puts the settings back, or ${again}`;
  return `${restore} goes back to ${describe(whole.manifest.progress)}, or ${again}`;
}

/**
 * Says how to begin a run again. The command takes the run's own settings; there is none for a run whose settings cannot be
 * read, or name a program: what is in a folder must not talk anybody into running it.
 */
async function beginAgain(run: string): Promise<string> {
  const path = `${run}/config.json`;
  const settings = await readSettings(run).catch(() => null);
  const named = ["env", "algorithm"].map((name) => [name, settings?.[name]] as const);
  if (!named.every(([, value]) => typeof value === "string")) return "begin it again with --overwrite";
  const programs = named.filter(([, value]) =>
    !/^[\w/+-]+$/.test(value as string) || isModule(value as string)
  );
  if (programs.length > 0) {
    const flags = programs.map(([name]) => `--${name}`).join(" and ");
    return `begin it again with --overwrite, your own ${flags}, and the settings in ${path}`;
  }
  return `${commandLine("train", ["--config", path, "--overwrite", "--out", run])} begins it again`;
}

/**
 * Reads the settings that a run was begun with.
 *
 * @throws {Damage} when `config.json` is missing or holds no JSON object.
 */
export async function readSettings(run: string): Promise<JsonObject> {
  const path = `${run}/config.json`;
  if (!await exists(path)) throw new Damage("config.json", "it is missing");
  try {
    return await readJsonObject(path);
  } catch (error) {
    throw new Damage("config.json", "it holds no JSON object", { cause: error });
  }
}
