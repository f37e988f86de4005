/**
 * `replays.json` in a run folder: what `./ponder replay` found out about recorded episodes, for the page to show.
 *
 * @module
 */
import { writeFileAtomic } from "../../model/files.ts";
import { sha256 } from "./recorded.ts";
import { RECORDING_ENTRY } from "./recording.ts";
import type { Mismatch, Replay } from "./replay.ts";

/** Name of the file. */
export const REPLAYS_FILE = "replays.json";

/** Results that are kept, the newest. */
const MAX_REPLAYS = 64;
/** Mismatches of a result that are kept, the first. */
const MAX_MISMATCHES = 100;
/** Bytes of a file that this program writes at most, generously. */
const MAX_BYTES = 16 << 20;

/** A replay in short. */
export interface ReplayTold {
  /** Adapter that computed it. */
  readonly adapter: string;
  readonly responses: number;
  readonly tokens: number;
  /** Numbers that were compared. */
  readonly compared: number;
  /** How many of them differ. */
  readonly mismatch: number;
  /** The first of these. */
  readonly mismatches: readonly Mismatch[];
}

/** A result with what it is of. */
interface Kept extends ReplayTold {
  /** SHA-256 of the recorded file's text: a result about other content is none. */
  readonly sha256: string;
}

/** A replay in short, as computed on an adapter. */
export function tellReplay({ turns, tokens, compared, mismatches }: Replay, adapter: string): ReplayTold {
  return {
    ...{ adapter, responses: turns.length, tokens, compared, mismatch: mismatches.length },
    mismatches: mismatches.slice(0, MAX_MISMATCHES),
  };
}

/** Keeps a result about an episode of a recorded file, whose text it was computed for. */
export async function keepReplay(
  run: string,
  { file, episode, text }: { readonly file: string; readonly episode: number; readonly text: string },
  told: ReplayTold,
): Promise<void> {
  const key = `${file}/${episode}`;
  const others = Object.entries(readReplays(run)).filter(([name]) => name !== key);
  const kept: Kept = { sha256: sha256(text), ...told };
  const all = Object.fromEntries([...others, [key, kept]].slice(-MAX_REPLAYS));
  await writeFileAtomic(`${run}/${REPLAYS_FILE}`, JSON.stringify(all, null, 1) + "\n");
}

/** What is known about an episode of a recorded file that has this text; null if it was not replayed as it is now. */
export function replayOf(
  run: string,
  { file, episode, text }: { readonly file: string; readonly episode: number; readonly text: string },
): ReplayTold | null {
  const kept = readReplays(run)[`${file}/${episode}`];
  if (kept === undefined || kept.sha256 !== sha256(text)) return null;
  const { sha256: _, ...told } = kept;
  return told;
}

/** The results by `file/episode`; none of what is no result: the folder may come from anywhere. */
function readReplays(run: string): Record<string, Kept> {
  const path = `${run}/${REPLAYS_FILE}`;
  try {
    const { isFile, size } = Deno.lstatSync(path);
    if (!isFile || size > MAX_BYTES) return {};
    const value: unknown = JSON.parse(Deno.readTextFileSync(path));
    return Object.fromEntries(
      Object.entries(value ?? {}).filter(([key, each]) => isKey(key) && isKept(each)),
    ) as Record<string, Kept>;
  } catch {
    return {};
  }
}

function isKey(key: string): boolean {
  const [file, episode, ...more] = key.split("/");
  return more.length === 0 && RECORDING_ENTRY.test(file) && /^\d{1,4}$/.test(episode ?? "");
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

function isKept(value: unknown): value is Kept {
  if (typeof value !== "object" || value === null) return false;
  const { sha256, adapter, responses, tokens, compared, mismatch, mismatches } = value as Partial<Kept>;
  return typeof sha256 === "string" && typeof adapter === "string" &&
    [responses, tokens, compared, mismatch].every(isCount) && Array.isArray(mismatches) &&
    mismatches.every((each: Partial<Mismatch> | null) =>
      isCount(each?.turn) && (each!.token === null || isCount(each!.token)) && typeof each!.field === "string"
    );
}
