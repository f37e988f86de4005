/**
 * Agents that began as a pretrained model.
 *
 * @module
 */
import type { Environment } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { type LoraConfig, mergeAdapters, Vlm, type VlmConfig } from "../../model/mod.ts";
import { loadPretrained } from "../../model/pretrained/folder.ts";
import { Agent, type AgentSettings } from "../agent.ts";
import { UsageError, userPath } from "../cli/mod.ts";
import type { CommonSettings } from "../config.ts";
import { requireWords } from "../words.ts";
import { type BaseModel, digestBase, readBase } from "./base.ts";
import { loraOf } from "./options.ts";
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
      `Cannot train ${model}: it has no tokenizer.json, add the model's own to the folder`,
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
    throw new Deno.errors.NotFound(
      `Cannot use ${run}: its base model cannot be read (${error.message}); if it is elsewhere now, name its folder with ` +
        "--model",
      { cause: error },
    );
  }
}

/** The model of a run: that of its base, with the run's adapters. An adapter in the base's folder is trained on. */
export function runModel({ base }: RunBase, lora: LoraConfig | undefined): VlmConfig {
  return lora === undefined ? base.model : { ...base.model, lora: base.adapter ?? lora };
}

/**
 * Loads the base of a run onto a GPU.
 *
 * @param lora The run's adapters; undefined for none. Those of the base's folder are then added to its weights.
 */
export async function loadBase(
  gpu: Gpu,
  { base }: RunBase,
  lora: LoraConfig | undefined,
  seed: number,
): Promise<Vlm> {
  const { folder, adapter } = base;
  if (adapter === null) return (await loadPretrained(folder, gpu, { seed, lora })).vlm;
  const { vlm } = await loadPretrained(folder, gpu, { seed, adapter: folder });
  if (lora !== undefined) return vlm;
  const merged = new Vlm(gpu, base.model);
  merged.parameters.fromHost(mergeAdapters(vlm.config, await vlm.parameters.toHost()));
  gpu.free(vlm.parameters.values);
  return merged;
}

/** What of a base a run trains, in words. */
export function adaptersOf(opened: RunBase, config: CommonSettings): string {
  const lora = runModel(opened, loraOf(config)).lora;
  if (lora === undefined) return config.freeze.includes("vision") ? "vision frozen" : "all of it";
  return `LoRA of rank ${lora.rank} on ${lora.targets.join(", ")}`;
}

/** Makes the agent that a run with a pretrained model begins with: its value head and its adapters are new. */
export async function pretrainedAgent(
  gpu: Gpu,
  env: Environment,
  config: CommonSettings,
  opened: RunBase,
): Promise<Agent> {
  requireWords(opened.talk.tokenizer, env, opened.base.folder);
  const vlm = await loadBase(gpu, opened, loraOf(config), config.seed);
  const { cot, temperature, maxNewTokens, parse: parsing } = config;
  return agentOf(vlm, opened, {
    cot,
    sampling: { temperature, maxNewTokens },
    actions: env.actions,
    parsing,
  });
}

/** An agent of a base. */
export function agentOf(
  vlm: Vlm,
  { base: { folder }, talk, digest }: RunBase,
  settings: AgentSettings,
): Agent {
  return new Agent(vlm, talk.tokenizer, { ...settings, base: { folder, digest, talk } });
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
export function modelPlace(typed: string): string {
  const path = userPath(typed).replace(/(?<=[^/])\/+$/, "");
  const here = `${Deno.cwd()}/`;
  return path.startsWith(here) ? path.slice(here.length) : path;
}
