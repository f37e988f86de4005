/**
 * Computes a recorded episode again, from the weights and the seeds that it came from, and compares every number.
 *
 * Held-out episodes are played again by the weights of the warm start or of the end. Those of an iteration are reached by
 * training again in memory, from the warm start on: a run is deterministic, so that iteration 12 comes out the same.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import type { Algorithm } from "../algorithms/mod.ts";
import type { CommonSettings } from "../config.ts";
import { settingsOf } from "../config.ts";
import { evaluationEnvSettings } from "../env_settings.ts";
import { evaluate } from "../evaluation.ts";
import type { RunFolder } from "./folder.ts";
import type { Recorded, RecordedLine, RecordedTurn } from "./recorded.ts";
import { RECORDED_EPISODES, Recorder } from "./recorder.ts";
import { pictureName, recordingFile, type RecordingSink } from "./recording.ts";
import { finalEvaluation, runTraining } from "./run.ts";
import type { RunProgress } from "./state.ts";
import { writeWarmStart } from "./store.ts";
import { MemoryRun } from "./memory_run.ts";
import { loadTrained } from "./trained.ts";

/** What to compute again, and where. */
export interface ReplaySettings {
  readonly gpu: Gpu;
  readonly folder: RunFolder;
  readonly config: CommonSettings;
  readonly environment: EnvironmentDefinition;
  readonly algorithm: Algorithm;
  readonly progress: RunProgress;
  /** True once the user asked to stop. */
  readonly isStopped: () => boolean;
}

/** A number or a token that came out otherwise. */
export interface Mismatch {
  readonly turn: number;
  /** Which token; null when it is of the whole turn. */
  readonly token: number | null;
  /** What it is of, as the recording names it. */
  readonly field: string;
  readonly recorded: unknown;
  readonly replayed: unknown;
}

/** What a replay came to. */
export interface Replay {
  readonly turns: readonly RecordedTurn[];
  readonly tokens: number;
  /** Numbers that were compared. */
  readonly compared: number;
  readonly mismatches: readonly Mismatch[];
}

/**
 * Computes the file of an iteration or an evaluation again; null when the user stopped it.
 *
 * @throws {Deno.errors.NotFound} when the weights to begin from are gone.
 */
export async function replayFile(
  of: number | "sft" | "rl",
  settings: ReplaySettings,
): Promise<readonly RecordedLine[] | null> {
  const captured = new Captured(recordingFile(of));
  if (typeof of === "number") await trainTo(captured, settings);
  else await evaluateAgain(of, captured, settings);
  return captured.lines;
}

/** Trains from the warm start on, in memory, until the iteration is recorded. */
async function trainTo(
  captured: Captured,
  { gpu, folder, config, environment, algorithm, progress, isStopped }: ReplaySettings,
): Promise<void> {
  const memory = new MemoryRun();
  await memory.writeConfig(settingsOf(config));
  await writeWarmStart(memory, await folder.readWarmStart());
  const store = Object.assign(memory, { record: () => captured });
  await runTraining({ ...config, resume: true, record: 1 }, {
    ...{ gpu, environment, algorithm, folder: store, progress },
    isStopped: () => captured.lines !== null || isStopped(),
  });
}

/** Plays the held-out episodes that are recorded again, beside those that were played beside them. */
async function evaluateAgain(
  after: "sft" | "rl",
  captured: Captured,
  { gpu, folder, config, environment, algorithm, progress, isStopped }: ReplaySettings,
): Promise<void> {
  const checkpoint = await folder.readCheckpoint(after === "sft" ? "warm_start" : "checkpoint");
  if (checkpoint === null) {
    throw new Deno.errors.NotFound(`Cannot replay ${folder.path}: it has no weights from after ${after}`);
  }
  const env = environment.make(evaluationEnvSettings(environment, config));
  const policy = await loadTrained(gpu, { run: folder.path, source: checkpoint, config }, env);
  const lambda = algorithm.thoughtWeight?.(config) ?? 1;
  const recorder = new Recorder({ recording: captured, policy, config, lambda, note: progress.note });
  const record = recorder.evaluation(after, 0);
  const most = Math.min(RECORDED_EPISODES, config.evalEpisodes);
  // The recorded episodes are the first; the others are played as long as they are beside them.
  for (const how of ["sampled", "greedy"] as const) {
    let ended = 0;
    try {
      await evaluate(policy, {
        ...finalEvaluation(environment, config),
        greedy: how === "greedy",
        onTurn: (turn) => {
          record.onTurn(turn, how);
          ended += Number(turn.outcome !== null && turn.episode < most);
        },
        onProgress: () => {
          if (ended === most || isStopped()) throw new Enough();
        },
      });
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
  }
  await policy.gpu.settle();
  if (!isStopped()) await record.end();
}

class Enough extends Error {}

/** Keeps one file of what a run records, and nothing else. */
class Captured implements RecordingSink {
  readonly #name: string;
  lines: readonly RecordedLine[] | null = null;

  constructor(name: string) {
    this.#name = name;
  }

  resume(): void {}

  has(): boolean {
    return true;
  }

  addPicture(png: Uint8Array): string {
    return pictureName(png);
  }

  add(name: string, lines: readonly RecordedLine[]): void {
    if (name === this.#name) this.lines = lines;
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }
}

/** What each token has. */
const OF_TOKENS = ["tokens", "logprobs", "after", "entropies", "weights", "imageShare"] as const;
/** What each turn has. */
const OF_TURNS = [
  ...[
    "state",
    "picture",
    "text",
    "action",
    "reward",
    "value",
    "advantage",
    "valueTarget",
    "ratio",
    "clipped",
  ],
  ...["parsed", "alternatives", "attention", "terminated", "truncated", "perception", "faithful", "random"],
] as const;

/** Compares an episode of a recorded file with the same file computed again. */
export function compareEpisode(
  recorded: Recorded,
  replayed: readonly RecordedLine[],
  episode: number,
): Replay {
  const isOwn = (line: RecordedLine): line is RecordedTurn =>
    (line.kind === "turn" || line.kind === "other") && line.episode === episode;
  const turns = recorded.turns.filter(isOwn);
  const again = replayed.filter(isOwn);
  const mismatches: Mismatch[] = [];
  let compared = 0;
  const compare = (turn: number, token: number | null, field: string, was: unknown, is: unknown) => {
    compared++;
    if (JSON.stringify(was) === JSON.stringify(is)) return;
    mismatches.push({ turn, token, field, recorded: was, replayed: is });
  };
  turns.forEach((was, i) => {
    const is = again[i] as RecordedTurn | undefined;
    if (is === undefined) return compare(was.turn, null, "turn", "recorded", "missing");
    for (const field of OF_TURNS) {
      const [a, b] = [was, is].map((turn) => (turn as unknown as Record<string, unknown>)[field]);
      compare(was.turn, null, field, a, b);
    }
    for (const field of OF_TOKENS) {
      const length = Math.max(was[field]?.length ?? 0, is[field]?.length ?? 0);
      for (let t = 0; t < length; t++) compare(was.turn, t, field, was[field]?.[t], is[field]?.[t]);
    }
  });
  const tokens = turns.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return { turns, tokens, compared, mismatches };
}
