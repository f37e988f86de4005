/**
 * What every policy can do: act, and run its forward pass for learning.
 *
 * @module
 */
import type { Environment, Info, Judgement, Observation, Parse } from "../envs/mod.ts";
import type { Gpu } from "../kernels/gpu/mod.ts";
import type { Decoding, Parameters, Response, Segment, Sequence, Tape, Tensor } from "../model/mod.ts";

/** A state to respond to. */
export interface Situation {
  /** The environment in that state. */
  readonly env: Environment;
  /** What the environment says about the state. */
  readonly info: Info;
  /** The picture of the state. */
  readonly observation: Observation;
  /** How the episode came here, if it is known: who acts elsewhere plays it again. */
  readonly played?: SlotState;
}

/** An episode under way, as checkpoints keep it: enough to play it again. */
export interface SlotState {
  /** Seed that the episode was reset with. */
  readonly episodeSeed: number;
  /** Actions so far. `isRandom` marks those that were drawn from the environment's own stream. */
  readonly history: readonly { readonly action: number; readonly isRandom: boolean }[];
}

/** What the policy saw and wrote, and the action in it. */
export interface Decision {
  /** The prompt exactly as the policy saw it. */
  readonly prompt: readonly Segment[];
  /** What the policy wrote. */
  readonly response: Response;
  /** The response's text, and the place of each token in it. */
  readonly decoding: Decoding;
  /** The action that the environment finds in the text. */
  readonly parse: Parse;
  /** How well the response fits the state that it was written for. */
  readonly judgement: Judgement;
}

/** A decision with its action by name. */
export interface Act extends Decision {
  /** One of the environment's actions; null if the text holds none. `parse.action` is its index. */
  readonly action: string | null;
}

/** How a policy writes if nobody says otherwise: as it was trained. */
export interface Sampling {
  /** Divides the logits. */
  readonly temperature: number;
  /** Longest response in tokens. */
  readonly maxNewTokens: number;
}

/** How to act; the policy's own {@linkcode Sampling} when absent. */
export interface ActSettings extends Partial<Sampling> {
  /** Takes the most likely token each time; false when absent. */
  readonly greedy?: boolean;
  /** Seed of the draws, 0 when absent. The next call of the same policy goes on in the same stream. */
  readonly seed?: number;
  /** Actions to look for in the response to a picture; those that the policy was trained with when absent. */
  readonly actions?: readonly string[];
}

/** How to respond to situations. */
export interface RespondSettings {
  /** Divides the logits. */
  readonly temperature: number;
  /** Takes the most likely token each time. */
  readonly greedy: boolean;
  /** Longest response in tokens. */
  readonly maxNewTokens: number;
  /** (2 x situations) generator seed and counter for each situation. */
  readonly random: Uint32Array;
}

/** B responses of up to R tokens, laid out for the policy's forward pass. All arrays are inputs of a planned step. */
export interface Batch {
  /** Number of responses. */
  readonly B: number;
  /** Number of tokens in the longest one. */
  readonly R: number;
  /** (B*R) 1 for response tokens, 0 for padding. */
  readonly mask: Float32Array;
}

/** What to compute in a forward pass. */
export interface ForwardSettings {
  /** Divides the logits. */
  readonly temperature: number;
  /** Which values: of each turn's prompt (B), before each token (B, R), or none. */
  readonly values: "turn" | "token" | "none";
  /** Does the values' gradient reach the model below the value head? False when absent. */
  readonly valuesReachModel?: boolean;
}

/** Results of a forward pass. */
export interface Outputs {
  /** (B, R) log-probabilities of the response tokens, in nats. */
  readonly logprob: Tensor;
  /** (B, R) entropies of the distributions that the response tokens are drawn from, in nats. */
  readonly entropy: Tensor;
  /** (B) or (B, R) values in units of scaled return; null when not asked for. */
  readonly values: Tensor | null;
}

/** A policy: it responds to situations, and it computes how likely a response is. */
export interface Policy<Inputs extends Batch = Batch> {
  /** The GPU that it runs on. */
  readonly gpu: Gpu;
  /** Its weights. */
  readonly parameters: Parameters;
  /** Does it write a thought before the action? */
  readonly cot: boolean;
  /** Does the values' gradient reach the whole network in RL? If not, it reaches the value head alone. */
  readonly sharesFeatures: boolean;

  /** How it writes when it acts. */
  readonly sampling: Sampling;
  /** Names of the actions that it was trained with; empty if its checkpoint does not say. */
  readonly actions: readonly string[];

  /**
   * Responds to the present state of an environment. The environment is not stepped.
   *
   * @throws {Error} when the environment was never reset.
   */
  act(env: Environment, settings?: ActSettings): Promise<Act>;
  /**
   * Responds to a picture of any size, given as pixels or as the bytes of a PNG, and a prompt.
   *
   * @throws {RangeError} when the pixels do not fit the size, or the prompt has characters that the policy cannot read.
   * @throws {TypeError} when neither the settings nor the checkpoint name the actions.
   * @throws {SyntaxError} when the bytes are no PNG.
   */
  act(picture: Observation | Uint8Array, prompt: string, settings?: ActSettings): Promise<Act>;

  /** The same weights writing a thought before the action; absent when there are no words to think in. */
  withThought?(): Policy<Inputs>;
  /** Makes the prompt of a state. */
  promptOf(situation: Situation): Segment[];
  /** Responds to all situations at once. */
  respond(situations: readonly Situation[], settings: RespondSettings): Promise<Decision[]>;
  /** Reads the decision in a response that was written to the situation's prompt. */
  decide(situation: Situation, prompt: readonly Segment[], response: Response): Decision;
  /** Computes the values of prompts without responses, in units of scaled return. */
  values(prompts: readonly (readonly Segment[])[]): Promise<Float32Array>;
  /** Makes the response that a demonstrated text stands for, as token ids. An end token is included if the policy has one. */
  encode(env: Environment, text: string): number[];
  /** Decodes a response to its text, and the place of each token in it. */
  decode(response: readonly number[]): Decoding;
  /** Names a token that writes no text, for people who look into a response; "" if it ends a response. */
  nameOf?(id: number): string;
  /** Counts the positions whose activations a sequence keeps in memory in training. */
  positionsOf(sequence: Sequence): number;
  /** Computes ahead what training leaves as it is, such as features of pictures: batches of these prompts then need less. */
  look?(sequences: readonly Pick<Sequence, "prompt">[]): Promise<void>;
  /** Lays sequences out as a batch. */
  batch(sequences: readonly Sequence[]): Inputs;
  /** Puts the forward pass on the tape. */
  forward(tape: Tape, batch: Inputs, settings: ForwardSettings): Outputs;
}
