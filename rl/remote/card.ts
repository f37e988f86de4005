/**
 * A run as workers find it: what it plays, with which model, by which version of ponder.
 *
 * @module
 */
import { shown } from "../cli/mod.ts";
import { encodeMessage, type Message } from "./message.ts";
import { isKernelChoice, type KernelChoice } from "./tuning.ts";

/** Name of the card among a run's objects. */
export const CARD = "run";

/** What a worker must know of a run before its first job. */
export interface RunCard {
  /** Tells runs with the same name apart. It stays the same when the run is resumed. */
  readonly id: string;
  /** What messages call the run. */
  readonly place: string;
  /** When its learner began this time, as ISO 8601. */
  readonly since: string;
  /** The ponder of the learner. Workers must have the same. */
  readonly ponder: string;
  /** What the learner computes on. */
  readonly adapter: string;
  /** Which kernels it launches. */
  readonly kernels: KernelChoice;
  /** Name of the environment. */
  readonly environment: string;
  /** Does a file of the user's define it? Workers have that file too, then; it is never sent. */
  readonly isOwn: boolean;
  /** Its settings, as flags write them, in evaluations and added in training. */
  readonly envSettings: readonly string[];
  readonly trainingSettings: readonly string[];
  /** Files that describe the policy, by name: `config.json` and what else it has. */
  readonly files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
}

/** Writes a card. */
export function encodeCard({ files, ...fields }: RunCard): Promise<Uint8Array<ArrayBuffer>> {
  return encodeMessage({ kind: "run", fields: { ...fields }, arrays: files });
}

/** Reads a card. Throws a `SyntaxError` naming what is wrong in it. */
export function readCard({ kind, fields, arrays }: Message): RunCard {
  const refuse = (what: string, value: unknown) =>
    new SyntaxError(`Cannot work for a run: its ${what} is ${shown(value)}, look who sends there`);
  if (kind !== "run") throw refuse("kind", kind);
  const { id, place, since, ponder, adapter, environment, envSettings, trainingSettings } = fields;
  for (const [name, text] of Object.entries({ id, place, since, ponder, adapter, environment })) {
    if (typeof text !== "string" || text.length > 1000) throw refuse(name, text);
  }
  if (!isKernelChoice(fields.kernels)) throw refuse("kernels", fields.kernels);
  if (typeof fields.isOwn !== "boolean") throw refuse("isOwn", fields.isOwn);
  for (const [name, list] of Object.entries({ envSettings, trainingSettings })) {
    if (!Array.isArray(list) || list.some((item) => typeof item !== "string")) throw refuse(name, list);
  }
  for (const [name, bytes] of Object.entries(arrays)) {
    if (!(bytes instanceof Uint8Array)) throw refuse(name, typeof bytes);
  }
  return { ...fields, files: arrays } as unknown as RunCard;
}
