/**
 * What `recording/` holds: the schema of its files, written here and read by whoever wants to look at a run.
 * `docs/recording.md` says it in words.
 *
 * A file is JSON lines: a header, then episodes, each followed by its turns, and last a line with a digest of all before.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { EpisodeOutcome } from "../vector_env.ts";

/** Version of the schema; files of another one are not read. */
export const RECORDING_FORMAT = 1;

/** Counts of equal bins from `min` to `max`; what is not finite is left out. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly counts: readonly number[];
}

/** What a minibatch measured before its step. */
export interface RecordedMinibatch {
  readonly kl: number;
  readonly clipFraction: number;
  readonly policyLoss: number;
}

/** First line of a file: an iteration of RL, or an evaluation. */
export interface RecordedHeader {
  readonly kind: "header";
  readonly format: number;
  readonly stage: "rl" | "evaluation";
  /** Iterations done with this one; of an evaluation those before it. */
  readonly iteration: number;
  /** Of an evaluation. */
  readonly after?: "sft" | "rl";
  /** The environment's, in the order of its indices. */
  readonly actions: readonly string[];
  /** Weight of the thought in log pi. */
  readonly lambda: number;
  readonly temperature: number;
  /** How ratios were clipped; null when there are none. */
  readonly objective: {
    readonly ratio: "response" | "token";
    readonly clipLow: number;
    readonly clipHigh: number;
  } | null;
  /** Turns of the whole iteration, of which the file holds a few. */
  readonly turns: number;
  /** Over all turns of the iteration; null where there is nothing to count. */
  readonly histograms: {
    readonly advantage: Histogram | null;
    /** Value targets, in units of scaled return. */
    readonly valueTarget: Histogram | null;
    /** Undiscounted returns of the episodes that ended. */
    readonly episodeReturn: Histogram | null;
    /** Policy ratios of every minibatch. */
    readonly ratio: Histogram | null;
  };
  /** In the order of the updates. */
  readonly minibatches: readonly RecordedMinibatch[];
  /** Minibatches that there would have been without the KL stop. */
  readonly plannedUpdates: number;
  /** The KL estimate that ends an iteration. */
  readonly klStop: number | null;
  /** Wall time by what it was spent on. Nothing else in the folder depends on the clock. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Prompts that turns refer to by index. */
  readonly prompts: readonly string[];
  /** Columns and rows of the picture's tokens, as attention counts them; null without attention. */
  readonly grid: readonly [columns: number, rows: number] | null;
}

/** An episode, or the part of one that an iteration saw. */
export interface RecordedEpisode {
  readonly kind: "episode";
  /** Counts from 0 in the file. */
  readonly episode: number;
  /** Seed that the environment was reset with. */
  readonly deal: number;
  /** How an evaluation decoded; absent in training, which samples. */
  readonly how?: "sampled" | "greedy";
  /** Actions before the first turn here, and whether each was drawn at random. */
  readonly before: readonly (readonly [action: number, isRandom: 0 | 1])[];
  /** Turns in the iteration; the file may hold fewer. */
  readonly turns: number;
  /** Null when it did not begin and end here. */
  readonly outcome: EpisodeOutcome | null;
}

