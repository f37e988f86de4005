/**
 * What `recording/` holds: the schema of its files, written here and read by whoever wants to look at a run.
 * `docs/recording.md` says it in words.
 *
 * A file is JSON lines: a header, then episodes, each followed by its turns, and last a line with a digest of all before.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { quote } from "../../model/quote.ts";
import type { EpisodeOutcome } from "../vector_env.ts";
import { lineFault } from "./recorded_shape.ts";

/** Version of the schema; files of another one are not read. */
export const RECORDING_FORMAT = 1;

/** Counts of equal bins from `min` to `max`. Values that are not finite are left out. */
export interface Histogram {
  /** Lower end of the first bin. */
  readonly min: number;
  /** Upper end of the last bin. */
  readonly max: number;
  /** Number of values in each bin. */
  readonly counts: readonly number[];
}

/** What a minibatch measured before its step; see `ImproveMetrics`. */
export interface RecordedMinibatch {
  /** k3 estimate of the KL of behaviour and policy, in nats for a response. */
  readonly kl: number;
  /** Share of ratios outside the clips. */
  readonly clipFraction: number;
  /** Clipped policy loss. */
  readonly policyLoss: number;
}

/** First line of a file: an iteration of RL, or an evaluation. */
export interface RecordedHeader {
  /** Tells this line from others. */
  readonly kind: "header";
  /** Version of the schema. */
  readonly format: number;
  /** What the file records. */
  readonly stage: "rl" | "evaluation";
  /** RL iterations done, this one included; for an evaluation those before it. */
  readonly iteration: number;
  /** For an evaluation, the stage before it. */
  readonly after?: "sft" | "rl";
  /** Names of the environment's actions, by index. */
  readonly actions: readonly string[];
  /** Weight of the thought in log pi. */
  readonly lambda: number;
  /** Divides the logits. */
  readonly temperature: number;
  /** How ratios were clipped; null if there are none. */
  readonly objective: {
    /** One ratio for each response, or one for each token. */
    readonly ratio: "response" | "token";
    /** Clip of the ratio below 1. */
    readonly clipLow: number;
    /** Clip of the ratio above 1. */
    readonly clipHigh: number;
  } | null;
  /** Turns of the whole iteration. The file holds a few of them. */
  readonly turns: number;
  /** Histograms over all turns of the iteration; null if there is nothing to count. */
  readonly histograms: {
    /** Advantages, as the losses use them. */
    readonly advantage: Histogram | null;
    /** Value targets, in units of scaled return. */
    readonly valueTarget: Histogram | null;
    /** Undiscounted returns of the episodes that ended. */
    readonly episodeReturn: Histogram | null;
    /** Policy ratios of every minibatch. */
    readonly ratio: Histogram | null;
  };
  /** The minibatches, in the order of the updates. */
  readonly minibatches: readonly RecordedMinibatch[];
  /** Number of minibatches without a KL stop. */
  readonly plannedUpdates: number;
  /** The KL estimate that ends an iteration. */
  readonly klStop: number | null;
  /** Wall time in seconds by what it was spent on. Nothing else in the folder depends on the clock. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Prompts that turns refer to by index. */
  readonly prompts: readonly string[];
  /** Columns and rows of the picture's tokens, as attention counts them; null without attention. */
  readonly grid: readonly [columns: number, rows: number] | null;
}

/** An episode, or the part of one that an iteration saw. */
export interface RecordedEpisode {
  /** Tells this line from others. */
  readonly kind: "episode";
  /** Number of the episode in the file, from 0. */
  readonly episode: number;
  /** Seed that the environment was reset with. */
  readonly deal: number;
  /** How an evaluation decoded; absent in training, which samples. */
  readonly how?: "sampled" | "greedy";
  /** Actions before the first turn here, and whether each was drawn at random. */
  readonly before: readonly (readonly [action: number, isRandom: 0 | 1])[];
  /** Turns in the iteration; the file may hold fewer. */
  readonly turns: number;
  /** Outcome of the episode; null if it did not begin and end here. */
  readonly outcome: EpisodeOutcome | null;
}

