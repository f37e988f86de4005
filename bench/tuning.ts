/**
 * Opening the GPU for commands, with tuning. Results are kept in the user's cache folder, a file for each adapter and state of
 * the kernels' sources. Tuning happens once; every later run takes the same variants. References and cases are loaded only if
 * there is something to measure.
 *
 * `PONDER_TUNING` names another folder. If it is `off`, launches take the usual variant for the kind of adapter.
 *
 * @module
 */
import { environment, type Gpu, openGpu } from "../kernels/gpu/mod.ts";
import { applyTuning, type Tuning, UNTUNED } from "../kernels/tune.ts";
import { readText, writeFileAtomic } from "../model/files.ts";
import { failureMessage, formatDuration, UsageError } from "../rl/cli/mod.ts";
import type { TuneSettings } from "./tune.ts";

/** How to open a GPU. */
export interface TuningSettings {
  /** Receives lines for people. */
  readonly note: (line: string) => void;
  /** Measure again even if there is a result. */
  readonly again?: boolean;
  /** Receives every measurement. */
  readonly onTime?: TuneSettings["onTime"];
  /** The folder that keeps results; null for none. {@linkcode tuningFolder} when absent. */
  readonly folder?: string | null;
  /** Cases to measure; those of every kernel with several variants when absent. */
  readonly cases?: TuneSettings["cases"];
  /** State of the kernels' sources; {@linkcode kernelsVersion} when absent. */
  readonly kernels?: string;
}

/** A command waits about this long for tuning. On a new machine compiling all variants takes longer than measuring them. */
const BUDGET_MS = 2500;

/** Raise this when the rules of tuning or the cases of `bench/` change. Earlier results are then measured again. */
const RULES_VERSION = 2;

/** Number of files that are kept, the newest, for other adapters and older kernels. Each has about a kilobyte. */
const KEPT_FILES = 32;

/** What a result depends on. */
interface Key {
  readonly adapter: string;
  readonly kernels: string;
}

/** A result in its file. */
interface Entry extends Tuning, Key {
  /** Time of the measurement, as ISO 8601. */
  readonly measuredAt: string;
  /** Was every kernel with several variants measured? */
  readonly isWhole: boolean;
}

