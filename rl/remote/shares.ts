/**
 * Shares of a minibatch on the wire: turns with their scores to a worker, and the gradient back. Each picture is sent once.
 *
 * @module
 */
import { type Parameters, pictureOf, type Segment, sizeOf } from "../../model/mod.ts";
import { shown } from "../cli/mod.ts";
import type { ShareGradient } from "../gradients.ts";
import type { ObjectiveSettings, PartContext, Sample } from "../objective.ts";
import type { Transition } from "../rollout.ts";
import { encodeMessage, type Message, type MessageArray } from "./message.ts";

/** A share of a minibatch, to compute the gradient of. */
export interface ShareJob {
  readonly id: string;
  /** Version of the weights. */
  readonly version: number;
  /** Names of the parameters that learn. */
  readonly learning: readonly string[];
  readonly whole: PartContext;
  readonly samples: readonly Sample[];
}

/** Fields of a sample that are one number a turn or one number a token. */
const SCORES = ["advantage", "valueTarget", "value"] as const;

/** The value of a field that is absent: no number that a score can be. */
const ABSENT = NaN;

/** Writes a share. */
export function encodeShare({ samples, ...fields }: ShareJob): Promise<Uint8Array<ArrayBuffer>> {
  const transitions = samples.map(({ transition }) => transition);
  const pictures = new Map<string, { readonly index: number; readonly pixels: Uint8Array }>();
  const segments: number[] = [], promptIds: number[] = [];
  for (const { prompt } of transitions) {
    segments.push(prompt.length);
    for (const part of prompt) {
      if (part.kind === "text") {
        segments.push(0, part.ids.length);
        for (const id of part.ids) promptIds.push(id);
        continue;
      }
      const { id, pixels } = part.picture;
      const known = pictures.get(id) ?? { index: pictures.size, pixels };
      pictures.set(id, known);
      segments.push(1, known.index);
    }
  }
  const joined = <T>(items: readonly T[], each: (item: T) => ArrayLike<number>) => {
    const all: number[] = [];
    for (const item of items) for (const value of Array.from(each(item))) all.push(value);
    return all;
  };
  const forms: Record<string, "turn" | "token" | "none"> = {};
  const scores: Record<string, MessageArray> = {};
  for (const name of SCORES) {
    const values = samples.map((sample) => sample[name]);
    forms[name] = values.every((value) => value === undefined)
      ? "none"
      : values.every((value) => typeof value === "number")
      ? "turn"
      : "token";
    if (forms[name] === "turn") scores[name] = Float64Array.from(values as number[]);
    if (forms[name] === "token") {
      scores[name] = Float32Array.from(joined(values as Float32Array[], (value) => value));
    }
  }
  const hasReference = samples.some(({ reference }) => reference !== undefined);
  return encodeMessage({
    kind: "share",
    fields: { ...fields, forms, hasReference },
    arrays: {
      pixels: Uint8Array.from(joined([...pictures.values()], ({ pixels }) => pixels)),
      pictures: Uint32Array.from([...pictures.values()], ({ pixels }) => pixels.length),
      segments: Uint32Array.from(segments),
      promptIds: Uint32Array.from(promptIds),
      lengths: Uint32Array.from(transitions, ({ response }) => response.length),
      ids: Uint32Array.from(joined(transitions, ({ response }) => response)),
      logprobs: Float32Array.from(joined(transitions, ({ logprobs }) => logprobs)),
      weights: Float32Array.from(joined(transitions, ({ weights }) => weights)),
      logPi: Float64Array.from(transitions, ({ logPi }) => logPi),
      values: Float64Array.from(transitions, ({ value }) => value),
      turnWeights: Float64Array.from(samples, ({ weight }) => weight ?? ABSENT),
      corrections: Int32Array.from(transitions, ({ correction }) => correction?.length ?? -1),
      correctionIds: Uint32Array.from(joined(transitions, ({ correction }) => correction ?? [])),
      ...hasReference && { reference: Float32Array.from(joined(samples, ({ reference }) => reference!)) },
      ...scores,
    },
  });
}

