/**
 * What a run begins with: a model with its tokenizer, and an optimiser for each stage.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../envs/mod.ts";
import type { Gpu } from "../kernels/gpu/mod.ts";
import {
  AdamW,
  buildTokenizer,
  modelPresets,
  type Parameter,
  Tokenizer,
  Vlm,
  type VlmConfig,
} from "../model/mod.ts";
import { Agent } from "./agent.ts";
import type { TrainConfig } from "./config.ts";
import { evaluationEnvSettings } from "./env_settings.ts";

/** The tokenizer of a run's environment, and the sizes of its model. */
export function designModel(
  environment: EnvironmentDefinition,
  config: TrainConfig,
): { tokenizer: Tokenizer; model: VlmConfig } {
  const { tokens } = environment.make(evaluationEnvSettings(environment, config));
  const tokenizer = Tokenizer.fromJson(buildTokenizer(tokens));
  const model = {
    ...modelPresets[config.preset as keyof typeof modelPresets],
    imageNormalization: config.imageNormalization,
    vocabularySize: tokenizer.vocabularySize,
  } as VlmConfig;
  return { tokenizer, model };
}

/** An agent that has learnt nothing. */
export function newAgent(gpu: Gpu, environment: EnvironmentDefinition, config: TrainConfig): Agent {
  const { tokenizer, model } = designModel(environment, config);
  const vlm = new Vlm(gpu, model);
  vlm.parameters.initialize(config.seed);
  return new Agent(vlm, tokenizer, { cot: config.cot });
}

/** Every weight learns in the warm start; linear weights decay. */
export function sftOptimizer(vlm: Vlm, config: TrainConfig): AdamW {
  return new AdamW(vlm.gpu, vlm.parameters, ({ kind, part }) => ({
    learningRateScale: 1,
    weightDecay: kind === "matrix" || kind === "head" ? config.sftWeightDecay : 0,
    clipGroup: part === "value_head" ? "value" : "policy",
  }));
}

/** RL trains vision encoder, projector, language model and value head, but for the frozen kinds of tensors. */
export function rlOptimizer(vlm: Vlm, config: TrainConfig): AdamW {
  const scaleOf = ({ kind, part }: Parameter) => {
    if (part === "value_head") return config.valueLearningRateScale;
    if (config.freeze.includes(kind)) return 0;
    return part === "language" ? 1 : config.visionLearningRateScale;
  };
  return new AdamW(vlm.gpu, vlm.parameters, (parameter) => ({
    learningRateScale: scaleOf(parameter),
    weightDecay: 0,
    clipGroup: parameter.part === "value_head" ? "value" : "policy",
  }));
}
