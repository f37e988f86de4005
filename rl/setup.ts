/**
 * What a run begins with: an untrained model with its tokenizer.
 *
 * @module
 */
import { type EnvironmentDefinition, Random } from "../envs/mod.ts";
import type { Gpu } from "../kernels/gpu/mod.ts";
import { buildTokenizer, modelPresets, Tokenizer, Vlm, type VlmConfig } from "../model/mod.ts";
import { Agent } from "./agent.ts";
import type { CommonSettings } from "./config.ts";
import { evaluationEnvSettings, trainingEnvSettings } from "./env_settings.ts";
import { readMistakes } from "./requirements.ts";

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

/** Demonstrated steps that are looked at to find how long responses are. */
const STEPS_LOOKED_AT = 200;

/**
 * Finds how many tokens a response may have in an environment that does not say it: a quarter more than the longest of some
 * demonstrated steps. Without demonstrations it is `config.maxNewTokens`. The run's seed does not matter.
 */
export function responseTokens(environment: EnvironmentDefinition, config: CommonSettings): number {
  const env = environment.make(trainingEnvSettings(environment, config));
  if (env.demonstrate === undefined) return config.maxNewTokens;
  const { tokenizer } = designModel(environment, config);
  const random = new Random(0, "longest response");
  const settings = { cot: config.cot, bias: readMistakes(env, config.mistakes) };
  let longest = 1, isOver = true;
  for (let step = 0; step < STEPS_LOOKED_AT; step++) {
    if (isOver) env.reset({ seed: step });
    const text = env.demonstrate(random, settings);
    longest = Math.max(longest, tokenizer.encode(text).ids.length + 1);
    const result = env.step(env.parse(text).action ?? env.randomAction());
    isOver = result.terminated || result.truncated;
  }
  return Math.ceil(1.25 * longest);
}