/** Reads a share. Throws a `SyntaxError` naming what is wrong in it. */
export function readShare({ kind, fields, arrays }: Message): ShareJob {
  const refuse = (what: string, value: unknown) =>
    new SyntaxError(`Cannot use a share: its ${what} is ${shown(value)}, look who sends there`);
  if (kind !== "share") throw refuse("kind", kind);
  const { id, version, learning, whole, forms, hasReference } = fields;
  if (typeof id !== "string" || id.length > 100) throw refuse("id", id);
  if (!Number.isSafeInteger(version)) throw refuse("version", version);
  if (!Array.isArray(learning) || learning.some((name) => typeof name !== "string")) {
    throw refuse("learning", learning);
  }
  const { settings, steps, tokens, correctedTokens } = (whole ?? {}) as PartContext;
  for (const [name, count] of Object.entries({ steps, tokens, correctedTokens })) {
    if (!Number.isSafeInteger(count) || count < 0) throw refuse(name, count);
  }
  requireObjective(settings, refuse);
  const next = new Reader(arrays, refuse);
  const count = next.length("lengths");
  if (count < 1) throw refuse("size", count);
  const pictures = Array.from(next.all("pictures", Uint32Array), (bytes) =>
    pictureOf(
      Uint8Array.from(next.take("pixels", Uint8Array, bytes)),
    ));
  const formOf = (name: string) => (forms as Record<string, unknown> | undefined)?.[name];
  const samples = Array.from({ length: count }, (): Sample => {
    const [parts] = next.take("segments", Uint32Array, 1);
    const prompt = Array.from({ length: Math.min(parts, 1 << 16) }, (): Segment => {
      const [isImage, value] = next.take("segments", Uint32Array, 2);
      if (isImage !== 1) return { kind: "text", ids: Array.from(next.take("promptIds", Uint32Array, value)) };
      if (value >= pictures.length) throw refuse("picture", value);
      return { kind: "image", picture: pictures[value] };
    });
    const [length] = next.take("lengths", Uint32Array, 1);
    const [corrected] = next.take("corrections", Int32Array, 1);
    const [weight] = next.take("turnWeights", Float64Array, 1);
    const transition = {
      prompt,
      response: Array.from(next.take("ids", Uint32Array, length)),
      logprobs: next.take("logprobs", Float32Array, length),
      weights: next.take("weights", Float32Array, length),
      logPi: next.take("logPi", Float64Array, 1)[0],
      value: next.take("values", Float64Array, 1)[0],
      correction: corrected < 0 ? null : Array.from(next.take("correctionIds", Uint32Array, corrected)),
    } as unknown as Transition;
    const scores: Partial<Record<typeof SCORES[number], number | Float32Array>> = {};
    for (const name of SCORES) {
      const form = formOf(name);
      if (form === "turn") scores[name] = next.take(name, Float64Array, 1)[0];
      if (form === "token") scores[name] = next.take(name, Float32Array, length);
    }
    if (scores.advantage === undefined) throw refuse("advantage", formOf("advantage"));
    return {
      transition,
      ...scores as Required<Pick<Sample, "advantage">>,
      ...!Number.isNaN(weight) && { weight },
      ...hasReference === true && { reference: next.take("reference", Float32Array, length) },
    };
  });
  next.requireEnd();
  return {
    ...{ id, version: version as number, learning: learning as string[], samples },
    whole: { settings, steps, tokens, correctedTokens },
  };
}

function requireObjective(
  settings: ObjectiveSettings,
  refuse: (what: string, value: unknown) => Error,
): void {
  if (typeof settings !== "object" || settings === null) throw refuse("settings", settings);
  for (const [name, value] of Object.entries(settings)) {
    const isGood = name === "ratio"
      ? value === "response" || value === "token"
      : name === "values"
      ? ["turn", "token", "none"].includes(value)
      : typeof value === "number";
    if (!isGood) throw refuse(name, value);
  }
}

/** Takes pieces of arrays, one after the other. */
class Reader {
  readonly #at = new Map<string, number>();

