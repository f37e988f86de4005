/**
 * A training run's state on disk: weights, optimiser, tokenizer, and where the run stands.
 *
 * @module
 */
import { commandLine } from "../cli/mod.ts";
import type { Environment } from "../../envs/mod.ts";
import { type Gpu, NotFiniteError } from "../../kernels/gpu/mod.ts";
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
  sizeOf,
  Tokenizer,
  Vlm,
  type VlmConfig,
} from "../../model/mod.ts";
import { exists, notJson } from "../../model/files.ts";
import { Agent, type Parsing, type Sampling } from "../agent.ts";
import { type Acting, readActing } from "./acting.ts";
import { Damage, openCheckpoint } from "./manifest.ts";
import type { MetricsLine } from "../metrics.ts";
import { CnnPolicy } from "../policies/cnn.ts";
import type { Policy } from "../policy.ts";
import { keptParameters } from "../pretrained/run_base.ts";
import type { SlotState } from "../rollout.ts";
import type { Checkpoint, CheckpointName, RunStore } from "./store.ts";
import { requireWords } from "../words.ts";
import { type BasePlace, heldTensors, loadBaseAgent, referenceOf } from "./pretrained_checkpoint.ts";

/** Where a run stands. */
export interface TrainerState {
  readonly stage: "sft" | "rl" | "done";
  /** SFT updates done. */
  readonly sftUpdates: number;
  /** RL iterations done. */
  readonly iteration: number;
  /** Steps the current optimiser took. */
  readonly optimizerStep: number;
  /** RL's episodes under way; empty if the algorithm collects whole episodes. */
  readonly slots: readonly SlotState[];
  /** RL episodes begun so far. */
  readonly episodes: number;
  /** Environment steps that RL took. */
  readonly envSteps: number;
  /** What the algorithm remembers. */
  readonly memory: Record<string, unknown>;
  readonly effort: Effort;
  /** Largest resident set that a process of the run was seen with, in bytes. */
  readonly peakBytes: number;
}

