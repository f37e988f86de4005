/**
 * The memory that a run needs at least, from its settings alone. A run that is too large is refused before anything long
 * begins, not after the warm start.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  attentionSizes,
  CNN_LAYERS,
  type CnnConfig,
  cnnParameterSpecs,
  deriveSizes,
  parameterSpecs,
  promptLength,
  sizeOf,
  type VlmConfig,
} from "../../model/mod.ts";
import { machineMemory } from "../memory.ts";
import type { Algorithm } from "../algorithms/mod.ts";
import { formatBytes, toFlag, UsageError } from "../cli/mod.ts";
import type { CommonSettings, TrainConfig } from "../config.ts";
import { evaluationEnvSettings } from "../env_settings.ts";
import { designModel } from "../setup.ts";
import { keptParameters, type RunBase, runModel } from "../pretrained/run_base.ts";
import { loraOf } from "../pretrained/options.ts";
import { Prompts } from "../pretrained/talk.ts";

/** A part of a run's memory. */
export interface MemoryPart {
  /** What it holds, as messages say it. */
  readonly what: string;
  /** The settings that make it large. */
  readonly flags: readonly string[];
  /** Bytes, a lower bound. */
  readonly bytes: number;
  /** Does it lie in buffers of the GPU? */
  readonly isOnGpu: boolean;
}

/** What a machine has. */
export interface MachineMemory {
  /** Memory of the system, in bytes. */
  readonly totalBytes: number;
  /** Is the GPU's memory the system's, as with software Vulkan? */
  readonly isShared: boolean;
  /** Largest binding of the device, in bytes. */
  readonly maxBindingBytes: number;
}

/** The settings that decide on memory. */
type Sizes = Pick<
  TrainConfig,
  "demonstrations" | "envs" | "rolloutSteps" | "sftSteps" | "sftBatch" | "envSteps" | "maxNewTokens"
>;

const FLOAT_BYTES = 4;
/** A picture of few colours deflates to at least this share of its bytes. */
const DEFLATED_SHARE = 1 / 8;
/** Objects around a kept picture, in bytes: arrays of ids and the headers of their buffers. Measured: 600 to 2,200. */
const RECORD_BYTES = 600;
/** An environment without its frame, in bytes: rules, random state, history. */
const ENVIRONMENT_BYTES = 2000;
/** A token of a response, in bytes: its id, log-probability, entropy and weight. */
const TOKEN_BYTES = 8 + 3 * FLOAT_BYTES;

/** The model of a run, and the prompts that it reads. */
export type ModelMemory =
  | {
    readonly model: VlmConfig;
    /** Tokens of a prompt without its picture's. Default 1, the least. The environment's own number gives closer bounds. */
    readonly promptTokens?: number;
  }
  | { readonly cnn: CnnConfig };

/** What takes memory in a model. Counts are floats. */
interface Shape {
  readonly pictureBytes: number;
  readonly parameters: number;
  /** Those that have a gradient and moments. */
  readonly trained: number;
  /** The cache of keys and values, for one environment. */
  readonly cache: number;
  /** Activations that are kept for backward, for one step. */
  readonly activations: number;
  /** The largest tensor, for one prompt. */
  readonly widest: number;
}

const countOf = (specs: readonly { readonly shape: readonly number[] }[]): number =>
  specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

function shapeOf(memory: ModelMemory, { maxNewTokens }: Pick<Sizes, "maxNewTokens">): Shape {
  if ("cnn" in memory) {
    const { cnn } = memory;
    const [{ kernelSize, stride, padding, channels }] = cnn.convolutions;
    const side = Math.floor((cnn.imageSize + 2 * padding - kernelSize) / stride) + 1;
    return {
      pictureBytes: 3 * cnn.imageSize ** 2,
      parameters: countOf(cnnParameterSpecs(cnn)),
      trained: countOf(cnnParameterSpecs(cnn)),
      cache: 0,
      activations: side ** 2 * channels,
      widest: side ** 2 * kernelSize ** 2 * 3,
    };
  }
  const { model, promptTokens = 1 } = memory;
  const { imageTokens, patches } = deriveSizes(model);
  const { layers, width, visionLayers, visionWidth, contextLength } = model;
  const positions = imageTokens + promptTokens;
  const written = Math.min(contextLength, positions + maxNewTokens);
  return {
    pictureBytes: 3 * model.imageSize ** 2,
    parameters: countOf(parameterSpecs(model)),
    trained: countOf(keptParameters(parameterSpecs(model))),
    // The cache rounds its positions up to a multiple of eight.
    cache: layers * Math.ceil(written / 8) * 8 * 2 * attentionSizes(model).E,
    activations: patches * visionLayers * visionWidth + positions * layers * width,
    // In an MLP the hidden width is four times the block's.
    widest: 4 * Math.max(patches * visionWidth, positions * width),
  };
}

