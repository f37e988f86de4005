/**
 * ponder: fine-tunes a compact vision-language model to act in image-based environments by reinforcement learning, on
 * Deno's native WebGPU. Importing this module asks for no device.
 *
 * This is the public face: what a program needs to train, evaluate and act. Each layer has an entry of its own with more:
 * - `@ponder/ponder/kernels`: WGSL kernels, their launches, and what your own kernels need;
 * - `@ponder/ponder/model`: tensors, gradients, the model and its parts, and what your own ops need;
 * - `@ponder/ponder/envs`: environments, and what your own need;
 * - `@ponder/ponder/rl`: training, policies, algorithms, and what your own need.
 *
 * @example An environment of one's own, a moment of training on it, and an action
 * ```ts
 * import { defineEnvironment, gridPicture, train } from "@ponder/ponder";
 *
 * const corridor = defineEnvironment({
 *   name: "Corridor",
 *   actions: ["left", "right"],
 *   stepLimit: 12,
 *   reset: (random) => ({ place: random.integer(4) }),
 *   step: ({ place }, action) => {
 *     const next = Math.max(0, place + (action === 1 ? 1 : -1));
 *     return { state: { place: next }, reward: next === 4 ? 1 : 0, terminated: next === 4 };
 *   },
 *   render: ({ place }) => {
 *     const cells = Array.from({ length: 5 }, (_, i) => i === place ? "A" : i === 4 ? "G" : ".");
 *     return gridPicture([cells.join("")], { ".": [240, 240, 240], A: [200, 0, 0], G: [0, 160, 0] });
 *   },
 *   solve: () => 1, // optional: with a solver the warm start has demonstrations to learn from
 * });
 *
 * const settings = { demonstrations: 32, sftSteps: 4, sftBatch: 8, envSteps: 0, evalEpisodes: 2 };
 * for await (const event of train({ environment: corridor, settings })) {
 *   if (event.stage === "sft") console.log(event.update, event.sftLoss);
 *   if (event.stage !== "done") continue;
 *   const env = corridor.make();
 *   env.reset({ seed: 7 });
 *   const { decoding, action } = await event.policy.act(env);
 *   console.log(decoding.text, action); // after so few updates still noise
 *   event.policy.gpu.destroy();
 * }
 * ```
 *
 * @module
 */

// kernels
export { checkKernel, defineKernel, measureKernel } from "./kernels/mod.ts";
export { Gpu, NoAdapterError, openGpu, type Slice } from "./kernels/gpu/mod.ts";

// model
export {
  AdamW,
  buildTokenizer,
  decodeSafetensors,
  defineOp,
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
export { type Pretrained } from "./model/mod.ts";
export { loadPretrained } from "./model/pretrained/folder.ts";

// envs
export {
  checkEnvironment,
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
export {
  type Act,
  type ActSettings,
  Agent,
  type Algorithm,
  algorithms,
  CnnPolicy,
  collectRollout,
  type Decision,
  decodePicture,
  defineAlgorithm,
  encodePicture,
  evaluate,
  type EvaluationResult,
  type EvaluationSettings,
  findAlgorithm,
  generalizedAdvantages,
  learn,
  loadAgent,
  loadAlgorithm,
  loadEnvironment,
  loadPolicy,
  MemoryRun,
  type Policy,
  ppo,
  resolveConfig,
  responseWeights,
  type Rollout,
  RunFolder,
  type Sampling,
  scriptedPolicy,
  type Situation,
  train,
  type TrainConfig,
  type TrainEvent,
  type TrainOptions,
  type Transition,
  VectorEnv,
} from "./rl/mod.ts";