  constructor(
    readonly arrays: Readonly<Record<string, MessageArray>>,
    readonly refuse: (what: string, value: unknown) => Error,
  ) {}

  length(name: string): number {
    return this.arrays[name]?.length ?? 0;
  }

  all<A extends MessageArray>(name: string, Type: new (length: number) => A): A {
    return this.take(name, Type, this.length(name));
  }

  take<A extends MessageArray>(name: string, Type: new (length: number) => A, count: number): A {
    const array = this.arrays[name];
    if (!(array instanceof Type)) throw this.refuse(name, typeof array);
    const at = this.#at.get(name) ?? 0;
    if (at + count > array.length) throw this.refuse(`size of ${name}`, array.length);
    this.#at.set(name, at + count);
    return array.slice(at, at + count) as A;
  }

  /** Throws if something is left over. */
  requireEnd(): void {
    for (const [name, { length }] of Object.entries(this.arrays)) {
      if ((this.#at.get(name) ?? 0) !== length) throw this.refuse(`size of ${name}`, length);
    }
  }
}

/** Where the parameters of these names lie in the layout of all. Throws a `RangeError` for a name that the model has not. */
export function placesOf(parameters: Parameters, names: readonly string[]): [from: number, to: number][] {
  return names.map((name) => {
    parameters.get(name);
    const { offset, shape } = parameters.list.find((parameter) => parameter.name === name)!;
    return [offset, offset + sizeOf(shape)];
  });
}

/** Makes the arrays and fields of a gradient in a result. Only the parameters that learn are sent. */
export function gradientParts(
  { gradient, losses, readouts }: ShareGradient,
  places: readonly (readonly [from: number, to: number])[],
): Pick<Message, "fields" | "arrays"> {
  const words = places.reduce((sum, [from, to]) => sum + to - from, 0);
  const learnt = new Float32Array(words);
  let at = 0;
  for (const [from, to] of places) {
    learnt.set(gradient.subarray(from, to), at);
    at += to - from;
  }
  return {
    fields: { losses: Object.keys(losses), readouts: Object.keys(readouts) },
    arrays: {
      gradient: learnt,
      losses: Float32Array.from(Object.values(losses)),
      ...Object.fromEntries(
        Object.entries(readouts).map(([name, words], i) => [`readout ${i} ${name}`, words.slice()]),
      ),
    },
  };
}

/** Reads what {@linkcode gradientParts} made, into the layout of the parameters. Throws a `SyntaxError` naming what is wrong. */
export function readGradient(
  { fields, arrays }: Pick<Message, "fields" | "arrays">,
  places: readonly (readonly [from: number, to: number])[],
  words: number,
): ShareGradient {
  const refuse = (what: string, value: unknown) =>
    new SyntaxError(`Cannot use a gradient: its ${what} is ${shown(value)}, look who sends there`);
  const { losses: names, readouts } = fields;
  const { gradient, losses } = arrays;
  const isList = (list: unknown): list is string[] =>
    Array.isArray(list) && list.length < 100 && list.every((name) => typeof name === "string");
  if (!isList(names) || !isList(readouts)) throw refuse("names", names);
  if (!(gradient instanceof Float32Array)) throw refuse("gradient", typeof gradient);
  if (!(losses instanceof Float32Array) || losses.length !== names.length) throw refuse("losses", names);
  const expected = places.reduce((sum, [from, to]) => sum + to - from, 0);
  if (gradient.length !== expected) throw refuse("size", gradient.length);
  const whole = new Float32Array(words);
  let at = 0;
  for (const [from, to] of places) whole.set(gradient.subarray(at, at += to - from), from);
  const read = readouts.map((name, i) => {
    const values = arrays[`readout ${i} ${name}`];
    if (!(values instanceof Float32Array)) throw refuse(`readout ${name}`, typeof values);
    return [name, values] as const;
  });
  return {
    gradient: whole,
    losses: Object.fromEntries(names.map((name, i) => [name, losses[i]])),
    readouts: Object.fromEntries(read),
  };
}
