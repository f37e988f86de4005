/**
 * The GPU as commands open it: tuned. What tuning measured is kept in the user's cache folder, a file for each adapter
 * and state of the kernels' sources. It happens once, and every later run takes the same variants. References and cases
 * are loaded only when there is something to measure.
 *
 * `PONDER_TUNING` names another folder, or is `off`: then launches take what the kind of adapter suggests.
 *
 * @module
 */
import { environment, type Gpu, openGpu } from "../kernels/gpu/mod.ts";
import { applyTuning, type Tuning, UNTUNED } from "../kernels/tune.ts";
import { writeFileAtomic } from "../model/files.ts";
import { formatDuration, UsageError } from "../rl/cli/mod.ts";
import type { TuneSettings } from "./tune.ts";

/** How to open a GPU. */
export interface TuningSettings {
  /** Receives lines for people. */
  readonly note: (line: string) => void;
  /** Measure again although there is a result. */
  readonly again?: boolean;
  /** Receives every measurement. */
  readonly onTime?: TuneSettings["onTime"];
  /** The folder to keep results in, null for none; {@linkcode tuningFolder} when absent. */
  readonly folder?: string | null;
  /** What to measure; every kernel with several variants when absent. */
  readonly cases?: TuneSettings["cases"];
  /** State of the kernels' sources; {@linkcode kernelsVersion} when absent. */
  readonly kernels?: string;
}

/** A command waits about this long for tuning: compiling every variant on a new machine takes longer than measuring. */
const BUDGET_MS = 2500;

/** Raised when tuning's rules or the cases of `bench/` change, so that earlier results are measured again. */
const RULES_VERSION = 2;

/** Files of other adapters and older kernels that are kept, the newest; each is about a kilobyte. */
const KEPT_FILES = 32;

/** What a result depends on. */
interface Key {
  readonly adapter: string;
  readonly kernels: string;
}

/** A result in its file. */
interface Entry extends Tuning, Key {
  /** ISO 8601. */
  readonly measuredAt: string;
  /** Whether every kernel with several variants was measured. */
  readonly isWhole: boolean;
}

/** Opens the default GPU and tunes it, by measurement or from the file. */
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
 * Tunes an open GPU, by measurement or from the file. A file that cannot be read or written changes nothing else.
 *
 * @throws {UsageError} when `PONDER_VARIANT` names a variant that no kernel has.
 */
export async function tuneGpu(gpu: Gpu, settings: TuningSettings): Promise<void> {
  const { note, again = false, onTime, folder = tuningFolder(), cases } = settings;
  const forced = environment("PONDER_VARIANT");
  if (forced) await checkVariant(forced);
  // A forced variant leaves nothing to choose, and would be all that tuning sees.
  if (!again && (environment("PONDER_TUNING") === "off" || forced)) return;
  const key = { adapter: adapterKey(gpu), kernels: settings.kernels ?? await kernelsVersion() };
  const path = folder === null ? null : `${folder}/${(await digest(JSON.stringify(key))).slice(0, 16)}.json`;
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
    note(`${took}; not kept, so the next command measures again: ${(error as Error).message}`);
  }
}

/** Launches would pass over an unknown name in silence, as each kernel does over names that only others have. */
async function checkVariant(forced: string): Promise<void> {
  const { knownVariants } = await import("./cases.ts");
  if (knownVariants().includes(forced)) return;
  throw new UsageError(
    `Cannot force PONDER_VARIANT=${forced}: no kernel has it, use one of ${knownVariants().join(", ")}`,
  );
}

/** The folder that keeps results: `PONDER_TUNING`, else in the user's cache folder; null if there is none. */
export function tuningFolder(): string | null {
  const named = environment("PONDER_TUNING");
  if (named && named !== "off") return named;
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ?? (home && `${home}/.cache`);
  return cache ? `${cache}/ponder/tuning` : null;
}

/**
 * The state of the kernels: a hash of every source in `kernels/`, references and cases too, since they decide which
 * variants pass. If the sources are no files, as in a package from a registry, its address, which has its version.
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

/** Source files below a folder, sorted. */
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

/** The result in a file; null if the file is missing or holds something else. */
async function readEntry(path: string, { adapter, kernels }: Key): Promise<Entry | null> {
  try {
    const entry: unknown = JSON.parse(await Deno.readTextFile(path));
    return isEntry(entry) && entry.adapter === adapter && entry.kernels === kernels ? entry : null;
  } catch {
    return null;
  }
}

/** Keeps a result, and only the newest files beside it. */
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