/** A turn. Numbers of tokens are float32, written so that they read back the same. */
export interface RecordedTurn {
  /** `other`: another answer to the state of a recorded turn, not of a recorded episode. */
  readonly kind: "turn" | "other";
  readonly episode: number;
  /** Turns of the episode before it; of an `other`, the turn whose state it shares. */
  readonly turn: number;
  readonly state: string;
  /** Index into the header's prompts. */
  readonly prompt: number;
  /** Name of the PNG of what the policy saw; null without a picture. */
  readonly picture: string | null;
  readonly text: string;
  readonly tokens: readonly number[];
  /** UTF-16 units of the text that each token wrote. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Log-probability of each token when it was drawn, and under the weights after the iteration's updates. */
  readonly logprobs: readonly number[];
  readonly after: readonly number[] | null;
  /** Entropy of each token's distribution, in nats. */
  readonly entropies: readonly number[];
  /** Weight of each token in log pi: lambda for the thought, 1 for the action. */
  readonly weights: readonly number[];
  /** Of the turn, or of each token; null when the algorithm makes none. */
  readonly advantage: number | readonly number[] | null;
  readonly valueTarget: number | readonly number[] | null;
  /** Weight of the turn in the losses. */
  readonly weight: number;
  /** Policy ratio after the updates to before, of the response or of each token; null without `after`. */
  readonly ratio: number | readonly number[] | null;
  /** Whether the clip has ended the gradient: the ratio is beyond the clip that its advantage moves it to. */
  readonly clipped: boolean | readonly boolean[] | null;
  /** For each token the likeliest ones in its place: id, text, probability. Null when they would cost too much. */
  readonly alternatives:
    | readonly (readonly (readonly [id: number, text: string, probability: number])[])[]
    | null;
  /**
   * Base64 of a byte for each part of the picture and token, token by token: attention of the position that predicts the
   * token, a mean over heads and layers, 255 for the token's largest. Null without attention.
   */
  readonly attention: string | null;
  /** Share of each token's attention that the picture got. */
  readonly imageShare: readonly number[] | null;
  readonly parsed: boolean;
  readonly actionSpan: readonly [start: number, end: number];
  /** Index of the action taken. */
  readonly action: number;
  /** Scaled, less the format penalty, as RL counts it; of an evaluation as the environment paid. */
  readonly reward: number;
  /** The policy's estimate, in units of scaled return. */
  readonly value: number;
  readonly terminated: boolean;
  readonly truncated: boolean;
  readonly perception: number | null;
  readonly faithful: boolean | null;
  /** Exact action values, when the run knew them. */
  readonly actionValues?: readonly number[];
  /** The sampler's generator seed and first counter. */
  readonly random: readonly [seed: number, counter: number];
}

/** A line of a file. */
export type RecordedLine = RecordedHeader | RecordedEpisode | RecordedTurn;

/** What a file of a recording holds. */
export interface Recorded {
  readonly header: RecordedHeader;
  readonly episodes: readonly RecordedEpisode[];
  readonly turns: readonly RecordedTurn[];
}

/** Text of a file, with its digest. */
export function encodeRecorded(lines: readonly RecordedLine[]): string {
  const text = lines.map((line) => JSON.stringify(line) + "\n").join("");
  return text + JSON.stringify({ kind: "end", sha256: sha256(text) }) + "\n";
}

/**
 * What a file holds.
 *
 * @throws {SyntaxError} saying what is wrong with it: half-written, of another format, or not what was written.
 */
export function decodeRecorded(text: string): Recorded {
  const at = text.lastIndexOf('{"kind":"end"');
  if (at < 1 || text[at - 1] !== "\n" || !text.endsWith("\n")) {
    throw new SyntaxError("it is half-written");
  }
  const body = text.slice(0, at);
  try {
    if (JSON.parse(text.slice(at)).sha256 !== sha256(body)) {
      throw new SyntaxError("its content is not what was written");
    }
    const lines = body.split("\n").slice(0, -1).map((line) => JSON.parse(line) as RecordedLine);
    const [header, ...rest] = lines;
    if (header?.kind !== "header") throw new SyntaxError("it has no header");
    if (header.format !== RECORDING_FORMAT) {
      throw new SyntaxError(
        `its format is ${JSON.stringify(header.format)}, this version knows ${RECORDING_FORMAT}`,
      );
    }
    return {
      header,
      episodes: rest.filter((line) => line.kind === "episode"),
      turns: rest.filter((line): line is RecordedTurn => line.kind === "turn" || line.kind === "other"),
    };
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new SyntaxError("it is not JSON lines", { cause: error });
  }
}

/** SHA-256 in hexadecimal. */
export function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Bins of a histogram. */
const BINS = 24;

/** Counts values; null when none is finite. */
export function histogramOf(values: Iterable<number>): Histogram | null {
  const finite = Array.from(values).filter(Number.isFinite);
  if (finite.length === 0) return null;
  const min = finite.reduce((a, b) => Math.min(a, b)), max = finite.reduce((a, b) => Math.max(a, b));
  const counts = new Array<number>(BINS).fill(0);
  for (const value of finite) {
    counts[max === min ? 0 : Math.min(BINS - 1, Math.floor(BINS * (value - min) / (max - min)))]++;
  }
  return { min: shortest(min), max: shortest(max), counts };
}

/** The decimal with fewest digits that reads back as the same float32. */
export function shortest(value: number): number {
  const exact = Math.fround(value);
  for (let digits = 5; digits < 9; digits++) {
    const short = Number(exact.toPrecision(digits));
    if (Math.fround(short) === exact) return short;
  }
  return Number(exact.toPrecision(9));
}

/** {@linkcode shortest} of each. */
export function shortestOf(values: ArrayLike<number>): number[] {
  return Array.from(values, shortest);
}
