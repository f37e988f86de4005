/**
 * The agent: a vision-language model with its tokenizer. It sees a state, writes a response, and the action is read from that.
 *
 * @module
 */
import {
  createTolerantParser,
  type Environment,
  NO_JUDGEMENT,
  type Observation,
  type Parse,
} from "../envs/mod.ts";
import { type Gpu, requireFinite } from "../kernels/gpu/mod.ts";
import {
  type Decoding,
  generate,
  type Layout,
  modelPresets,
  type Parameters,
  promptLength,
  quote,
  type Response,
  type Segment,
  type Sequence,
  Tape,
  type Tokenizer,
  type Vlm,
} from "../model/mod.ts";
import { act, type Scene } from "./act.ts";
import {
  boolean,
  type BooleanSetting,
  choice,
  type ChoiceSetting,
  integer,
  number,
  type NumberSetting,
} from "./cli/mod.ts";
import { modelPicture } from "./image.ts";
import { Prompts, type Talk } from "./pretrained/talk.ts";
import type {
  Act,
  ActSettings,
  Decision,
  ForwardSettings,
  Outputs,
  Policy,
  RespondSettings,
  Sampling,
  Situation,
} from "./policy.ts";

export type { Act, ActSettings, Decision, RespondSettings, Sampling, Situation } from "./policy.ts";

/** How the action is found in a response: by the environment's own rule, or by `createTolerantParser`. */
export type Parsing = "published" | "tolerant";

/** Settings of the model and of how it writes. */
export const agentOptions = {
  preset: choice(
    "nano",
    Object.keys(modelPresets) as (keyof typeof modelPresets)[],
    "size of the model",
  ) as ChoiceSetting<keyof typeof modelPresets>,
  cot: boolean(true, "write a chain of thought before the action") as BooleanSetting,
  temperature: number(0.4, "divides the logits in rollouts, updates and sampled evaluation", {
    min: 0.01,
    max: 10,
  }) as NumberSetting,
  maxNewTokens: integer(14, "longest response; in an environment of your own as its demonstrations need", {
    min: 1,
    unit: "tokens",
  }) as NumberSetting,
  parse: choice(
    "published",
    ["published", "tolerant"],
    "how the action is found in the text: by the published rule, or as a reader would take it",
  ) as ChoiceSetting<Parsing>,
};

/** Number of prompts whose values are computed in one batch. */
const VALUE_BATCH = 32;

/** How an agent writes if nobody says otherwise: the defaults of a run. */
export const DEFAULT_SAMPLING: Sampling = {
  temperature: agentOptions.temperature.default,
  maxNewTokens: agentOptions.maxNewTokens.default,
};

/** Settings of an agent beside its model and tokenizer. */
export interface AgentSettings {
  /** Does it write a thought before the action? */
  readonly cot: boolean;
  /** How it writes when it acts; a run's defaults when absent. */
  readonly sampling?: Sampling;
  /** Names of the actions that it was trained with; none when absent. */
  readonly actions?: readonly string[];
  /** How its actions are found in what it writes; by the published rule when absent. */
  readonly parsing?: Parsing;
  /** The pretrained model that it is, or began as; none when absent. */
  readonly base?: AgentBase | null;
}

/** The pretrained model that an agent began as. */
export interface AgentBase {
  /** Its folder. */
  readonly folder: string;
  /** The folder's fingerprint. */
  readonly digest: string;
  /** How it is talked to. */
  readonly talk: Talk;
}

/**
 * A policy that writes: a vision-language model with its tokenizer. It may write a thought before the action.
 *
 * @example An untrained agent acts, on noise
 * ```ts
 * import { Agent, buildTokenizer, makeEnv, modelPresets, openGpu, Tokenizer, Vlm } from "../mod.ts";
 *
 * const gpu = await openGpu();
 * const env = makeEnv("NumberLine");
 * const tokenizer = Tokenizer.fromJson(buildTokenizer(env.tokens));
 * const vlm = new Vlm(gpu, { ...modelPresets.nano, vocabularySize: tokenizer.vocabularySize });
 * vlm.parameters.initialize(0);
 * const agent = new Agent(vlm, tokenizer, { cot: true });
 * env.reset({ seed: 7 });
 * const { decoding, action } = await agent.act(env);
 * console.log(decoding.text, action); // noise, and most likely null
 * gpu.destroy();
 * ```
 */
export class Agent implements Policy<Layout> {
  /** The model. */
  readonly vlm: Vlm;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  readonly cot: boolean;
  readonly sampling: Sampling;
  readonly actions: readonly string[];
  readonly sharesFeatures = false;
  /** How its actions are found in what it writes. */
  readonly parsing: Parsing;
  /** The pretrained model that it began as; null if it was made here. */
  readonly base: AgentBase | null;
  readonly #prompts: Prompts | null;
  readonly #parsers = new WeakMap<readonly string[], (text: string) => Parse>();
  readonly #promptIds = new Map<string, number[]>();

