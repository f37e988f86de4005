/**
 * Agents that began as a pretrained model.
 *
 * @module
 */
import type { Environment } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { type LoraConfig, mergeAdapters, Vlm } from "../../model/mod.ts";
import { loadPretrained } from "../../model/pretrained/folder.ts";
import { Agent, type AgentSettings } from "../agent.ts";
import type { CommonSettings } from "../config.ts";
import { requireWords } from "../words.ts";
import { loraOf } from "./options.ts";
import { type RunBase, runModel } from "./run_base.ts";

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
