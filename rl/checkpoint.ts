/**
 * A training run's state on disk: weights, optimiser, tokenizer, and where the run stands.
 *
 * @module
 */
import type { Environment } from "../envs/mod.ts";
import type { Gpu } from "../kernels/gpu/mod.ts";
import {
  type AdamW,
  assertFinite,
  assertFits,
  Cnn,
  type CnnConfig,
  cnnParameterSpecs,
  decodeSafetensors,
  encodeSafetensors,
  type HostTensor,
  type Parameters,
  type ParameterSpec,
  parameterSpecs,
  quote,
  type SafetensorsContent,
  Tokenizer,
  Vlm,
  type VlmConfig,
} from "../model/mod.ts";
import { readBytes, readJson } from "../model/files.ts";
import { Agent } from "./agent.ts";
import { CnnPolicy } from "./policies/cnn.ts";
import type { Policy } from "./policy.ts";
import type { SlotState } from "./rollout.ts";
import type { CheckpointName, RunFolder } from "./run_folder.ts";
import { requireWords } from "./words.ts";

/** Where a run stands. */
export interface TrainerState {
  readonly stage: "sft" | "rl" | "done";
  /** SFT updates done. */
  readonly sftUpdates: number;
  /** RL iterations done. */
  readonly iteration: number;
  /** Steps the current optimiser took. */
  readonly optimizerStep: number;
  /** RL's episodes under way, and how many were begun. */
  readonly slots: readonly SlotState[];
  readonly episodes: number;
  /** Environment steps that RL took. */
  readonly envSteps: number;
  /** What the algorithm remembers. */
  readonly memory: Record<string, unknown>;
  readonly effort: Effort;
  /** Largest resident set that a process of the run was seen with. */
  readonly peakBytes: number;
}

/** What the stages of a run cost, over all its processes. */
export interface Effort {
  /** Wall time in seconds. */
  readonly sft: number;
  readonly rl: number;
  readonly evaluation: number;
  /** The part of `rl` that rollouts took, and the response tokens they wrote. */
  readonly rollout: number;
  readonly rolloutTokens: number;
}

/** Nothing done yet. */
export const START: TrainerState = {
  stage: "sft",
  sftUpdates: 0,
  iteration: 0,
  optimizerStep: 0,
  slots: [],
  episodes: 0,
  envSteps: 0,
  memory: {},
  effort: { sft: 0, rl: 0, evaluation: 0, rollout: 0, rolloutTokens: 0 },
  peakBytes: 0,
};

/** Writes everything needed to go on, atomically. */
export async function saveCheckpoint(
  folder: RunFolder,
  policy: Policy,
  optimizer: AdamW,
  state: TrainerState,
  name?: CheckpointName,
): Promise<void> {
  const { parameters } = policy;
  const { m, v } = await optimizer.toHost();
  const moments = new Map<string, HostTensor>();
  for (const [name, tensor] of parameters.split(m)) moments.set(`m.${name}`, tensor);
  for (const [name, tensor] of parameters.split(v)) moments.set(`v.${name}`, tensor);
  await folder.writeCheckpoint({
    "model.safetensors": encodeSafetensors(await parameters.toHost()),
    "optimizer.safetensors": encodeSafetensors(moments),
    ...policyFiles(policy),
    "trainer.json": JSON.stringify(state, null, 1) + "\n",
  }, name);
}

/** What describes the policy beside its weights. */
function policyFiles(policy: Policy): Record<string, string> {
  if (policy instanceof CnnPolicy) {
    return { "config.json": JSON.stringify({ policy: "cnn", ...policy.cnn.config }, null, 2) + "\n" };
  }
  const { vlm, cot, tokenizer } = policy as Agent;
  return {
    "config.json": JSON.stringify({ ...vlm.config, cot }, null, 2) + "\n",
    "tokenizer.json": JSON.stringify(tokenizer.toJson(), null, 1) + "\n",
  };
}

/**
 * The policy of a checkpoint folder, of whatever kind. Throws as {@linkcode loadAgent} does, and a `RangeError` when the
 * policy cannot act in `env`.
 */
export async function loadPolicy(gpu: Gpu, path: string, env: Environment): Promise<Policy> {
  const { policy, ...config } = (await readJson(`${path}/config.json`) ?? {}) as CnnConfig & {
    policy?: string;
  };
  if (policy !== "cnn") {
    const agent = await loadAgent(gpu, path);
    requireWords(agent.tokenizer, env, path);
    return agent;
  }
  if (config.actions !== env.actions.length) {
    throw new RangeError(
      `Cannot load ${path}: it has ${config.actions} actions, ${env.name} has ${env.actions.length}`,
    );
  }
  const tensors = await readTensors(`${path}/model.safetensors`, cnnParameterSpecs(config), [""]);
  const cnn = new Cnn(gpu, config);
  cnn.parameters.fromHost(tensors);
  return new CnnPolicy(cnn, env.actions);
}

