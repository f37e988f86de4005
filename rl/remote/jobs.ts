/**
 * What a worker is asked to do, and what it answers.
 *
 * A job names episodes by their seeds and actions so far, the state of each one's sampler, and the version of the weights. The
 * worker plays the episodes up to there, and writes one response to each; or it plays on to their ends. Its answer holds token
 * ids, log-probabilities, entropies and values. Everything else follows from them, and the learner computes it itself: the
 * text, the action in it, the reward, the next state, the end. A worker can therefore give a bad response, but no reward. No
 * picture is sent: both sides draw it, and compare its identity.
 *
 * @module
 */
import type { Response, Segment } from "../../model/mod.ts";
import type { EpisodeKind } from "../actors.ts";
import { shown } from "../cli/mod.ts";
import type { SlotState } from "../policy.ts";
import { encodeMessage, type Message } from "./message.ts";

/** Most episodes of a job. */
const MAX_ROWS = 1 << 16;
/** Largest action index and history length. */
const MAX_STEPS = 1 << 20;

/** What a worker is asked to do. */
export interface Job {
  /** Names the job among all of a run. */
  readonly id: string;
  /** Version of the weights to act with. */
  readonly version: number;
  /** Which settings the environments have. */
  readonly episodes: EpisodeKind;
  /** The episodes, up to the state to respond to. */
  readonly rows: readonly SlotState[];
  /** (2 x rows) generator seed and counter of each row's sampler. */
  readonly random: Uint32Array;
  /** Rows of a batch in which episodes are played on; absent if each gets one response. */
  readonly side?: number;
  /** How places are played on. Absent if each row is an episode to play to its end. */
  readonly places?: Places;
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly greedy: boolean;
}

/** What follows at places. When an episode ends, its place gets the next one. */
export interface Places {
  /** Seeds of the episodes to come. A place that finds none is left. */
  readonly next: readonly number[];
  /** Turns to play, or fewer, if all places are left. */
  readonly turns: number;
}

/** Who works. */
export interface WorkerName {
  /** What messages call it. */
  readonly name: string;
  /** Version of ponder. */
  readonly ponder: string;
  /** What it computes on. */
  readonly adapter: string;
}

/** What a worker answers. */
export interface Result {
  /** The job that it answers. */
  readonly id: string;
  readonly worker: WorkerName;
  /** What its model is and with which weights it acted, as the run's digests name them. */
  readonly weights: string;
  /** What it did: responses in the order of the job's rows, or the parts of a gradient; else an error's message. */
  readonly outcome:
    | Played
    | { readonly gradient: Pick<Message, "fields" | "arrays"> }
    | { readonly error: string };
  /** Milliseconds that it worked. */
  readonly ms: number;
}

/** Responses of a job. */
export interface Played {
  /** One of each row; with `turns`, those of the first row, then those of the second, and so on. */
  readonly responses: readonly Response[];
  /** Digest of the prompts that they were written to. */
  readonly prompts: string;
  /** Responses of each row, if episodes were played on. */
  readonly turns?: readonly number[];
}

/** Writes a job. */
export function encodeJob({ rows, random, places, ...others }: Job): Promise<Uint8Array<ArrayBuffer>> {
  const steps = rows.flatMap(({ history }) => history);
  const fields = { ...others, ...places && { turns: places.turns } };
  return encodeMessage({
    kind: "job",
    fields,
    arrays: {
      seeds: Uint32Array.from(rows, ({ episodeSeed }) => episodeSeed),
      lengths: Uint32Array.from(rows, ({ history }) => history.length),
      actions: Uint32Array.from(steps, ({ action, isRandom }) => 2 * action + Number(isRandom)),
      random: random.slice(),
      ...places && { next: Uint32Array.from(places.next) },
    },
  });
}

