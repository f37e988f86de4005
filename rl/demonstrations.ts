/**
 * Demonstrations of the warm start: what the environment's scripted solver does, mistakes included.
 *
 * @module
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type EnvironmentDefinition, Random } from "../envs/mod.ts";
import type { Segment, Sequence } from "../model/mod.ts";
import type { CommonSettings } from "./config.ts";
import { trainingEnvSettings } from "./env_settings.ts";
import { eventLoopTurn } from "./event_loop.ts";
import type { Policy } from "./policy.ts";
import { requireDemonstrations } from "./requirements.ts";
import { TRAINING_SEEDS } from "./rollout.ts";

/** A demonstrated step. */
export interface Demonstration extends Sequence {
  /** Discounted, scaled return from this step on. */
  readonly discountedReturn: number;
}

/** A demonstrated step among tens of thousands: its pictures are deflated, to a fifth of their size. */
class KeptDemonstration implements Demonstration {
  readonly response: readonly number[];
  readonly discountedReturn: number;
  readonly #prompt: readonly Segment[];

  constructor({ prompt, response }: Sequence, discountedReturn: number) {
    this.response = response;
    this.discountedReturn = discountedReturn;
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
 * Has the environment's solver play `config.demonstrations` steps, with its default bias. Deterministic by seed.
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
  const demonstrations: Demonstration[] = [];
  // Seeds from the far end of the run's range: RL's episodes count up from its start.
  let episodeSeed = (config.seed + 1) * TRAINING_SEEDS;
  while (demonstrations.length < config.demonstrations) {
    let state = env.reset({ seed: --episodeSeed });
    const steps: { sequence: Sequence; reward: number }[] = [];
    for (let isOver = false; !isOver;) {
      const text = env.demonstrate(random, { cot: policy.cot });
      const prompt = policy.promptOf({ env, ...state });
      const response = policy.encode(env, text);
      const result = env.step(env.parse(text).action ?? env.randomAction());
      steps.push({ sequence: { prompt, response }, reward: result.reward * config.rewardScale });
      state = result;
      isOver = result.terminated || result.truncated;
    }
    let discountedReturn = 0;
    const episode = steps.reverse().map(({ sequence, reward }) => {
      discountedReturn = reward + config.gamma * discountedReturn;
      return new KeptDemonstration(sequence, discountedReturn);
    });
    const before = demonstrations.length;
    demonstrations.push(...episode.reverse());
    if (Math.floor(before / TURN_INTERVAL) === Math.floor(demonstrations.length / TURN_INTERVAL)) continue;
    await eventLoopTurn();
    onProgress(Math.min(demonstrations.length, config.demonstrations));
  }
  return demonstrations.slice(0, config.demonstrations);
}
