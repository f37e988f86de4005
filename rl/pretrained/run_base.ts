/**
 * The pretrained model of a run, without a GPU: where it is, that it is still the same, and what a checkpoint keeps beside it.
 *
 * @module
 */
import { type LoraConfig, type ParameterSpec, quote, type VlmConfig } from "../../model/mod.ts";
import { UsageError, userPath } from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import { type BaseModel, digestBase, readBase } from "./base.ts";
import { ADAPTED_LAYERS } from "./options.ts";
import type { Talk } from "./talk.ts";

/** The pretrained model of a run. */
export interface RunBase {
  /** What its folder says. */
  readonly base: BaseModel;
  /** How it is talked to. */
  readonly talk: Talk;
  /** The folder's fingerprint. */
  readonly digest: string;
}

/** Where a run's pretrained model is, and how it is used. */
export type BaseReference = Pick<CommonSettings, "model" | "splitPictures">;

/**
 * Opens the pretrained model that settings name; null if they name none.
 *
 * @throws {UsageError} when there is no such folder, or it has no tokenizer.
 * @throws {RangeError | SyntaxError} as {@linkcode readBase} does.
 */
export async function openBase({ model, splitPictures }: BaseReference): Promise<RunBase | null> {
  if (model === undefined) return null;
  let base: BaseModel;
  try {
    base = await readBase(model, { splitsPictures: splitPictures });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
  if (base.talk === null) {
    throw new UsageError(
      `Cannot train ${model}: it has no tokenizer.json, add ${base.missing} to the folder`,
    );
  }
  return { base, talk: base.talk, digest: await digestBase(model) };
}

/**
 * Opens the pretrained model that a run was trained on; null if it was trained on none.
 *
 * @param run What messages call the run.
 * @throws {Deno.errors.NotFound} when it cannot be read, with the reason.
 */
export async function openBaseOf(run: string, reference: BaseReference): Promise<RunBase | null> {
  try {
    return await openBase(reference);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (isForbidden(error)) {
      // Without a cause: the reason of the permission's error is not what helps.
      throw new Deno.errors.NotFound(
        `Cannot use ${run}: its base model may not be read, as the command line does not name it; add --model ${reference.model}`,
      );
    }
    throw new Deno.errors.NotFound(
      `Cannot use ${run}: its base model cannot be read (${error.message}); if it is elsewhere now, name its folder with ` +
        "--model",
      { cause: error },
    );
  }
}

/** Does Deno lack the permission for something? */
function isForbidden(error: unknown): boolean {
  return error instanceof Error && (error instanceof Deno.errors.NotCapable || isForbidden(error.cause));
}

/** The model of a run: that of its base, with the run's adapters. An adapter in the base's folder is trained on. */
export function runModel({ base }: RunBase, lora: LoraConfig | undefined): VlmConfig {
  return lora === undefined ? base.model : { ...base.model, lora: base.adapter ?? lora };
}

/**
 * Requires a base to be the one that a run was trained on.
 *
 * @param run What messages call the run.
 * @throws {Deno.errors.InvalidData} when its files are others.
 */
export function requireSameBase(run: string, expected: string, { base: { folder }, digest }: RunBase): void {
  if (digest === expected) return;
  throw new Deno.errors.InvalidData(
    `Cannot use ${run}: its base model ${folder} has changed (sha256 ${digest}, it was ${expected}); ` +
      "restore its files, import it again, or name where it is now with --model",
  );
}

/** A model's folder as a run's settings keep it: from this process's folder if it is in it, so that both can move together. */
export function modelPlace(typed: string): string;
export function modelPlace(typed: string | undefined): string | undefined;
export function modelPlace(typed: string | undefined): string | undefined {
  if (typed === undefined) return undefined;
  const path = userPath(typed).replace(/(?<=[^/])\/+$/, "");
  const here = `${Deno.cwd()}/`;
  return path.startsWith(here) ? path.slice(here.length) : path;
}

/** What a checkpoint's `config.json` says about the model below it. */
export interface PretrainedReference {
  /** Its folder. */
  readonly model: string;
  /** The folder's fingerprint. */
  readonly sha256: string;
  /** Are pictures split into tiles? */
  readonly splitPictures: boolean;
  /** The adapters that were trained; absent if the whole model was. */
  readonly lora?: LoraConfig;
}

/** The parameters that a checkpoint keeps: beside adapters these and the value head alone. */
export function keptParameters<Spec extends ParameterSpec>(list: readonly Spec[]): readonly Spec[] {
  if (!list.some(({ kind }) => kind === "adapter")) return list;
  return list.filter(({ kind, part }) => kind === "adapter" || part === "value_head");
}

const isRank = (rank: unknown) =>
  Number.isInteger(rank) && (rank as number) >= 1 && (rank as number) <= 65_536;
const isPattern = (pattern: unknown, isAllowed: (value: unknown) => boolean) =>
  pattern === undefined ||
  typeof pattern === "object" && pattern !== null && Object.values(pattern).every(isAllowed);

/**
 * Checks what a checkpoint says about the model below it.
 *
 * @throws {SyntaxError} when it cannot be.
 */
export function readReference(reference: unknown, path: string): PretrainedReference {
  const { model, sha256, splitPictures = false, lora } = (reference ?? {}) as Partial<PretrainedReference>;
  const isLora = lora === undefined ||
    typeof lora === "object" && lora !== null && isRank(lora.rank) && Number.isFinite(lora.alpha) &&
      Array.isArray(lora.targets) &&
      lora.targets.every((target) => (ADAPTED_LAYERS as readonly unknown[]).includes(target)) &&
      isPattern(lora.rankPattern, isRank) && isPattern(lora.alphaPattern, Number.isFinite);
  const isGood = typeof model === "string" && model !== "" && !model.includes("\0") &&
    typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256) && typeof splitPictures === "boolean";
  if (isGood && isLora) return { model, sha256, splitPictures, ...lora && { lora } };
  throw new SyntaxError(
    `Cannot load ${path}: "pretrained" in its config.json must be { model, sha256, splitPictures, lora }, got ${
      quote(reference)
    }`,
  );
}
