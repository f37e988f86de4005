/**
 * The agent: a model and its tokenizer, facing environments. Shows it a state, has it write, and reads an action.
 *
 * @module
 */
import type { Environment, Info, Judgement, Observation, Parse } from "../envs/mod.ts";
import {
  type Decoding,
  generate,
  type Response,
  type Segment,
  type Tokenizer,
  type Vlm,
} from "../model/mod.ts";
import { modelPicture } from "./image.ts";

/** What the agent saw, wrote and meant. */
export interface Decision {
  /** The prompt exactly as the model saw it. */
  readonly prompt: readonly Segment[];
  readonly response: Response;
  /** The response's text and where its tokens lie in it. */
  readonly decoding: Decoding;
  readonly parse: Parse;
  /** Against the state it was written for. */
  readonly judgement: Judgement;
}

/** A state to respond to. */
export interface Situation {
  readonly env: Environment;
  readonly info: Info;
  readonly observation: Observation;
}

/** How to write responses; `random` is a generator seed and counter for each situation. */
export interface RespondSettings {
  readonly temperature: number;
  readonly greedy: boolean;
  readonly maxNewTokens: number;
  readonly random: Uint32Array;
}

/** A model, its tokenizer, and whether it thinks before it acts. */
export class Agent {
  readonly vlm: Vlm;
  readonly tokenizer: Tokenizer;
  readonly cot: boolean;
  readonly #promptIds = new Map<string, number[]>();

  constructor(vlm: Vlm, tokenizer: Tokenizer, { cot }: { cot: boolean }) {
    this.vlm = vlm;
    this.tokenizer = tokenizer;
    this.cot = cot;
  }

  /** The prompt of a state: its picture, then the task description. */
  promptOf({ env, info, observation }: Situation): Segment[] {
    const text = env.prompt(info, { cot: this.cot });
    let ids = this.#promptIds.get(text);
    if (ids === undefined) {
      ids = this.tokenizer.encode(text).ids;
      // Prompts that quote the state are many; the few of one task need not be encoded at every step.
      if (this.#promptIds.size < 4096) this.#promptIds.set(text, ids);
    }
    return [
      { kind: "image", picture: modelPicture(observation, this.vlm.config.imageSize) },
      { kind: "text", ids },
    ];
  }

  /** Responds to all situations at once. */
  async respond(situations: readonly Situation[], settings: RespondSettings): Promise<Decision[]> {
    const prompts = situations.map((situation) => this.promptOf(situation));
    const { endId, padId } = this.tokenizer;
    const responses = await generate(this.vlm, prompts, { ...settings, endId, padId });
    return situations.map(({ env }, index) => {
      const decoding = this.tokenizer.decodeWithOffsets(responses[index].ids);
      return {
        prompt: prompts[index],
        response: responses[index],
        decoding,
        parse: env.parse(decoding.text),
        judgement: env.judge(decoding.text),
      };
    });
  }
}
