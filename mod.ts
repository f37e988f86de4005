/**
 * ponder: fine-tunes a compact vision-language model to act in image-based environments by reinforcement learning, on
 * Deno's native WebGPU. Importing this module asks for no device.
 *
 * @example Write one response to a NumberLine frame
 * ```ts
 * import { Agent, buildTokenizer, makeEnv, modelPresets, openGpu, Tokenizer, Vlm } from "./mod.ts";
 *
 * const gpu = await openGpu();
 * const env = makeEnv("NumberLine");
 * const tokenizer = Tokenizer.fromJson(buildTokenizer(env.tokens));
 * const vlm = new Vlm(gpu, { ...modelPresets.nano, vocabularySize: tokenizer.vocabularySize });
 * vlm.parameters.initialize(0); // an untrained model: it writes noise
 * const agent = new Agent(vlm, tokenizer, { cot: true });
 * const { observation, info } = env.reset({ seed: 7 });
 * const [decision] = await agent.respond([{ env, observation, info }], {
 *   temperature: 1,
 *   greedy: false,
 *   maxNewTokens: 16,
 *   random: new Uint32Array([7, 0]),
 * });
 * console.log(decision.decoding.text, decision.parse.action);
 * gpu.destroy();
 * ```
 *
 * @module
 */

// kernels
export { Gpu, NoAdapterError, openGpu, type Slice } from "./kernels/gpu/mod.ts";

// model
export {
  AdamW,
  buildTokenizer,
  decodeSafetensors,
  encodeSafetensors,
  generate,
  type GenerateOptions,
  type Layout,
  layOut,
  type ModelPreset,
  modelPresets,
  Parameters,
  type Response,
  type Segment,
  type Sequence,
  Tape,
  type Tensor,
  Tokenizer,
  Vlm,
  type VlmConfig,
} from "./model/mod.ts";

// envs
export {
  defineEnvironment,
  ENV_NAMES,
  type Environment,
  type EnvironmentDefinition,
  ENVIRONMENTS,
  type EnvironmentSettings,
  findEnvironment,
  gridPicture,
  type Info,
  makeEnv,
  type Observation,
  type Parse,
  picture,
  Random,
} from "./envs/mod.ts";

// rl
export { Agent, type Decision, type Situation } from "./rl/agent.ts";
export { loadAgent } from "./rl/run/checkpoint.ts";
export { resolveConfig, type TrainConfig } from "./rl/config.ts";
export { evaluate, type EvaluationResult, type EvaluationSettings } from "./rl/evaluation.ts";
export { generalizedAdvantages } from "./rl/gae.ts";
export { type Algorithm, algorithms, defineAlgorithm, learn, ppo } from "./rl/algorithms/mod.ts";
export { collectRollout, type Rollout, type Transition, VectorEnv } from "./rl/rollout.ts";
export { responseWeights } from "./rl/thought.ts";