/**
 * Estimates the parts of a run's memory in bytes, each from below. The letters mean:
 *
 *     I bytes of a picture (side^2 * 3)    N demonstrations        E environments      S rollout steps
 *     T positions of a prompt              R response tokens       C width             B steps in a batch
 *     E width of the keys of a layer, or of its values
 *
 * The parts are:
 *
 *     demonstrations  N * (I / 8 + 600)
 *     rollout         E * S * (I + 600 + 20 R)
 *     environments    E * 2000
 *     model           a float a parameter, and three more if it is trained: gradient, two moments
 *     cache           E * layers * (T + R, rounded up to eights) * 2 E floats, while responses are written
 *     activations     B * (patches * visionLayers * visionWidth + T * layers * C) floats, for backward
 */
export function memoryParts(config: Sizes, memory: ModelMemory): MemoryPart[] {
  const { demonstrations, envs, rolloutSteps, sftSteps, sftBatch, envSteps, maxNewTokens } = config;
  const { pictureBytes: picture, parameters, trained, cache, activations } = shapeOf(memory, config);
  const hasRl = envSteps > 0;
  return [
    {
      what: "demonstrations take",
      flags: ["demonstrations"],
      bytes: sftSteps === 0 ? 0 : demonstrations * (picture * DEFLATED_SHARE + RECORD_BYTES),
      isOnGpu: false,
    },
    {
      what: "an iteration's steps take",
      flags: "groups" in config ? ["groups", "groupSize"] : ["envs", "rolloutSteps"],
      bytes: hasRl ? envs * rolloutSteps * (picture + RECORD_BYTES + TOKEN_BYTES * maxNewTokens) : 0,
      isOnGpu: false,
    },
    {
      what: "environments take",
      flags: ["envs"],
      bytes: hasRl ? envs * ENVIRONMENT_BYTES : 0,
      isOnGpu: false,
    },
    {
      what: "the model takes",
      flags: modelFlags(config),
      bytes: (parameters + 3 * trained) * FLOAT_BYTES,
      isOnGpu: true,
    },
    {
      what: "the cache of keys and values takes",
      flags: ["envs", "maxNewTokens"],
      bytes: hasRl ? envs * cache * FLOAT_BYTES : 0,
      isOnGpu: true,
    },
    {
      what: "activations of the warm start take",
      flags: ["sftBatch"],
      bytes: sftSteps === 0 ? 0 : Math.min(sftBatch, demonstrations) * activations * FLOAT_BYTES,
      isOnGpu: true,
    },
  ];
}

/** The setting that decides on the size of the model. */
function modelFlags(config: Sizes): readonly string[] {
  return "model" in config && config.model !== undefined ? ["model"] : ["preset"];
}

/**
 * Estimates the largest buffers from below: the weights that are trained, which lie in one piece, and what is needed
 * for the prompts of all environments at once, and for a batch of the warm start.
 */
function buffers(config: Sizes, memory: ModelMemory): MemoryPart[] {
  const { envs, sftSteps, sftBatch, demonstrations, envSteps } = config;
  const { widest, cache, trained } = shapeOf(memory, config);
  const environments = envSteps > 0 ? envs : 0;
  const batch = sftSteps > 0 ? Math.min(sftBatch, demonstrations) : 0;
  return [
    {
      what: "the weights that are trained take",
      flags: modelFlags(config),
      bytes: trained * FLOAT_BYTES,
      isOnGpu: true,
    },
    {
      what: "reading the pictures of all environments at once takes",
      flags: ["envs"],
      bytes: environments * widest * FLOAT_BYTES,
      isOnGpu: true,
    },
    {
      what: "the cache of keys and values takes",
      flags: ["envs"],
      bytes: environments * cache * FLOAT_BYTES,
      isOnGpu: true,
    },
    {
      what: "reading a batch of the warm start takes",
      flags: ["sftBatch"],
      bytes: batch * widest * FLOAT_BYTES,
      isOnGpu: true,
    },
  ];
}

