/**
 * The GPU as commands open it: tuned. What tuning measured is kept in a file of the user's cache folder, by adapter,
 * so that it happens once a machine and every later run takes the same variants.
 *
 * `PONDER_TUNING` names another file, or is `off`: then launches take what the kind of adapter suggests.
 *
 * @module
 */
import { knownVariants } from "./cases.ts";
import { environment, type Gpu, openGpu } from "../kernels/gpu/mod.ts";
import {
  applyTuning,
  tune,
  type TuneSettings,
  type Tuning,
  tuningCases,
  tuningVersion,
  UNTUNED,
} from "./tune.ts";
import { writeFileAtomic } from "../model/files.ts";
import { formatDuration, UsageError } from "../rl/cli/mod.ts";

/** How to open a GPU. */
export interface TuningSettings {
  /** Receives lines for people. */
  readonly note: (line: string) => void;
  /** Measure again although there is a result. */
  readonly again?: boolean;
  /** Receives every measurement. */
  readonly onTime?: TuneSettings["onTime"];
  /** The file to keep results in, null for none; {@linkcode tuningPath} when absent. */
  readonly path?: string | null;
  /** What to measure; every kernel with several variants when absent. */
  readonly cases?: TuneSettings["cases"];
}

/** A command waits about this long for tuning: compiling every variant on a new machine takes longer than measuring. */
const BUDGET_MS = 2500;

/** A result in the file. */
interface Entry extends Tuning {
  readonly version: string;
  /** ISO 8601. */
  readonly measuredAt: string;
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
  const { note, again = false, onTime, path = tuningPath(), cases } = settings;
  const forced = environment("PONDER_VARIANT");
  // Launches would pass over it in silence, as each kernel does over names that only others have.
  if (forced && !knownVariants().includes(forced)) {
    throw new UsageError(
      `Cannot force PONDER_VARIANT=${forced}: no kernel has it, use one of ${knownVariants().join(", ")}`,
    );
  }
  // A forced variant leaves nothing to choose, and would be all that tuning sees.
  if (!again && (environment("PONDER_TUNING") === "off" || forced)) return;
  const adapter = adapterKey(gpu);
  const version = tuningVersion();
  const kept = path === null ? {} : await readEntries(path);
  const known = kept[adapter]?.version === version && !again ? kept[adapter] : UNTUNED;
  const all = (cases ?? tuningCases(gpu)).map(({ folder }) => folder);
  applyTuning(gpu, known);
  for (const [kernel, variants] of Object.entries(known.rejected)) {
    note(`Not using ${variants.join(", ")} of ${kernel}: failed its check on this adapter, see ${path}`);
  }
  if (all.every((folder) => known.folders.includes(folder))) return;

  note(`Choosing kernels for ${gpu.adapterName} by measuring them once, a few seconds`);
  const startMs = performance.now();
  const budgetMs = again ? Infinity : BUDGET_MS;
  const tuning = await tune(gpu, { onNote: note, onTime, cases, earlier: known, budgetMs });
  const isWhole = all.every((folder) => tuning.folders.includes(folder));
  const took = `Took ${formatDuration(performance.now() - startMs)}${
    isWhole ? "" : ", the next command measures the rest"
  }`;
  const entry: Entry = { version, measuredAt: new Date().toISOString(), ...tuning };
  try {
    if (path === null) throw new Error("there is no cache folder: neither XDG_CACHE_HOME nor HOME is set");
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await writeFileAtomic(path, JSON.stringify({ ...kept, [adapter]: entry }, null, 2) + "\n");
    note(`${took}; kept in ${path}`);
  } catch (error) {
    note(`${took}; not kept, so the next command measures again: ${(error as Error).message}`);
  }
}

/** The file that keeps results: `PONDER_TUNING`, else in the user's cache folder; null where there is none. */
export function tuningPath(): string | null {
  const named = environment("PONDER_TUNING");
  if (named !== undefined && named !== "off") return named.includes("/") ? named : `./${named}`;
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ?? (home && `${home}/.cache`);
  return cache ? `${cache}/ponder/tuning.json` : null;
}

/** Name and driver of an adapter. */
function adapterKey({ adapterName, device }: Gpu): string {
  const { vendor, architecture, device: model, description } = device.adapterInfo;
  return [...new Set([adapterName, description, vendor, architecture, model])].filter(Boolean).join(" / ");
}

/** Results by adapter; none where the file is missing or holds something else. */
async function readEntries(path: string): Promise<Record<string, Entry>> {
  try {
    const entries: unknown = JSON.parse(await Deno.readTextFile(path));
    if (typeof entries !== "object" || entries === null) return {};
    return Object.fromEntries(Object.entries(entries).filter(([, entry]) => isEntry(entry)));
  } catch {
    return {};
  }
}

function isEntry(value: unknown): value is Entry {
  const entry = value as Partial<Entry> | null;
  const isObject = (part: unknown) => typeof part === "object" && part !== null;
  return isObject(entry) && typeof entry!.version === "string" && isObject(entry!.chosen) &&
    Array.isArray(entry!.folders) &&
    Object.values(entry!.chosen!).every((variant) => typeof variant === "string") &&
    isObject(entry!.rejected) && Object.values(entry!.rejected!).every(Array.isArray);
}