  /** Makes an agent of a model and a tokenizer. `settings` say how it writes and name its actions. */
  constructor(vlm: Vlm, tokenizer: Tokenizer, settings: AgentSettings) {
    const { cot, sampling = DEFAULT_SAMPLING, actions = [], parsing = "published", base = null } = settings;
    this.vlm = vlm;
    this.tokenizer = tokenizer;
    this.cot = cot;
    this.sampling = sampling;
    this.actions = actions;
    this.parsing = parsing;
    this.base = base;
    this.#prompts = base === null ? null : new Prompts(base.talk, vlm.config);
  }

  /** The GPU that it runs on. */
  get gpu(): Gpu {
    return this.vlm.gpu;
  }

  /** Its weights. */
  get parameters(): Parameters {
    return this.vlm.parameters;
  }

  act(env: Environment, settings?: ActSettings): Promise<Act>;
  act(picture: Observation | Uint8Array, prompt: string, settings?: ActSettings): Promise<Act>;
  act(scene: Scene, ...rest: [(string | ActSettings)?, ActSettings?]): Promise<Act> {
    const [prompt] = rest;
    if (typeof prompt === "string" && !this.tokenizer.covers(prompt)) {
      const unknown = Array.from(prompt).find((character) => !this.tokenizer.covers(character));
      return Promise.reject(
        new RangeError(
          `Cannot read the prompt: the tokenizer has no ${quote(unknown ?? prompt)}, word it as in training`,
        ),
      );
    }
    return act(this, scene, ...rest);
  }

  withThought(): Agent {
    const { vlm, tokenizer, sampling, actions, parsing, base } = this;
    return new Agent(vlm, tokenizer, { cot: true, sampling, actions, parsing, base });
  }

  /** The prompt of a state: its picture, then the task description; in the form of a pretrained model, if it is one. */
  promptOf({ env, info, observation }: Situation): Segment[] {
    const text = env.prompt(info, { cot: this.cot });
    if (this.#prompts !== null) return this.#prompts.of(observation, text);
    let ids = this.#promptIds.get(text);
    if (ids === undefined) {
      ids = this.tokenizer.encode(text).ids;
      // Most tasks have few prompts, which need not be encoded at every step. Prompts that quote the state may be many.
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
    return situations.map((situation, index) => this.decide(situation, prompts[index], responses[index]));
  }

  decide({ env }: Situation, prompt: readonly Segment[], response: Response): Decision {
    const decoding = this.decode(response.ids);
    return {
      prompt,
      response,
      decoding,
      parse: this.#parse(env, decoding.text),
      judgement: env.judge?.(decoding.text) ?? NO_JUDGEMENT,
    };
  }

  #parse(env: Environment, text: string): Parse {
    if (this.parsing === "published") return env.parse(text);
    let parse = this.#parsers.get(env.actions);
    if (parse === undefined) this.#parsers.set(env.actions, parse = createTolerantParser(env.actions));
    return parse(text);
  }

  async values(prompts: readonly (readonly Segment[])[]): Promise<Float32Array> {
    if (prompts.length === 0) return new Float32Array(0);
    const { vlm } = this;
    // Padded to whole batches: the number of prompts then does not make a new shape each time.
    const padded = [...prompts];
    while (padded.length % VALUE_BATCH !== 0) padded.push(prompts[0]);
    const sequences = padded.map((prompt) => ({ prompt, response: [] }));
    await vlm.look(sequences);
    const layout = vlm.layOut(sequences);
    using tape = new Tape(vlm.gpu, { record: false });
    const [values] = await vlm.gpu.read(vlm.values(tape, vlm.hidden(tape, layout), layout).data);
    requireFinite("estimate values", values, (b) => `the value of prompt ${b}`);
    return values;
  }

  encode(_env: Environment, text: string): number[] {
    return [...this.tokenizer.encode(text).ids, this.tokenizer.endId];
  }

  decode(response: readonly number[]): Decoding {
    const { tokenizer } = this;
    // An embedding may have rows to spare, which stand for no token and write nothing.
    const known = (id: number) => id < tokenizer.vocabularySize ? id : tokenizer.padId;
    return tokenizer.decodeWithOffsets(this.base === null ? response : response.map(known));
  }

  nameOf(id: number): string {
    return id === this.tokenizer.endId ? "" : this.tokenizer.tokenOf(id) ?? `${id}`;
  }

  positionsOf({ prompt, response }: Sequence): number {
    return promptLength(prompt, this.vlm.config) + response.length;
  }

  look(sequences: readonly Pick<Sequence, "prompt">[]): Promise<void> {
    return this.vlm.look(sequences);
  }

  batch(sequences: readonly Sequence[]): Layout {
    return this.vlm.layOut(sequences);
  }

  forward(tape: Tape, layout: Layout, settings: ForwardSettings): Outputs {
    const { vlm } = this;
    const hidden = vlm.hidden(tape, layout); // (B max(R, 1), C), at the positions that predict the response
    const { logprob, entropy } = vlm.responseLogprobs(tape, hidden, layout, settings.temperature); // (B, R)
    if (settings.values === "none") return { logprob, entropy, values: null };
    const features = settings.valuesReachModel ? hidden : tape.detach(hidden);
    const values = settings.values === "turn"
      ? vlm.values(tape, features, layout) // (B)
      : vlm.tokenValues(tape, features, layout); // (B, R)
    return { logprob, entropy, values };
  }
}