/** What to do about a part that is too large. */
function remedyFor({ flags }: MemoryPart): string {
  return flags[0] === "model" ? "use a smaller model, or train adapters with --lora" : "use a smaller number";
}

/**
 * Refuses settings that cannot fit a machine. Settings that pass may still be too large, since the parts are lower bounds.
 * They leave out frames, which may take another 270 kB an environment.
 *
 * @throws {UsageError} naming the part, the flags that make it large and what the machine has.
 */
export function requireMemory(config: Sizes, memory: ModelMemory, machine: MachineMemory): void {
  const valueOf = (name: string) => (config as Readonly<Record<string, unknown>>)[name];
  const flagsOf = ({ flags }: MemoryPart) =>
    flags.map((name) => `--${toFlag(name)} ${valueOf(name)}`).join(" ");
  const widest = buffers(config, memory).reduce((a, b) => a.bytes >= b.bytes ? a : b);
  if (widest.bytes > machine.maxBindingBytes) {
    throw new UsageError(
      `Cannot train with ${flagsOf(widest)}: ${widest.what} at least ${
        formatBytes(widest.bytes)
      } in one buffer, ` +
        `this adapter binds ${formatBytes(machine.maxBindingBytes)}; ${remedyFor(widest)}`,
    );
  }
  const parts = memoryParts(config, memory).filter(({ isOnGpu }) => machine.isShared || !isOnGpu);
  const needed = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  if (needed <= machine.totalBytes) return;
  const largest = parts.reduce((a, b) => a.bytes >= b.bytes ? a : b);
  throw new UsageError(
    `Cannot train with ${flagsOf(largest)}: ${largest.what} at least ${formatBytes(largest.bytes)} of ` +
      `${formatBytes(needed)} in all, this machine has ${formatBytes(machine.totalBytes)}; ${
        remedyFor(largest)
      }`,
  );
}

/**
 * Refuses a run that cannot fit this machine and GPU. Call it before anything is written.
 *
 * @throws {UsageError} as {@linkcode requireMemory} does.
 */
export function requireRunMemory(
  gpu: Gpu,
  environment: EnvironmentDefinition,
  algorithm: Algorithm,
  config: CommonSettings,
  base: RunBase | null = null,
): void {
  const collection = algorithm.collect(config);
  const episodes = collection.kind === "episodes" ? collection.groups * collection.groupSize : Infinity;
  const envs = Math.min(config.envs, episodes);
  // Every episode has at least one step.
  const rolloutSteps = collection.kind === "steps" ? collection.steps : Math.ceil(episodes / envs);
  const memory = base !== null
    ? pretrainedMemory(environment, config, base)
    : config.policy === "cnn"
    ? { cnn: { ...CNN_LAYERS, imageNormalization: config.imageNormalization, actions: 4 } as CnnConfig }
    : { model: designModel(environment, config).model, promptTokens: promptTokens(environment, config) };
  requireMemory({ ...config, envs, rolloutSteps }, memory, {
    totalBytes: machineMemory(),
    isShared: gpu.isSoftware,
    maxBindingBytes: gpu.device.limits.maxStorageBufferBindingSize,
  });
}

/** A pretrained model, its adapters, and the tokens around and in a prompt of the environment. */
function pretrainedMemory(environment: EnvironmentDefinition, config: CommonSettings, opened: RunBase) {
  const model = runModel(opened, loraOf(config));
  const env = environment.make(evaluationEnvSettings(environment, config));
  const { info, observation } = env.reset({ seed: 0 });
  const prompt = new Prompts(opened.talk, model).of(observation, env.prompt(info, { cot: config.cot }));
  const positions = promptLength(prompt, model);
  const { contextLength } = model;
  if (positions >= contextLength) {
    throw new UsageError(
      `Cannot train ${opened.base.folder} on ${environment.name}: a prompt has ${positions} positions, its context ` +
        `${contextLength}; ${
          config.splitPictures ? "leave out --split-pictures" : "use a model with a longer one"
        }`,
    );
  }
  return { model, promptTokens: positions - deriveSizes(model).imageTokens };
}

/** Counts the tokens of one prompt of the environment. */
function promptTokens(environment: EnvironmentDefinition, config: CommonSettings): number {
  const env = environment.make(evaluationEnvSettings(environment, config));
  const { info } = env.reset({ seed: 0 });
  return designModel(environment, config).tokenizer.encode(env.prompt(info, { cot: config.cot })).ids.length;
}
