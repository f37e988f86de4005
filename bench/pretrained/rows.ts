/**
 * What is measured of models of real size, each in a process of its own: what is cold is cold, and the peak memory is that of the
 * work. `run.ts` starts it with the name of the work and the folder, and reads a line of JSON.
 *
 * @module
 */
import { numberLine } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  assess,
  generate,
  multiply,
  type Picture,
  pictureOf,
  scale,
  type Segment,
  sum,
  Tape,
  type Tokenizer,
  type Vlm,
} from "../../model/mod.ts";
import { loadPretrained } from "../../model/pretrained/folder.ts";
import { Agent } from "../../rl/agent.ts";
import { learn, ppo } from "../../rl/algorithms/mod.ts";
import { resolveConfig } from "../../rl/config.ts";
import { learnContext } from "../../rl/reference.ts";
import type { Rollout, Transition } from "../../rl/rollout.ts";
import { rlOptimizer } from "../../rl/optimizers.ts";
import { openTunedGpu } from "../tuning.ts";

/** One number. */
export interface PretrainedRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** CPU time that a duration took over the machine's threads: what it would be, all of them at work and nobody else's. */
  readonly idle?: number;
  /** What it must be at most, or at least; absent if nothing is asked of it. */
  readonly most?: number;
  readonly least?: number;
}

/** What a process says. */
export interface PretrainedReport {
  readonly adapter: string;
  readonly rows: readonly PretrainedRow[];
  /** Loss and norms of gradients, to compare with another implementation. */
  readonly answers?: Readonly<Record<string, number>>;
}

/** All works, in the order in which they are measured. */
export const PRETRAINED_WORKS = ["generate", "update", "smollm2"] as const;
type Work = typeof PRETRAINED_WORKS[number];

const PROMPT_TOKENS = 35;
const DECODED = 32;
/** Longer than any vocabulary: nothing ends early. */
const NO_TOKEN = 1 << 30;

let state = 7;
const draw = (below: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * below);
};
const ids = (count: number) => Array.from({ length: count }, () => draw(49_000));
const textOf = (count: number): Segment => ({ kind: "text", ids: ids(count) });

function pictureFor({ config: { imageSize } }: Vlm): Picture {
  return pictureOf(Uint8Array.from({ length: imageSize ** 2 * 3 }, () => draw(256)));
}

/** Seconds of some work, by the clock and in CPU time over threads. */
async function seconds(work: () => Promise<unknown>): Promise<{ value: number; idle?: number }> {
  const [startMs, startCpu] = [performance.now(), cpuSeconds()];
  await work();
  const [value, endCpu] = [(performance.now() - startMs) / 1e3, cpuSeconds()];
  if (startCpu === null || endCpu === null) return { value };
  return { value, idle: (endCpu - startCpu) / navigator.hardwareConcurrency };
}

/** Peak resident set of this process in GB, as the system counts it; 0 where it does not tell. */
function peakGigabytes(): number {
  try {
    return Number(Deno.readTextFileSync("/proc/self/status").match(/VmHWM:\s+(\d+) kB/)![1]) * 1024 / 1e9;
  } catch {
    return 0;
  }
}

function cpuSeconds(): number | null {
  try {
    const fields = Deno.readTextFileSync("/proc/self/stat").split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return null;
  }
}

const tokensOf = (vlm: Vlm, prompts: Segment[][], maxNewTokens: number) =>
  generate(vlm, prompts, {
    ...{ maxNewTokens, temperature: 1, greedy: false, endId: NO_TOKEN, padId: 0 },
    random: Uint32Array.from({ length: 2 * prompts.length }, (_, i) => i),
  });

/** Loading, the first token, and decoding. */
async function measureGeneration(gpu: Gpu, folder: string): Promise<PretrainedRow[]> {
  let vlm!: Vlm;
  const load = await seconds(async () => {
    ({ vlm } = await loadPretrained(folder, gpu));
    await gpu.settle();
  });
  const prompt = (): Segment[] => [
    textOf(5),
    { kind: "image", picture: pictureFor(vlm) },
    textOf(PROMPT_TOKENS - 5),
  ];
  const first = prompt(), second = prompt();
  const cold = await seconds(() => tokensOf(vlm, [first], 1));
  const warm = await seconds(() => tokensOf(vlm, [second], 1));
  const rates: PretrainedRow[] = [];
  for (const batch of [1, 16]) {
    const prompts = Array.from({ length: batch }, () => [textOf(PROMPT_TOKENS)]);
    await tokensOf(vlm, prompts, 3);
    const before = await seconds(() => tokensOf(vlm, prompts, 1));
    const all = await seconds(() => tokensOf(vlm, prompts, 1 + DECODED));
    const value = batch * DECODED / (all.value - before.value);
    const idle = batch * DECODED / (all.idle! - before.idle!) || undefined;
    const name = `decode, ${batch} ${batch === 1 ? "row" : "rows"}`;
    rates.push({ name, value, idle, unit: "tokens/s", ...batch === 16 && { least: 40 } });
  }
  return [
    { name: "load a local folder", ...load, unit: "s", most: 10 },
    { name: "first token of a picture and a prompt, cold", ...cold, unit: "s", most: 8 },
    { name: "first token of another picture", ...warm, unit: "s" },
    ...rates,
    { name: "peak memory", value: peakGigabytes(), unit: "GB", most: 3.5 },
  ];
}