/** A turn. Numbers of tokens are float32, written so that they read back the same. */
export interface RecordedTurn {
  /** `other` is another answer to the state of a recorded turn. It belongs to no recorded episode. */
  readonly kind: "turn" | "other";
  /** Number of the episode in the file. */
  readonly episode: number;
  /** Number of turns of the episode before it; for an `other`, the turn whose state it shares. */
  readonly turn: number;
  /** Exact key of the state. */
  readonly state: string;
  /** Index into the header's prompts. */
  readonly prompt: number;
  /** Name of the PNG of what the policy saw; null without a picture. */
  readonly picture: string | null;
  /** The response. */
  readonly text: string;
  /** Token ids of the response. */
  readonly tokens: readonly number[];
  /** First UTF-16 unit of the text that each token wrote. */
  readonly starts: readonly number[];
  /** The unit after the last that each token wrote. */
  readonly ends: readonly number[];
  /** Log-probability of each token when it was drawn, in nats. */
  readonly logprobs: readonly number[];
  /** The same under the weights after the iteration's updates; null if they were not computed. */
  readonly after: readonly number[] | null;
  /** Entropy of each token's distribution, in nats. */
  readonly entropies: readonly number[];
  /** Weight of each token in log pi: lambda for the thought, 1 for the action. */
  readonly weights: readonly number[];
  /** Advantage of the turn, or of each token; null if the algorithm makes none. */
  readonly advantage: number | readonly number[] | null;
  /** Target of the value head, for the turn or before each token; null if there is none. */
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
  /** Whether an action was found in the text. */
  readonly parsed: boolean;
  /** Characters of the action in the text; -1 and -1 if none was found. */
  readonly actionSpan: readonly [start: number, end: number];
  /** Index of the action that was taken. */
  readonly action: number;
  /** Reward, scaled and less the format penalty, as RL counts it. In an evaluation it is as the environment paid it. */
  readonly reward: number;
  /** The policy's estimate, in units of scaled return. */
  readonly value: number;
  /** Whether the rules ended the episode. */
  readonly terminated: boolean;
  /** Whether the step limit ended the episode. */
  readonly truncated: boolean;
  /** Share of the picture's fields that are stated correctly; null without a thought. */
  readonly perception: number | null;
  /** Whether the thought fits itself and the action; null without a thought. */
  readonly faithful: boolean | null;
  /** Exact action values, if the run knew them. */
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

/** Characters that a time takes at most: seconds of months, with four decimals. */
const TIME_WIDTH = 12;

/** Text of a line. Times are filled up with blanks: how large a file is, and so what is kept, must not depend on the clock. */
function encodeLine(line: RecordedLine): string {
  if (line.kind !== "header") return JSON.stringify(line);
  const entries = Object.entries(line.seconds).map(([name, time]) =>
    [name, Number(time.toFixed(4))] as const
  );
  const blanks = entries.reduce((sum, [, time]) => sum + Math.max(0, TIME_WIDTH - String(time).length), 0);
  const seconds = JSON.stringify(Object.fromEntries(entries)).replace("}", " ".repeat(blanks) + "}");
  // Quotes in texts are escaped, so that this is the field.
  return JSON.stringify({ ...line, seconds: {} }).replace('"seconds":{}', () => `"seconds":${seconds}`);
}

/** Text of a file, with its digest. Times are kept to a ten-thousandth of a second. */
export function encodeRecorded(lines: readonly RecordedLine[]): string {
  const text = lines.map((line) => encodeLine(line) + "\n").join("");
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
  const end = parsed(text.slice(at)) as { readonly sha256?: unknown };
  if (end.sha256 !== sha256(body)) throw new SyntaxError("its content is not what was written");
  const lines = body.split("\n").slice(0, -1).map((line) => parsed(line) as RecordedLine);
  const [header, ...rest] = lines;
  if (header?.kind !== "header") throw new SyntaxError("it has no header");
  if (header.format !== RECORDING_FORMAT) {
    throw new SyntaxError(`its format is ${quote(header.format)}, this version knows ${RECORDING_FORMAT}`);
  }
  // The digest shows damage; it does not show who wrote it.
  const fault = lines.map(lineFault).find((fault) => fault !== null);
  if (fault !== undefined) throw new SyntaxError(fault);
  return {
    header,
    episodes: rest.filter((line) => line.kind === "episode"),
    turns: rest.filter((line): line is RecordedTurn => line.kind === "turn" || line.kind === "other"),
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
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
