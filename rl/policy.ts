/**
 * What every policy can do, whatever is inside: act, and have its weights improved.
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
  /** What it tells of the state. */
  readonly info: Info;
  /** The picture of the state. */
  readonly observation: Observation;
}

/** What the policy saw, wrote and meant. */
export interface Decision {
  /** The prompt exactly as the policy saw it. */
  readonly prompt: readonly Segment[];
  /** What the policy wrote. */
  readonly response: Response;
  /** The response's text and where its tokens lie in it. */
  readonly decoding: Decoding;
  /** The action that the environment finds in the text. */
  readonly parse: Parse;
  /** Against the state it was written for. */
  readonly judgement: Judgement;
}

/** A decision, and its action by name. */
export interface Act extends Decision {
  /** One of the environment's actions; null when the text holds none. `parse.action` is its index. */
  readonly action: string | null;
}

/** How a policy writes unless it is told otherwise: as it was trained. */
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
  /** Seed of the draws, 0 when absent. Each call of the same policy goes on in the stream. */
  readonly seed?: number;
  /** Actions to look for in the response to a picture; those that the policy was trained with when absent. */
  readonly actions?: readonly string[];
}

/** How to respond; `random` is a generator seed and counter for each situation. */
export interface RespondSettings {
  /** Divides the logits. */
  readonly temperature: number;
  /** Takes the most likely token each time. */
  readonly greedy: boolean;
  /** Longest response in tokens. */
  readonly maxNewTokens: number;
  /** (2 x situations) generator seed and counter of each. */
  readonly random: Uint32Array;
}

/** B responses of up to R tokens as the policy's forward pass needs them; all arrays are inputs of a planned step. */
export interface Batch {
  /** Responses. */
  readonly B: number;
  /** Tokens of the longest one. */
  readonly R: number;
  /** (B*R) 1 for response tokens, 0 for padding. */
  readonly mask: Float32Array;
}

/** What to compute in a forward pass. */
export interface ForwardSettings {
  /** Divides the logits. */
  readonly temperature: number;
  /** Values of each turn's prompt (B), before each token (B, R), or none. */
  readonly values: "turn" | "token" | "none";
  /** Whether the values' gradient reaches the model below the value head; false when absent. */
  readonly valuesReachModel?: boolean;
}

/** Log-probabilities and entropies (nats) of the response tokens (B, R), and the values. */
export interface Outputs {
  /** (B, R) log-probabilities, nats. */
  readonly logprob: Tensor;
  /** (B, R) entropies, nats. */
  readonly entropy: Tensor;
  /** (B) or (B, R) values in units of scaled return; null when not asked for. */
  readonly values: Tensor | null;
}

/** A policy: it responds to situations, and says how likely it is to respond so. */
export interface Policy<Inputs extends Batch = Batch> {
  /** Where it runs. */
  readonly gpu: Gpu;
  /** Its weights. */
  readonly parameters: Parameters;
  /** Whether it writes a thought before the action. */
  readonly cot: boolean;
  /** Whether the values' gradient reaches the whole network in RL, and not the value head alone. */
  readonly sharesFeatures: boolean;

  /** How it writes when it acts. */
  readonly sampling: Sampling;
  /** The actions that it was trained with; none when its checkpoint does not say. */
  readonly actions: readonly string[];

  /**
   * Responds to the present state of an environment, which is not stepped. Throws `Error` before the first reset.
   */
  act(env: Environment, settings?: ActSettings): Promise<Act>;
  /**
   * Responds to a picture of any size, given as pixels or as the bytes of a PNG, and a prompt.
   *
   * @throws {RangeError} when the pixels do not fit the size, or the prompt has words that the policy cannot read.
   * @throws {SyntaxError} when the bytes are no PNG.
   */
  act(picture: Observation | Uint8Array, prompt: string, settings?: ActSettings): Promise<Act>;

  /** The same weights writing a thought before the action; absent when there are no words to think in. */
  withThought?(): Policy<Inputs>;
  /** What it sees of a state. */
  promptOf(situation: Situation): Segment[];
  /** Responds to all situations at once. */
  respond(situations: readonly Situation[], settings: RespondSettings): Promise<Decision[]>;
  /** Values of prompts without responses, in units of scaled return. */
  values(prompts: readonly (readonly Segment[])[]): Promise<Float32Array>;
  /** The response that a text stands for, end token included. */
  encode(env: Environment, text: string): number[];
  /** A response's text and where its tokens lie in it. */
  decode(response: readonly number[]): Decoding;
  /** Positions that a sequence takes in memory while it is trained on. */
  positionsOf(sequence: Sequence): number;
  /** The arrays of a batch. */
  batch(sequences: readonly Sequence[]): Inputs;
  /** The forward pass, on the tape. */
  forward(tape: Tape, batch: Inputs, settings: ForwardSettings): Outputs;
}