/** The weights that a run's RL began with. Throws `Deno.errors.NotFound` before it began. */
export async function loadWarmStart(folder: RunFolder): Promise<ReadonlyMap<string, HostTensor>> {
  const path = await folder.checkpointPath("warm_start");
  if (path === null) {
    throw new Deno.errors.NotFound(`Cannot compare with the warm start of ${folder.path}: it has none yet`);
  }
  return decodeSafetensors(await readBytes(`${path}/model.safetensors`)).tensors;
}

/** The agent of a checkpoint folder. Throws where a file is missing, broken, or does not fit the config. */
export async function loadAgent(gpu: Gpu, path: string): Promise<Agent> {
  const { cot, ...config } = (await readJson(`${path}/config.json`) ?? {}) as VlmConfig & { cot: boolean };
  if (typeof cot !== "boolean") {
    throw new SyntaxError(
      `Cannot load ${path}: "cot" in its config.json must be true or false, got ${quote(cot)}`,
    );
  }
  const tokenizer = Tokenizer.fromJson(await readJson(`${path}/tokenizer.json`));
  if (tokenizer.vocabularySize !== config.vocabularySize) {
    throw new RangeError(
      `Cannot load ${path}: the tokenizer has ${tokenizer.vocabularySize} tokens, the model ${config.vocabularySize}`,
    );
  }
  // Before the model: sizes that the file does not bear out allocate nothing.
  const tensors = await readTensors(`${path}/model.safetensors`, parameterSpecs(config), [""]);
  const vlm = new Vlm(gpu, config);
  vlm.parameters.fromHost(tensors);
  return new Agent(vlm, tokenizer, { cot });
}

/**
 * Where the run of a checkpoint folder stands.
 *
 * @throws {SyntaxError} naming what is missing from `trainer.json`.
 */
export async function readTrainerState(path: string): Promise<TrainerState> {
  const content = await readJson(`${path}/trainer.json`) as Partial<TrainerState> | null;
  // Runs from before these were kept have none of them.
  const state = { envSteps: 0, memory: {}, peakBytes: 0, ...content } as TrainerState;
  const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
  const isKnown: { [K in keyof TrainerState]: boolean } = {
    stage: ["sft", "rl", "done"].includes(state?.stage),
    sftUpdates: isCount(state?.sftUpdates),
    iteration: isCount(state?.iteration),
    optimizerStep: isCount(state?.optimizerStep),
    slots: Array.isArray(state?.slots) &&
      state.slots.every((slot) => isCount(slot?.episodeSeed) && Array.isArray(slot.history)),
    episodes: isCount(state?.episodes),
    envSteps: isCount(state.envSteps),
    memory: typeof state.memory === "object" && state.memory !== null,
    effort: Object.keys(START.effort).every((key) => state?.effort?.[key as keyof Effort] >= 0),
    peakBytes: isCount(state.peakBytes),
  };
  for (const [name, isGood] of Object.entries(isKnown)) {
    if (isGood) continue;
    throw new SyntaxError(
      `Cannot go on from ${path}: trainer.json has no usable "${name}", begin the run again with --overwrite`,
    );
  }
  return state;
}

/** Restores the optimiser of a checkpoint folder and returns where the run stands. */
export async function loadTrainer(
  path: string,
  parameters: Parameters,
  makeOptimizer: (state: TrainerState) => AdamW,
) {
  const state = await readTrainerState(path);
  const optimizer = makeOptimizer(state);
  const moments = await readTensors(`${path}/optimizer.safetensors`, parameters.list, ["m.", "v."]);
  const [m, v] = ["m.", "v."].map((prefix) =>
    parameters.join(new Map(parameters.list.map(({ name }) => [name, moments.get(prefix + name)!])))
  );
  optimizer.fromHost({ m, v }, state.optimizerStep);
  return { state, optimizer };
}

/** The tensors of a file, which must be those of `specs` under each prefix. */
async function readTensors(
  path: string,
  specs: readonly ParameterSpec[],
  prefixes: readonly string[],
): Promise<Map<string, HostTensor>> {
  const bytes = await readBytes(path);
  let content: SafetensorsContent;
  try {
    content = decodeSafetensors(bytes);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new SyntaxError(`Cannot load ${path}: ${error.message}`, { cause: error });
  }
  assertFits(
    content.tensors,
    prefixes.flatMap((prefix) => specs.map(({ name, shape }) => ({ name: prefix + name, shape }))),
    content.others,
  );
  assertFinite(content.tensors);
  return content.tensors;
}
