/**
 * A training run's state on disk: weights, optimiser, tokenizer, and where the run stands.
 *
 * @module
 */
import type { Gpu } from "../kernels/gpu/mod.ts";
import {
  type AdamW,
  assertFinite,
  assertFits,
  decodeSafetensors,
  encodeSafetensors,
  type HostTensor,
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
import type { SlotState } from "./rollout.ts";
import type { CheckpointName, RunFolder } from "./run_folder.ts";

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
  effort: { sft: 0, rl: 0, evaluation: 0, rollout: 0, rolloutTokens: 0 },
  peakBytes: 0,
};

/** Writes everything needed to go on, atomically. */
export async function saveCheckpoint(
  folder: RunFolder,
  agent: Agent,
  optimizer: AdamW,
  state: TrainerState,
  name?: CheckpointName,
): Promise<void> {
  const { parameters, config } = agent.vlm;
  const { m, v } = await optimizer.toHost();
  const moments = new Map<string, HostTensor>();
  for (const [name, tensor] of parameters.split(m)) moments.set(`m.${name}`, tensor);
  for (const [name, tensor] of parameters.split(v)) moments.set(`v.${name}`, tensor);
  await folder.writeCheckpoint({
    "model.safetensors": encodeSafetensors(await parameters.toHost()),
    "optimizer.safetensors": encodeSafetensors(moments),
    "config.json": JSON.stringify({ ...config, cot: agent.cot }, null, 2) + "\n",
    "tokenizer.json": JSON.stringify(agent.tokenizer.toJson(), null, 1) + "\n",
    "trainer.json": JSON.stringify(state, null, 1) + "\n",
  }, name);
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
  const content = await readJson(`${path}/trainer.json`) as TrainerState;
  const state = { ...content, peakBytes: content?.peakBytes ?? 0 }; // runs from before it was kept
  const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
  const isKnown: { [K in keyof TrainerState]: boolean } = {
    stage: ["sft", "rl", "done"].includes(state?.stage),
    sftUpdates: isCount(state?.sftUpdates),
    iteration: isCount(state?.iteration),
    optimizerStep: isCount(state?.optimizerStep),
    slots: Array.isArray(state?.slots) &&
      state.slots.every((slot) => isCount(slot?.episodeSeed) && Array.isArray(slot.history)),
    episodes: isCount(state?.episodes),
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
export async function loadTrainer(path: string, vlm: Vlm, makeOptimizer: (state: TrainerState) => AdamW) {
  const state = await readTrainerState(path);
  const optimizer = makeOptimizer(state);
  const moments = await readTensors(`${path}/optimizer.safetensors`, vlm.parameters.list, ["m.", "v."]);
  const [m, v] = ["m.", "v."].map((prefix) =>
    vlm.parameters.join(new Map(vlm.parameters.list.map(({ name }) => [name, moments.get(prefix + name)!])))
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