/** Reads a job. Throws a `SyntaxError` naming what is wrong in it. */
export function readJob({ kind, fields, arrays }: Message): Job {
  const refuse = (what: string, value: unknown) => refused("a job", what, value);
  if (kind !== "job") throw refuse("kind", kind);
  const { id, version, episodes, side, turns, temperature, maxNewTokens, greedy } = fields;
  const { seeds, lengths, actions, random, next } = arrays;
  if (typeof id !== "string" || id.length > 100) throw refuse("id", id);
  if (!isCount(version)) throw refuse("version", version);
  if (episodes !== "training" && episodes !== "evaluation") throw refuse("episodes", episodes);
  if (typeof temperature !== "number" || !(temperature > 0)) throw refuse("temperature", temperature);
  if (!isCount(maxNewTokens) || maxNewTokens < 1 || maxNewTokens > MAX_STEPS) {
    throw refuse("maxNewTokens", maxNewTokens);
  }
  if (typeof greedy !== "boolean") throw refuse("greedy", greedy);
  if (side !== undefined && (!isCount(side) || side < 1 || side > MAX_ROWS)) throw refuse("side", side);
  const hasPlaces = turns !== undefined || next !== undefined;
  if (hasPlaces && (!isCount(turns) || turns < 1 || turns > MAX_STEPS)) throw refuse("turns", turns);
  for (
    const [name, words] of Object.entries({ seeds, lengths, actions, random, ...hasPlaces && { next } })
  ) {
    if (!(words instanceof Uint32Array)) throw refuse(name, typeof words);
  }
  const rows = seeds.length;
  if (rows < 1 || rows > MAX_ROWS) throw refuse("rows", rows);
  if (lengths.length !== rows || random.length !== 2 * rows) {
    throw refuse("sizes", [rows, lengths.length, random.length]);
  }
  if (hasPlaces && (side === undefined || side < rows)) throw refuse("side", side);
  let total = 0;
  for (const length of lengths) total += length;
  if (total !== actions.length || total > MAX_STEPS * rows) {
    throw refuse("actions", `${actions.length} instead of ${total}`);
  }
  let at = 0;
  return {
    ...{ id, version, episodes, temperature, maxNewTokens, greedy, random: random as Uint32Array },
    ...side !== undefined && { side },
    ...hasPlaces && { places: { next: Array.from(next), turns: turns as number } },
    rows: Array.from(seeds, (episodeSeed, row) => ({
      episodeSeed,
      history: Array.from(actions.subarray(at, at += lengths[row]), (word) => ({
        action: Math.floor(word / 2),
        isRandom: word % 2 === 1,
      })),
    })),
  };
}

/** Writes a result. */
export function encodeResult(
  { id, worker, weights, outcome, ms }: Result,
): Promise<Uint8Array<ArrayBuffer>> {
  const fields = { id, worker, weights, ms };
  if ("error" in outcome) {
    return encodeMessage({ kind: "result", fields: { ...fields, error: outcome.error }, arrays: {} });
  }
  if ("gradient" in outcome) {
    const { gradient } = outcome;
    return encodeMessage({
      kind: "result",
      fields: { ...fields, gradient: gradient.fields },
      arrays: gradient.arrays,
    });
  }
  const { responses, prompts, turns } = outcome;
  const joined = (each: (response: Response) => ArrayLike<number>) => {
    const all: number[] = [];
    for (const response of responses) for (const value of Array.from(each(response))) all.push(value);
    return all;
  };
  return encodeMessage({
    kind: "result",
    fields: { ...fields, prompts },
    arrays: {
      ...turns !== undefined && { turns: Uint32Array.from(turns) },
      lengths: Uint16Array.from(responses, ({ ids }) => ids.length),
      ids: Uint32Array.from(joined(({ ids }) => ids)),
      logprobs: Float32Array.from(joined(({ logprobs }) => logprobs)),
      entropies: Float32Array.from(joined(({ entropies }) => entropies)),
      values: Float32Array.from(responses, ({ value }) => value),
    },
  });
}

/** What the learner knows of an answer before it comes. */
export interface ExpectedResponses {
  /** Rows of the job. */
  readonly rows: number;
  /** Whether rows were to be played on; one response each when absent. */
  readonly isWhole?: boolean;
  readonly maxNewTokens: number;
  /** Ids are below it. */
  readonly vocabularySize: number;
}

/**
 * Reads a result. What answers which job is known only then, so its sizes are checked by {@linkcode requireFitting}.
 *
 * @throws {SyntaxError} naming what is wrong in it.
 */