/** A minibatch of PPO on adapters: 8 responses of 64 tokens, 200 positions each, of a picture that was seen. */
async function measureUpdate(gpu: Gpu, folder: string): Promise<PretrainedRow[]> {
  const B = 8, R = 64, positions = 200;
  const lora = { rank: 8, alpha: 16, targets: ["q_proj", "k_proj", "v_proj", "o_proj"] };
  const { vlm } = await loadPretrained(folder, gpu, { lora });
  const config = resolveConfig(
    { maxNewTokens: R, envs: B, rolloutSteps: 1, minibatch: B, epochs: 1, klStop: 1e6 },
    numberLine,
  );
  // Updates read and write no text.
  const agent = new Agent(vlm, null as unknown as Tokenizer, { cot: true });
  const optimizer = rlOptimizer(agent, config);
  const picture = pictureFor(vlm);
  const imageTokens = 64;
  const sequences = Array.from({ length: B }, () => ({
    prompt: [textOf(6), { kind: "image", picture }, textOf(positions - imageTokens - 6 - R)] as Segment[],
    response: ids(R),
  }));
  const known = await assess(vlm, sequences, { temperature: config.temperature, batchSize: B });
  const transitions = sequences.map((sequence, b) => {
    const { logprobs, entropies, values } = known[b];
    const weights = Float32Array.from({ length: R }, (_, r) => r < R - 3 ? config.lambda : 1);
    const logPi = weights.reduce((sum, weight, r) => sum + weight * logprobs[r], 0);
    return {
      ...sequence,
      ...{ logprobs, entropies, weights, logPi, value: values[0], reward: (b % 7 - 3) / 3 },
      ...{ terminated: true, truncated: false, correction: null },
    } as unknown as Transition;
  });
  const rollout: Rollout = {
    transitions,
    bootstrapValues: new Float32Array(B),
    trajectories: transitions.map((_, turn) => ({ turns: [turn], deal: turn, outcome: null })),
    episodes: [],
  };
  const update = () => learn(ppo, rollout, config, learnContext(agent, optimizer, { learningRate: 0 }));
  const cold = await seconds(update);
  const warm = await seconds(update);
  return [
    { name: `PPO minibatch ${B} x ${positions} tokens, adapters, the first`, ...cold, unit: "s" },
    { name: `PPO minibatch ${B} x ${positions} tokens, adapters`, ...warm, unit: "s", most: 25 },
    { name: "peak memory of training", value: peakGigabytes(), unit: "GB", most: 3.5 },
  ];
}

/** Forward, loss and backward of SmolLM2-135M's shape on one sequence of 128 tokens; every weight has a gradient. */
async function measureSmolLm2(gpu: Gpu, folder: string, answers: Record<string, number>) {
  const { vlm } = await loadPretrained(folder, gpu);
  const { parameters } = vlm;
  parameters.train(({ part }) => part === "language");
  const all = Array.from({ length: 128 }, (_, i) => (i * 7919) % 49_152);
  const layout = vlm.layOut([{ prompt: [{ kind: "text", ids: all.slice(0, 1) }], response: all.slice(1) }]);
  const step = async (record: boolean): Promise<number> => {
    using tape = new Tape(gpu, { record });
    const { logprob } = vlm.responseLogprobs(tape, vlm.hidden(tape, layout), layout, 1);
    const masked = tape.constant(layout.mask, [1, layout.R], "mask");
    const loss = tape.keep(scale(tape, sum(tape, multiply(tape, logprob, masked)), -1 / 127));
    if (record) tape.backward(loss);
    return (await gpu.read(loss.data))[0][0];
  };
  answers.loss = await step(true);
  const gradients = await parameters.gradientsToHost();
  const normOf = (data: Float32Array) => Math.sqrt(data.reduce((sum, value) => sum + value ** 2, 0));
  const weight = "language.norm.weight";
  answers["norm of d(norm)"] = normOf(gradients.get(weight)!.data);
  answers["norm of d(embedding)"] = normOf(gradients.get("language.token_embedding.weight")!.data);
  answers["norm of d(first qkv)"] = normOf(gradients.get("language.blocks.0.attention.qkv.weight")!.data);
  // The gate: along its own gradient the loss must rise as fast as the gradient is long.
  const direction = gradients.get(weight)!.data;
  const [values] = await gpu.read(parameters.get(weight).data);
  const length = answers["norm of d(norm)"];
  const at = async (by: number) => {
    parameters.write(weight, values.map((value, i) => value + by * direction[i] / length));
    return await step(false);
  };
  const by = 0.05 / length;
  const slope = (await at(by) - await at(-by)) / (2 * by);
  parameters.write(weight, values);
  if (!(Math.abs(slope / length - 1) < 0.02)) {
    throw new Error(`the loss rises by ${slope} along a gradient of norm ${length}`);
  }
  const times = [];
  for (let round = 0; round < 5; round++) times.push(await seconds(() => step(true)));
  const median = times.sort((a, b) => a.value - b.value)[2];
  const name = "SmolLM2-135M, 128 tokens, forward, loss and backward";
  const rows: PretrainedRow[] = [{ name, ...median, unit: "s", most: 1.5 }];
  return rows;
}

if (import.meta.main) {
  const [work, folder] = Deno.args as [Work, string];
  const gpu = await openTunedGpu({ note: console.error });
  const answers: Record<string, number> = {};
  const measure = { generate: measureGeneration, update: measureUpdate, smollm2: measureSmolLm2 }[work];
  const rows = await measure(gpu, folder, answers);
  await gpu.settle();
  const report: PretrainedReport = { adapter: gpu.adapterName, rows, answers };
  console.log(JSON.stringify(report));
  gpu.destroy();
}
