/**
 * Demonstrations of the warm start: what the environment's scripted solver does, mistakes included.
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
  /** Discounted, scaled return from this step on, as the rules end the episode. */
  readonly discountedReturn: number;
  /**
   * 0 where that return is unknown, in episodes that the step limit cut: their values are not learnt. 1 when absent.
   *
   * Source: Pardo et al. 2018 (arXiv:1712.00378): a limit that the state does not show must not look like an end.
   */
  readonly valueWeight?: 0 | 1;
}

/** A demonstrated step among tens of thousands: its pictures are deflated, to a fifth of their size. */
class KeptDemonstration implements Demonstration {
  readonly response: readonly number[];
  discountedReturn = 0;
  valueWeight: 0 | 1 = 0;
  readonly #prompt: readonly Segment[];

  constructor({ prompt, response }: Sequence) {
    this.response = response;
    this.#prompt = withPixels(prompt, (pixels) => deflateRawSync(pixels, { level: 1 }));
  }

  /** Inflated anew at each use. */
  get prompt(): readonly Segment[] {
    return withPixels(this.#prompt, (pixels) => inflateRawSync(pixels));
  }
}

/** A prompt whose pictures are changed. */
function withPixels(prompt: readonly Segment[], change: (pixels: Uint8Array) => Uint8Array): Segment[] {
  return prompt.map((part) =>
    part.kind === "image"
      // Copied: what comes out of node:zlib is the beginning of 16 KiB.
      ? { ...part, picture: { ...part.picture, pixels: new Uint8Array(change(part.picture.pixels)) } }
      : part
  );
}

/** Demonstrated steps between looks at the event loop. */
const TURN_INTERVAL = 256;

/**
 * Has the environment's solver play `config.demonstrations` steps, with its mistakes. Deterministic by seed. With
 * `config.sftThoughts` each step is demonstrated twice: as the policy responds, and with a thought.
 * `onProgress` is told of the steps done now and then, and may throw to stop.
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
  // Seeds from the far end of the run's range: RL's episodes count up from its start.
  let episodeSeed = (config.seed + 1) * TRAINING_SEEDS;
  while (demonstrations.length < wanted) {
    const before = demonstrations.length;
    let state = env.reset({ seed: --episodeSeed });
    let isCut = false;
    const rewards: number[] = [];
    for (let isOver = false; !isOver;) {
      const texts = writers.map(({ cot }) => env.demonstrate(random, { cot, bias }));
      const shown = writers.map((writer, i) => ({
        prompt: writer.promptOf({ env, ...state }),
        response: writer.encode(env, texts[i]),
      }));
      const result = env.step(env.parse(texts[0]).action ?? env.randomAction());
      demonstrations.push(...shown.map((sequence) => new KeptDemonstration(sequence)));
      rewards.push(result.reward * config.rewardScale);
      state = result;
      isOver = result.terminated || result.truncated;
      isCut = result.truncated;
    }
    // A limit says nothing of the states: what a cut episode would have earned without it is unknown.
    for (let t = rewards.length - 1, discountedReturn = 0; t >= 0 && !isCut; t--) {
      discountedReturn = rewards[t] + config.gamma * discountedReturn;
      for (let w = 0; w < writers.length; w++) {
        const demonstration = demonstrations[before + t * writers.length + w];
        Object.assign(demonstration, { discountedReturn, valueWeight: 1 });
      }
    }
    if (Math.floor(before / TURN_INTERVAL) === Math.floor(demonstrations.length / TURN_INTERVAL)) continue;
    await eventLoopTurn();
    onProgress(Math.min(Math.floor(demonstrations.length / writers.length), config.demonstrations));
  }
  return demonstrations.slice(0, wanted);
}

/** The same policy, writing a thought before the action. */
export function thinking(policy: Policy): Policy {
  if (policy.withThought !== undefined) return policy.withThought();
  throw new UsageError("Cannot demonstrate thoughts: this policy writes none, leave out --sft-thoughts");
}
