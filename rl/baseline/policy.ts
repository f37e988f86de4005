/**
 * The baseline's policy: a network that maps a picture to an action, without words.
 *
 * @module
 */
import type { Environment, Observation } from "../../envs/mod.ts";
import { sampleTokens } from "../../kernels/sampling/mod.ts";
import { type Cnn, paddedActions, Tape } from "../../model/mod.ts";
import type { RespondSettings, Situation } from "../agent.ts";
import type { Policy } from "../evaluation.ts";
import { modelPicture } from "../image.ts";

/** What the network sees of B states. */
export interface StateBatch {
  readonly images: number;
  /** (B, S, S, 3) bytes. */
  readonly pixels: Uint8Array;
  /** (B, actions), 1 for the actions that may be taken; null where all may always be. */
  readonly legal: Uint8Array | null;
}

/** One state, as {@linkcode batchOf} joins them. */
export interface State {
  /** (S, S, 3) bytes, shared between equal states. */
  readonly image: Uint8Array;
  /** (actions); null where all actions may be taken. */
  readonly legal: Uint8Array | null;
}

/** An action drawn, and what the network thought of it. */
export interface Act {
  readonly action: number;
  /** Log-probability of the action. */
  readonly logprob: number;
  readonly value: number;
}

/** What the network sees of one situation. */
export function stateOf(
  { env, observation }: { env: Environment; observation: Observation },
  size: number,
): State {
  const indices = env.legalActions?.();
  const legal = indices === undefined ? null : new Uint8Array(env.actions.length);
  for (const index of indices ?? []) legal![index] = 1;
  return { image: modelPicture(observation, size).pixels, legal };
}

/** Joins states of one environment. */
export function batchOf(states: readonly State[]): StateBatch {
  const pixels = joined(states.map(({ image }) => image));
  if (states[0].legal === null) return { images: states.length, pixels, legal: null };
  return { images: states.length, pixels, legal: joined(states.map(({ legal }) => legal!)) };
}

/** Arrays of one length, one after the other. */
function joined(arrays: readonly Uint8Array[]): Uint8Array {
  const bytes = arrays[0].length;
  const all = new Uint8Array(arrays.length * bytes);
  arrays.forEach((array, i) => all.set(array, i * bytes));
  return all;
}

/** Acts by sampling from the network's distribution, or by its most likely action. */
export class CnnPolicy implements Policy {
  constructor(readonly cnn: Cnn) {}

  /** Draws an action for each state, on the GPU; `random` is a generator seed and counter for each. */
  async act(
    states: readonly State[],
    { random, greedy }: Pick<RespondSettings, "random" | "greedy">,
  ): Promise<Act[]> {
    const { cnn } = this;
    const { gpu } = cnn;
    const V = paddedActions(cnn.config);
    const B = states.length;
    const batch = batchOf(states);
    using tape = new Tape(gpu, { record: false });
    const features = cnn.features(tape, batch);
    const values = cnn.values(tape, features);
    const logits = cnn.logits(tape, features, batch.legal);
    const word = (label: string) => tape.indices(new Uint32Array(B), label);
    const tokens = word("actions"), logprobs = word("logprobs");
    sampleTokens(gpu, {
      logits: logits.data,
      random: tape.indices(random, "random"),
      done: word("done"),
      tokens,
      logprobs,
      entropies: word("entropies"),
      current: word("current"),
      position: word("position"),
      // No action ends anything: endId lies beyond them.
    }, { B, V, step: 0, maxSteps: 1, temperature: 1, greedy, endId: V, padId: 0 });
    const [drawn, logprob, value] = await gpu.read(tokens, logprobs, values.data);
    const action = new Uint32Array(drawn.buffer, drawn.byteOffset, B);
    return states.map((_, b) => ({ action: action[b], logprob: logprob[b], value: value[b] }));
  }

  /** Values of the states that (S, S, 3) images show. */
  async values(images: readonly Uint8Array[]): Promise<Float32Array> {
    if (images.length === 0) return new Float32Array(0);
    using tape = new Tape(this.cnn.gpu, { record: false });
    const batch = { images: images.length, pixels: joined(images) };
    const values = this.cnn.values(tape, this.cnn.features(tape, batch));
    return (await this.cnn.gpu.read(values.data))[0];
  }

  /** As {@linkcode Policy} has it: every response is an action, and none states a thought. */
  async respond(situations: readonly Situation[], { random, greedy }: RespondSettings) {
    const size = this.cnn.config.imageSize;
    const acts = await this.act(situations.map((situation) => stateOf(situation, size)), { random, greedy });
    return acts.map(({ action }) => ({
      parse: { action, start: -1, end: -1 },
      judgement: { perception: null, faithful: null },
    }));
  }
}