/** What the stages of a run cost, summed over all processes that worked on it. Times are wall times in seconds. */
export interface Effort {
  /** Time of the warm start's updates, with demonstrations and looks at perception. */
  readonly sft: number;
  /** Time of RL, with its rollouts. */
  readonly rl: number;
  /** Time of all evaluations. */
  readonly evaluation: number;
  /** The part of `rl` that rollouts took. */
  readonly rollout: number;
  /** Number of response tokens that rollouts wrote. */
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

/**
 * Writes everything that a run needs to go on, atomically. It first waits until the GPU is known to have done the work
 * behind it.
 *
 * @throws {NotFiniteError} naming a weight or moment that is NaN or infinite; the checkpoint from before stays.
 * @throws {DeviceLostError | OutOfMemoryError | SubmissionError} for a fault of the GPU; the checkpoint from before stays.
 */
export async function saveCheckpoint(
  store: RunStore,
  policy: Policy,
  optimizer: AdamW,
  state: TrainerState,
  name?: CheckpointName,
): Promise<void> {
  const { parameters } = policy;
  const weights = await heldTensors(policy.gpu, parameters);
  const { m, v } = await optimizer.toHost();
  const moments = new Map<string, HostTensor>();
  for (const [prefix, words] of [["m", m], ["v", v]] as const) {
    for (const { name, shape, offset } of keptParameters(parameters.list)) {
      moments.set(`${prefix}.${name}`, {
        shape: [...shape],
        data: words.slice(offset, offset + sizeOf(shape)),
      });
    }
  }
  // A refused submission leaves old contents, and the device reports it only after they were read.
  await policy.gpu.settle();
  requireFinite(weights);
  requireFinite(moments);
  const { stage, sftUpdates, iteration, optimizerStep } = state;
  await store.writeCheckpoint({
    "model.safetensors": encodeSafetensors(weights),
    "optimizer.safetensors": encodeSafetensors(moments),
    ...policyFiles(policy),
    "trainer.json": JSON.stringify(state, null, 1) + "\n",
  }, {
    name,
    keep: (line) => isBefore(line as unknown as MetricsLine, state),
    progress: { stage, sftUpdates, iteration, optimizerStep },
  });
}

function requireFinite(tensors: ReadonlyMap<string, HostTensor>): void {
  for (const [name, { data }] of tensors) {
    // A loop, since a callback for each of millions of values takes a tenth of a second.
    for (let i = 0; i < data.length; i++) {
      if (Number.isFinite(data[i])) continue;
      throw new NotFiniteError(`Cannot save a checkpoint: ${name} holds ${data[i]} at element ${i}`);
    }
  }
}

/** Does this line of `metrics.jsonl` belong to the checkpoint with this state? A resumed run writes all others again. */
export function isBefore(line: MetricsLine, { stage, sftUpdates, iteration }: TrainerState): boolean {
  switch (line.stage) {
    case "sft":
      return line.update <= sftUpdates;
    case "gate":
      return stage === "sft" ? line.update < sftUpdates : line.update <= sftUpdates;
    case "rl":
      return line.iteration <= iteration;
    case "evaluation":
      return line.after === "sft" && stage !== "sft";
  }
}

/** Makes the files that describe a policy beside its weights. */
export function policyFiles(policy: Policy): Record<string, string> {
  const acting = { sampling: policy.sampling, actionNames: policy.actions };
  if (policy instanceof CnnPolicy) {
    const config = { policy: "cnn", ...policy.cnn.config, ...acting };
    return { "config.json": JSON.stringify(config, null, 2) + "\n" };
  }
  const { vlm, cot, tokenizer, parsing, base } = policy as Agent;
  const parse = parsing === "published" ? {} : { parse: parsing };
  if (base !== null) {
    const config = { pretrained: referenceOf(base, vlm.config), cot, ...parse, ...acting };
    return { "config.json": JSON.stringify(config, null, 2) + "\n" };
  }
  return {
    "config.json": JSON.stringify({ ...vlm.config, cot, ...parse, ...acting }, null, 2) + "\n",
    "tokenizer.json": JSON.stringify(tokenizer.toJson(), null, 1) + "\n",
  };
}

/**
 * Loads the policy of a checkpoint, of whatever kind.
 *
 * @param source A checkpoint, or the path of its folder.
 * @param place Where the pretrained model is that it was trained on; where it was then when absent.
 * @throws {RangeError} when the policy cannot act in `env`.
 * @throws as {@linkcode loadAgent} does.
 */
export async function loadPolicy(
  gpu: Gpu,
  source: string | Checkpoint,
  env: Environment,
  place: BasePlace = {},
): Promise<Policy> {
  const { path, read } = await checkpointOf(source);
  const bytes = (await read("config.json"))["config.json"];
  const { policy, sampling, actionNames: _, ...config } = (parseJson(bytes, `${path}/config.json`) ?? {}) as
    & CnnConfig
    & Acting
    & { policy?: string };
  if (policy !== undefined && policy !== "cnn") {
    throw new SyntaxError(
      `Cannot load ${path}: "policy" in its config.json must be cnn or absent, got ${quote(policy)}`,
    );
  }
  if (policy === undefined) {
    const agent = await loadAgent(gpu, source, place);
    requireWords(agent.tokenizer, env, path);
    return agent;
  }
  if (config.actions !== env.actions.length) {
    throw new RangeError(
      `Cannot load ${path}: it has ${quote(config.actions)} actions, ${env.name} has ${env.actions.length}`,
    );
  }
  const file = "model.safetensors";
  const tensors = decodeTensors((await read(file))[file], `${path}/${file}`, cnnParameterSpecs(config), [""]);
  const cnn = new Cnn(gpu, config);
  cnn.parameters.fromHost(tensors);
  return new CnnPolicy(cnn, env.actions, readActing({ sampling }, path).sampling);
}

/** How the policy of a checkpoint acts; null if it does not say. Throws as {@linkcode loadPolicy} does for its `config.json`. */
export async function readSampling(source: string | Checkpoint): Promise<Sampling | null> {
  const { path, read } = await checkpointOf(source);
  const said = parseJson((await read("config.json"))["config.json"], `${path}/config.json`) as Acting | null;
  return said?.sampling === undefined ? null : readActing(said, path).sampling;
}

/** Loads the weights that a run's RL began with, by name. Throws `Deno.errors.NotFound` when RL has not begun yet. */
export async function loadWarmStart(store: RunStore): Promise<ReadonlyMap<string, HostTensor>> {
  const checkpoint = await store.readCheckpoint("warm_start");
  if (checkpoint === null) {
    throw new Deno.errors.NotFound(`Cannot compare with the warm start of ${store.path}: it has none yet`);
  }
  const file = "model.safetensors";
  const { tensors } = decodeSafetensors((await checkpoint.read(file))[file]);
  assertFinite(tensors);
  return tensors;
}

/**
 * Loads the agent of a checkpoint. A folder without a manifest is from an earlier version; its files are not verified.
 *
 * @param source A checkpoint, or the path of its folder.
 * @throws {Deno.errors.NotFound} when a file is missing.
 * @throws {Deno.errors.InvalidData} when a file is not what its manifest says.
 * @throws {SyntaxError} when a file cannot be read, or `config.json` holds a value that cannot be.
 * @throws {RangeError} when the files do not fit each other.
 */
export async function loadAgent(
  gpu: Gpu,
  source: string | Checkpoint,
  place: BasePlace = {},
): Promise<Agent> {
  const { path, read } = await checkpointOf(source);
  const parsed = parseJson((await read("config.json"))["config.json"], `${path}/config.json`);
  const { cot, parse: parsing = "published", sampling, actionNames, pretrained, ...config } =
    (parsed ?? {}) as
      & VlmConfig
      & Acting
      & { cot: boolean; parse?: Parsing; pretrained?: unknown };
  if (parsing !== "published" && parsing !== "tolerant") {
    throw new SyntaxError(
      `Cannot load ${path}: "parse" in its config.json must be published or tolerant, got ${quote(parsing)}`,
    );
  }
  if (typeof cot !== "boolean") {
    throw new SyntaxError(
      `Cannot load ${path}: "cot" in its config.json must be true or false, got ${quote(cot)}`,
    );
  }
  const acting = readActing({ sampling, actionNames }, path);
  const decoded = (bytes: Uint8Array, specs: readonly ParameterSpec[]) =>
    decodeTensors(bytes, `${path}/model.safetensors`, specs, [""]);
  if (pretrained !== undefined) {
    const weights = (await read("model.safetensors"))["model.safetensors"];
    return await loadBaseAgent(gpu, pretrained, { ...place, path }, {
      settings: { cot, parsing, ...acting },
      decode: (specs) => decoded(weights, specs),
    });
  }
  const specs = parameterSpecs(config); // refuses sizes that cannot be
  const files = await read("tokenizer.json", "model.safetensors");
  const tokenizer = Tokenizer.fromJson(parseJson(files["tokenizer.json"], `${path}/tokenizer.json`));
  if (tokenizer.vocabularySize !== config.vocabularySize) {
    throw new RangeError(
      `Cannot load ${path}: the tokenizer has ${tokenizer.vocabularySize} tokens, the model ${config.vocabularySize}`,
    );
  }
  // The weights are read before the model is made: a config whose sizes they contradict allocates nothing.
  const tensors = decoded(files["model.safetensors"], specs);
  const vlm = new Vlm(gpu, config);
  vlm.parameters.fromHost(tensors);
  return new Agent(vlm, tokenizer, { cot, parsing, ...acting });
}

/**
 * Reads where the run of a checkpoint stands.
 *
 * @throws {SyntaxError} naming what is missing from `trainer.json`.
 */
export async function readTrainerState(source: string | Checkpoint): Promise<TrainerState> {
  const { path, read } = await checkpointOf(source);
  const bytes = (await read("trainer.json"))["trainer.json"];
  const content = parseJson(bytes, `${path}/trainer.json`) as Partial<TrainerState> | null;
  // Runs of earlier versions lack these three.
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

/** Restores the optimiser of a checkpoint and returns where the run stands. */
export async function loadTrainer(
  source: string | Checkpoint,
  parameters: Parameters,
  makeOptimizer: (state: TrainerState) => AdamW,
) {
  const { path, read } = await checkpointOf(source);
  const state = await readTrainerState(source);
  const file = "optimizer.safetensors";
  const kept = keptParameters(parameters.list);
  const moments = decodeTensors((await read(file))[file], `${path}/${file}`, kept, ["m.", "v."]);
  const optimizer = makeOptimizer(state);
  const [m, v] = ["m.", "v."].map((prefix) => {
    const words = new Float32Array(parameters.values.length);
    for (const { name, offset } of kept) words.set(moments.get(prefix + name)!.data, offset);
    return words;
  });
  optimizer.fromHost({ m, v }, state.optimizerStep);
  return { state, optimizer };
}

/** A checkpoint, given as one or as its folder. Damage in a folder is reported with its remedy: that of its run, if it has one. */
async function checkpointOf(source: string | Checkpoint): Promise<Pick<Checkpoint, "path" | "read">> {
  if (typeof source !== "string") return { path: source.path, read: (...names) => source.read(...names) };
  const telling = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      const [, run] = /^(.+)[/\\](?:checkpoint(?:\.previous)?|warm_start)[/\\]*$/.exec(source) ?? [];
      const isOfRun = run !== undefined && await exists(`${run}/config.json`);
      const own = isOfRun ? `; ${commandLine("check", [run])} says what of its run is whole` : "";
      throw new Deno.errors.InvalidData(
        `Cannot use ${source}: ${error.message}, copy it again${own}`,
        { cause: error },
      );
    }
  };
  const checkpoint = await telling(openCheckpoint(source));
  return { path: source, read: (...names) => telling(checkpoint.read(...names)) };
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw notJson(path, error);
  }
}

/** Decodes the tensors in a file's bytes. They must be those of `specs`, once for each prefix of their names. */
function decodeTensors(
  bytes: Uint8Array,
  path: string,
  specs: readonly ParameterSpec[],
  prefixes: readonly string[],
): Map<string, HostTensor> {
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
