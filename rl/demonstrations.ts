/**
 * Demonstrations for the warm start: what the environment's scripted solver does, with its deliberate mistakes.
 *
 * @module
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type EnvironmentDefinition, Random } from "../envs/mod.ts";
import type { Segment, Sequence } from "../model/mod.ts";
import { UsageError } from "./cli/mod.ts";
import type { CommonSettings } from "./config.ts";
import { trainingEnvSettings } from "./env_settings.ts";
import { eventLoopTurn } from "./event_loop.ts";
import type { Policy } from "./policy.ts";
import { readMistakes, requireDemonstrations } from "./requirements.ts";
import { TRAINING_SEEDS } from "./rollout.ts";

/** A demonstrated step. */
export interface Demonstration extends Sequence {
  /**
   * Discounted, scaled return from this step on. After a cut by the step limit it goes on as an average step of the
   * demonstrations would, see {@linkcode demonstrate}.
   */
  readonly discountedReturn: number;
  /** Exact key of the state that its episode began in. */
  readonly deal?: string;
}

/** A demonstrated step with deflated pictures, at about a fifth of their size: a run keeps tens of thousands. */
class KeptDemonstration implements Demonstration {
  readonly response: readonly number[];
  discountedReturn = 0;
  /** Weight in `discountedReturn` of what comes after the step limit; 0 if the rules ended the episode. */
  tail = 0;
  readonly deal: string;
  readonly #prompt: readonly Segment[];

  constructor({ prompt, response }: Sequence, deal: string) {
    this.response = response;
    this.deal = deal;
    this.#prompt = withPixels(prompt, (pixels) => deflateRawSync(pixels, { level: 1 }));
  }

  /** The prompt, inflated anew at each use. */
  get prompt(): readonly Segment[] {
    return withPixels(this.#prompt, (pixels) => inflateRawSync(pixels));
  }
}

/** A copy of a prompt with its pictures' bytes changed. */
function withPixels(prompt: readonly Segment[], change: (pixels: Uint8Array) => Uint8Array): Segment[] {
  return prompt.map((part) =>
    part.kind === "image"
      // Copied, since node:zlib returns a view of a buffer of 16 KiB.
      ? { ...part, picture: { ...part.picture, pixels: new Uint8Array(change(part.picture.pixels)) } }
      : part
  );
}

/** Demonstrated steps from one turn of the event loop to the next. */
const TURN_INTERVAL = 256;

/**
 * Lets the environment's solver play `config.demonstrations` steps, with its mistakes. The same seed gives the same steps. With
 * `config.sftThoughts` each step is demonstrated twice: as the policy responds, and with a thought.
 *
 * @param onProgress Receives the number of steps done from time to time. It may throw, to stop.
 * @throws {UsageError} when the environment has no solver.
 */
export async function demonstrate(
  policy: Policy,
  environment: EnvironmentDefinition,
  config: CommonSettings,
  onProgress: (done: number) => void = () => {},
): Promise<Demonstration[]> {
  const env = requireDemonstrations(environment.make(trainingEnvSettings(environment, config)));
  const random = new Random(config.seed, "demonstrations");
  const bias = readMistakes(env, config.mistakes);
  const writers = config.sftThoughts ? [policy, thinking(policy)] : [policy];
  const demonstrations: KeptDemonstration[] = [];
  const wanted = config.demonstrations * writers.length;
  // Seeds count down from the end of the run's range; those of RL's episodes count up from its start.
  let episodeSeed = (config.seed + 1) * TRAINING_SEEDS;
  while (demonstrations.length < wanted) {
    const before = demonstrations.length;
    let state = env.reset({ seed: --episodeSeed });
    const deal = env.stateKey();
    let isCut = false;
    const rewards: number[] = [];
    for (let isOver = false; !isOver;) {
      const texts = writers.map(({ cot }) => env.demonstrate(random, { cot, bias }));
      const shown = writers.map((writer, i) => ({
        prompt: writer.promptOf({ env, ...state }),
        response: writer.encode(env, texts[i]),
      }));
      const result = env.step(env.parse(texts[0]).action ?? env.randomAction());
      demonstrations.push(...shown.map((sequence) => new KeptDemonstration(sequence, deal)));
      rewards.push(result.reward * config.rewardScale);
      state = result;
      isOver = result.terminated || result.truncated;
      isCut = result.truncated;
    }
    for (let t = rewards.length - 1, discountedReturn = 0, tail = Number(isCut); t >= 0; t--) {
      discountedReturn = rewards[t] + config.gamma * discountedReturn;
      tail *= config.gamma;
      for (let w = 0; w < writers.length; w++) {
        Object.assign(demonstrations[before + t * writers.length + w], { discountedReturn, tail });
      }
    }
    if (Math.floor(before / TURN_INTERVAL) === Math.floor(demonstrations.length / TURN_INTERVAL)) continue;
    await eventLoopTurn();
    onProgress(Math.min(Math.floor(demonstrations.length / writers.length), config.demonstrations));
  }
  return withTails(demonstrations.slice(0, wanted));
}

/**
 * Adds what would have come after the step limit: the mean return V of all demonstrated steps, which it is a part of,
 *
 *     V = mean(return until the limit) + mean(tail) V
 *
 * Without it the values of slow episodes would be far too high. Without the steps of cut episodes the value head would learn
 * from the lucky ones alone, and could not tell good states from bad ones.
 *
 * Source: Pardo et al. 2018 (arXiv:1712.00378). A limit that the state does not show must not look like an end.
 */
function withTails(demonstrations: KeptDemonstration[]): Demonstration[] {
  const meanOf = (of: (demonstration: KeptDemonstration) => number) =>
    demonstrations.reduce((sum, demonstration) => sum + of(demonstration), 0) /
    Math.max(1, demonstrations.length);
  const ended = 1 - meanOf(({ tail }) => tail);
  // With gamma 1 and every episode cut there is no return to speak of.
  const typical = ended > 0 ? meanOf(({ discountedReturn }) => discountedReturn) / ended : 0;
  for (const demonstration of demonstrations) demonstration.discountedReturn += demonstration.tail * typical;
  return demonstrations;
}

/** The same policy, writing a thought before the action. */
export function thinking(policy: Policy): Policy {
  if (policy.withThought !== undefined) return policy.withThought();
  throw new UsageError("Cannot demonstrate thoughts: this policy writes none, leave out --sft-thoughts");
}
