/**
 * What a run begins with: an untrained model with its tokenizer.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../envs/mod.ts";
import type { Gpu } from "../kernels/gpu/mod.ts";
import { buildTokenizer, modelPresets, Tokenizer, Vlm, type VlmConfig } from "../model/mod.ts";
import { Agent } from "./agent.ts";
import type { CommonSettings } from "./config.ts";
import { evaluationEnvSettings } from "./env_settings.ts";

/** Designs a run's model: the tokenizer of its environment, the sizes of the model, and the names of its actions. */
export function designModel(
  environment: EnvironmentDefinition,
  config: CommonSettings,
): { tokenizer: Tokenizer; model: VlmConfig; actions: readonly string[] } {
  const { tokens, actions } = environment.make(evaluationEnvSettings(environment, config));
  const tokenizer = Tokenizer.fromJson(buildTokenizer(tokens));
  const model = {
    ...modelPresets[config.preset as keyof typeof modelPresets],
    imageNormalization: config.imageNormalization,
    vocabularySize: tokenizer.vocabularySize,
  } as VlmConfig;
  return { tokenizer, model, actions };
}

/** Makes an untrained agent, its weights drawn by the run's seed. */
export function newAgent(gpu: Gpu, environment: EnvironmentDefinition, config: CommonSettings): Agent {
  const { tokenizer, model, actions } = designModel(environment, config);
  const vlm = new Vlm(gpu, model);
  vlm.parameters.initialize(config.seed);
  const { cot, temperature, maxNewTokens, parse: parsing } = config;
  return new Agent(vlm, tokenizer, { cot, sampling: { temperature, maxNewTokens }, actions, parsing });
}