/** Opens the default GPU and tunes it, by measurement or from the file. Throws as {@linkcode tuneGpu} does. */
export async function openTunedGpu(settings: TuningSettings): Promise<Gpu> {
  const gpu = await openGpu();
  try {
    await tuneGpu(gpu, settings);
    return gpu;
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}

/**
 * Tunes an open GPU, by measurement or from the file. If the file cannot be read or written, tuning still happens.
 *
 * @throws {UsageError} when `PONDER_VARIANT` names a variant that no kernel has.
 */
export async function tuneGpu(gpu: Gpu, settings: TuningSettings): Promise<void> {
  const { note, again = false, onTime, folder = tuningFolder(), cases } = settings;
  const forced = environment("PONDER_VARIANT");
  if (forced) await checkVariant(forced);
  // With a forced variant there is nothing to choose; tuning would see only that variant.
  if (!again && (environment("PONDER_TUNING") === "off" || forced)) return;
  const key = { adapter: adapterKey(gpu), kernels: settings.kernels ?? await kernelsVersion() };
  const path = await pathOf(folder, key);
  const kept = path === null || again ? null : await readEntry(path, key);
  const known = kept ?? UNTUNED;
  applyTuning(gpu, known);
  for (const [kernel, variants] of Object.entries(known.rejected)) {
    note(`Not using ${variants.join(", ")} of ${kernel}: failed its check on this adapter, see ${path}`);
  }
  if (cases === undefined && kept?.isWhole) return;

  const { tune, tuningCases } = await import("./tune.ts");
  const chosen = cases ?? tuningCases(gpu);
  const isDone = ({ folders }: Tuning) => chosen.every((each) => folders.includes(each.folder));
  if (isDone(known)) return;
  note(`Choosing kernels for ${gpu.adapterName} by measuring them once, a few seconds`);
  const startMs = performance.now();
  const budgetMs = again ? Infinity : BUDGET_MS;
  const tuning = await tune(gpu, { onNote: note, onTime, cases: chosen, earlier: known, budgetMs });
  const isWhole = isDone(tuning);
  const took = `Took ${formatDuration(performance.now() - startMs)}${
    isWhole ? "" : ", the next command measures the rest"
  }`;
  try {
    if (path === null) throw new Error("there is no cache folder: neither XDG_CACHE_HOME nor HOME is set");
    await writeEntry(path, { ...key, measuredAt: new Date().toISOString(), isWhole, ...tuning });
    note(`${took}; kept in ${path}`);
  } catch (error) {
    note(`${took}; not kept, so the next command measures again: ${failureMessage(error)}`);
  }
}

/** Says what is kept for a GPU in {@linkcode tuningFolder}, and in which file; null if there is no such folder. */
export async function keptTuning(
  gpu: Gpu,
): Promise<{ state: "whole" | "begun" | "absent"; path: string | null }> {
  const key = { adapter: adapterKey(gpu), kernels: await kernelsVersion() };
  const path = await pathOf(tuningFolder(), key);
  const entry = path === null ? null : await readEntry(path, key);
  return { path, state: entry === null ? "absent" : entry.isWhole ? "whole" : "begun" };
}

/** The file of a result. */
async function pathOf(folder: string | null, key: Key): Promise<string | null> {
  return folder === null ? null : `${folder}/${(await digest(JSON.stringify(key))).slice(0, 16)}.json`;
}

/** Refuses an unknown name. Launches would ignore it, as each kernel ignores names that only others have. */
async function checkVariant(forced: string): Promise<void> {
  const { knownVariants } = await import("./cases.ts");
  if (knownVariants().includes(forced)) return;
  throw new UsageError(
    `Cannot force PONDER_VARIANT=${forced}: no kernel has it, use one of ${knownVariants().join(", ")}`,
  );
}

/** Finds the folder that keeps results: `PONDER_TUNING`, else one in the user's cache folder; null if there is none. */
export function tuningFolder(): string | null {
  const named = environment("PONDER_TUNING");
  if (named && named !== "off") return named;
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ?? (home && `${home}/.cache`);
  return cache ? `${cache}/ponder/tuning` : null;
}

/**
 * Identifies the state of the kernels: by a hash of every source in `kernels/`. References and cases count too, since they decide
 * which variants pass. If the sources are no files, as in a package from a registry, it is their address, which has a version.
 */
export async function kernelsVersion(root: URL = new URL("../kernels/", import.meta.url)): Promise<string> {
  if (root.protocol !== "file:") return `${RULES_VERSION} ${root.href}`;
  const texts = await Promise.all(
    (await sourcesIn(root)).map(async (url) =>
      `${url.href.slice(root.href.length)}\n${await Deno.readTextFile(url)}\n`
    ),
  );
  return `${RULES_VERSION} ${await digest(texts.join(""))}`;
}

/** Lists the source files below a folder, sorted. */
async function sourcesIn(folder: URL): Promise<URL[]> {
  const entries = (await Array.fromAsync(Deno.readDir(folder))).sort((a, b) => a.name < b.name ? -1 : 1);
  const found = await Promise.all(entries.map(({ name, isDirectory }) => {
    if (isDirectory) return sourcesIn(new URL(`${name}/`, folder));
    return /\.(ts|wgsl)$/.test(name) ? [new URL(name, folder)] : [];
  }));
  return found.flat();
}

/** SHA-256 in hexadecimal. */
async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Name and driver of an adapter. */
function adapterKey({ adapterName, device }: Gpu): string {
  const { vendor, architecture, device: model, description } = device.adapterInfo;
  return [...new Set([adapterName, description, vendor, architecture, model])].filter(Boolean).join(" / ");
}

/** Reads the result in a file; null if the file is missing or holds something else. */
async function readEntry(path: string, { adapter, kernels }: Key): Promise<Entry | null> {
  try {
    const entry: unknown = JSON.parse(await readText(path));
    return isEntry(entry) && entry.adapter === adapter && entry.kernels === kernels ? entry : null;
  } catch {
    return null;
  }
}

/** Writes a result, and removes all but the newest files. */
async function writeEntry(path: string, entry: Entry): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  await Deno.mkdir(folder, { recursive: true });
  await writeFileAtomic(path, JSON.stringify(entry, null, 2) + "\n");
  const files = await Promise.all(
    (await Array.fromAsync(Deno.readDir(folder))).filter(({ name }) => /^[0-9a-f]{16}\.json$/.test(name)).map(
      async ({ name }) => ({ name, writtenMs: (await Deno.stat(`${folder}/${name}`)).mtime?.getTime() ?? 0 }),
    ),
  );
  for (const { name } of files.sort((a, b) => b.writtenMs - a.writtenMs).slice(KEPT_FILES)) {
    await Deno.remove(`${folder}/${name}`);
  }
}

function isEntry(value: unknown): value is Entry {
  const entry = value as Partial<Entry> | null;
  const isObject = (part: unknown) => typeof part === "object" && part !== null;
  return isObject(entry) && typeof entry!.isWhole === "boolean" && isObject(entry!.chosen) &&
    Array.isArray(entry!.folders) &&
    Object.values(entry!.chosen!).every((variant) => typeof variant === "string") &&
    isObject(entry!.rejected) && Object.values(entry!.rejected!).every(Array.isArray);
}