export function readResult({ kind, fields, arrays }: Message): Result {
  const refuse = (what: string, value: unknown) => refused("a result", what, value);
  if (kind !== "result") throw refuse("kind", kind);
  const { id, worker, weights, error, prompts, ms } = fields;
  if (typeof id !== "string" || id.length > 100) throw refuse("id", id);
  const { name, ponder, adapter } = (worker ?? {}) as Partial<WorkerName>;
  for (const [what, text] of Object.entries({ name, ponder, adapter, weights })) {
    if (typeof text !== "string" || text.length > 200) throw refuse(what, text);
  }
  if (typeof ms !== "number" || !(ms >= 0)) throw refuse("ms", ms);
  const known = {
    ...{ id, weights: weights as string, ms },
    worker: { name: name!, ponder: ponder!, adapter: adapter! },
  };
  if (error !== undefined) {
    if (typeof error !== "string" || error.length > 4000) throw refuse("error", error);
    return { ...known, outcome: { error } };
  }
  if (fields.gradient !== undefined) {
    if (typeof fields.gradient !== "object" || fields.gradient === null) {
      throw refuse("gradient", fields.gradient);
    }
    return { ...known, outcome: { gradient: { fields: fields.gradient as Message["fields"], arrays } } };
  }
  if (typeof prompts !== "string" || prompts.length > 100) throw refuse("prompts", prompts);
  const { turns, lengths, ids, logprobs, entropies, values } = arrays;
  if (turns !== undefined && !(turns instanceof Uint32Array)) throw refuse("turns", typeof turns);
  if (!(lengths instanceof Uint16Array)) throw refuse("lengths", typeof lengths);
  if (!(ids instanceof Uint32Array)) throw refuse("ids", typeof ids);
  for (const [what, words] of Object.entries({ logprobs, entropies, values })) {
    if (!(words instanceof Float32Array)) throw refuse(what, typeof words);
    const at = words.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) throw refuse(`${what} ${at}`, String(words[at]));
  }
  let total = 0;
  for (const length of lengths) total += length;
  if (total !== ids.length || total !== logprobs.length || total !== entropies.length) {
    throw refuse("tokens", [total, ids.length, logprobs.length, entropies.length]);
  }
  if (values.length !== lengths.length) throw refuse("values", values.length);
  const played = turns?.reduce((sum, count) => sum + count, 0) ?? lengths.length;
  if (played !== lengths.length || turns?.includes(0)) throw refuse("turns", [played, lengths.length]);
  let at = 0;
  const responses = Array.from(lengths, (length, row): Response => {
    const [from, to] = [at, at += length];
    return {
      ids: Array.from(ids.subarray(from, to)),
      logprobs: logprobs.slice(from, to) as Float32Array,
      entropies: entropies.slice(from, to) as Float32Array,
      value: values[row],
    };
  });
  return { ...known, outcome: { responses, prompts, ...turns && { turns: Array.from(turns) } } };
}

/** Checks that responses can be those to a job. Throws a `SyntaxError` naming what cannot be. */
export function requireFitting(
  { responses, turns }: Pick<Played, "responses" | "turns">,
  { rows, isWhole = false, maxNewTokens, vocabularySize }: ExpectedResponses,
): void {
  const answered = isWhole ? turns?.length : turns === undefined ? responses.length : undefined;
  if (answered !== rows) throw refused("a result", isWhole ? "episodes" : "responses", answered);
  responses.forEach(({ ids, logprobs }, row) => {
    if (ids.length < 1 || ids.length > maxNewTokens) throw refused("a result", `length ${row}`, ids.length);
    const foreign = ids.find((id) => id >= vocabularySize);
    if (foreign !== undefined) throw refused("a result", `token of response ${row}`, foreign);
    const wrong = logprobs.find((logprob) => logprob > 1e-3);
    if (wrong !== undefined) throw refused("a result", `log-probability in response ${row}`, wrong);
  });
}

/**
 * Names the prompts of a job: the first 32 hexadecimal digits of SHA-256 over their token ids and the identities of their
 * pictures. Both sides compute it, so that environments that differ are found.
 */
export async function promptsDigest(prompts: readonly (readonly Segment[])[]): Promise<string> {
  return await namesDigest(prompts.map(promptName));
}

/** The same of prompts that are not kept: of what {@linkcode promptName} calls them. */
export async function namesDigest(names: readonly string[]): Promise<string> {
  return await hexDigest(new TextEncoder().encode(names.join("\n")));
}

/** Names a prompt by its token ids and the identities of its pictures. */
export function promptName(prompt: readonly Segment[]): string {
  return prompt.map((part) => part.kind === "text" ? part.ids.join(" ") : part.picture.id).join("|");
}

/** The first 32 hexadecimal digits of SHA-256. */
export async function hexDigest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(sum.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function refused(message: string, what: string, value: unknown): SyntaxError {
  return new SyntaxError(`Cannot use ${message}: its ${what} is ${shown(value)}, look who sends there`);
}
