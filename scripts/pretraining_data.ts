/**
 * What a small model is pretrained on: captions of frames of all tasks, questions about them, and texts to repeat.
 *
 * @module
 */
import {
  type Environment,
  type Info,
  makeEnv,
  type Observation,
  type Random,
  type ResetResult,
} from "../envs/mod.ts";
import { generate, type Picture, type Segment, type Tokenizer, type VlmConfig } from "../model/mod.ts";
import type { Agent } from "../rl/agent.ts";
import type { Demonstration } from "../rl/demonstrations.ts";
import { type ImageProcessor, readImageProcessor, tilesOf } from "../rl/pretrained/image_processor.ts";
import { ownForm } from "../rl/pretrained/own_form.ts";

/**
 * Tasks whose frames are shown, and how often: first, and later. NumberLine's upper number lies across two image tokens and is
 * learnt last.
 */
const TASKS: Readonly<Record<string, readonly [first: number, later: number]>> = {
  NumberLine: [3, 9],
  EZPoints: [6, 4],
  Points24: [1, 1],
  Blackjack: [1, 1],
  Household: [1, 1],
};
/** Share of the pretraining that comes before `later`. */
export const FIRST_SHARE = 0.65;
const CAPTION = "What do you see?";
const REPEAT = "Repeat: ";
/** Seeds of episodes: those below are learnt from, those above are held out. */
const LEARNT_SEEDS = 1_000_000;
/** Shares of texts to repeat and of captions; the rest are questions. */
const [REPEATED, CAPTIONS] = [0.2, 0.5];
/** Longest prompt beside the picture, and longest answer, in tokens. */
const LONGEST = 26;

/** What is asked of the model: what it sees, one thing about that, or to repeat a text that has nothing to do with it. */
export type Kind = "caption" | "question" | "repeat";

/** One thing to learn. */
export interface Example extends Demonstration {
  /** Task whose frame is shown. */
  readonly task: string;
  readonly kind: Kind;
}

/** Something to ask about a state, and the answer. */
interface Question {
  readonly ask: string;
  readonly answer: string;
}

/** What can be asked about the present state of a task beside its caption. */
function questionsOf(info: Readonly<Record<string, unknown>>): Question[] {
  const { current, target, numbers, playerSum } = info;
  return [
    ...current === undefined ? [] : [
      { ask: "What is the current number?", answer: `${current}` },
      { ask: "What is the target number?", answer: `${target}` },
      {
        ask: "Is the current number larger?",
        answer: Number(current) > Number(target)
          ? "greater"
          : Number(current) < Number(target)
          ? "less"
          : "equal",
      },
    ],
    ...Array.isArray(numbers)
      ? numbers.map((number, i) => ({ ask: `Which number has card ${i + 1}?`, answer: `${number}` }))
      : [],
    ...playerSum === undefined ? [] : [{ ask: "What is the sum of the player?", answer: `${playerSum}` }],
  ];
}

const QUESTIONS = [
  "What is the current number?",
  "What is the target number?",
  "Is the current number larger?",
  ...[1, 2, 3, 4].map((card) => `Which number has card ${card}?`),
  "What is the sum of the player?",
];
const ANSWERS = ["greater", "less", "equal", ...Array.from({ length: 31 }, (_, i) => `${i}`)];

/** What to draw. */
export interface DrawSettings {
  /** Which episodes: those that are learnt from when absent. */
  readonly part?: "learnt" | "held-out";
  /** Is the first part of the pretraining over? False when absent. */
  readonly isLater?: boolean;
}

/** Draws examples over all tasks. */
export class PretrainingData {
  readonly #tokenizer: Tokenizer;
  readonly #processor: ImageProcessor;
  readonly #tickets: readonly (readonly Environment[])[];
  readonly #pictures = new WeakMap<Uint8Array, Picture>();

  /** Makes the data of a model, whose pictures are those that its folder's image processor makes. */
  constructor(config: VlmConfig, tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
    const processor = JSON.parse(ownForm(config, tokenizer)["preprocessor_config.json"]);
    this.#processor = readImageProcessor(processor, config.imageSize, false);
    const shares = Object.entries(TASKS).map(([name, shares]) => ({ env: makeEnv(name), shares }));
    this.#tickets = [0, 1].map((stage) =>
      shares.flatMap(({ env, shares }) => Array<Environment>(shares[stage]).fill(env))
    );
  }

  /** Pieces that the tokenizer should hold as one token each. */
  static get pieces(): string[] {
    const tokens = Object.keys(TASKS).flatMap((name) => makeEnv(name).tokens);
    return [...tokens, CAPTION, REPEAT, ...QUESTIONS, ...ANSWERS];
  }

  /** Draws an example. Those that are held out have episodes of their own. */
  draw(random: Random, { part = "learnt", isLater = false }: DrawSettings = {}): Example {
    const tickets = this.#tickets[Number(isLater)];
    while (true) {
      const env = tickets[random.integer(tickets.length)];
      const begin = () => begun(env, part === "learnt" ? 0 : LEARNT_SEEDS, random);
      begin();
      const foreign = env.demonstrate!(random, { cot: true });
      const { info, observation } = begin();
      const { kind, ask, answer } = this.#asked(env, info, foreign, random);
      const response = [...answer, this.#tokenizer.endId];
      const ids = this.#tokenizer.encode(ask).ids;
      if (ids.length > LONGEST || response.length > LONGEST) continue;
      const prompt: Segment[] = [
        { kind: "image", picture: this.#pictureOf(observation) },
        { kind: "text", ids },
      ];
      return { task: env.name, kind, prompt, response, discountedReturn: 0 };
    }
  }

  #asked(
    env: Environment,
    info: Info,
    foreign: string,
    random: Random,
  ): { readonly kind: Kind; readonly ask: string; readonly answer: readonly number[] } {
    const draw = random.float();
    if (draw < REPEATED) {
      return { kind: "repeat", ask: REPEAT + foreign, answer: this.#tokenizer.encode(foreign).ids };
    }
    // Often behind the task, so that places in the prompt differ.
    const before = random.chance(0.5) ? env.prompt(info, { cot: true }) : "";
    const questions = questionsOf(info);
    if (draw < REPEATED + CAPTIONS || questions.length === 0) {
      return { kind: "caption", ask: before + CAPTION, answer: this.#caption(env, random) };
    }
    const { ask, answer } = questions[random.integer(questions.length)];
    return { kind: "question", ask: before + ask, answer: this.#tokenizer.encode(answer).ids };
  }

  /** What is seen, in the words of the task: what a demonstration says before it thinks, or else before it acts. */
  #caption(env: Environment, random: Random): readonly number[] {
    const bias = Object.fromEntries(Object.keys(env.bias ?? {}).map((kind) => [kind, 0]));
    const text = env.demonstrate!(random, { cot: true, bias });
    const thoughts = text.indexOf('"thoughts"');
    const end = thoughts > 1 ? thoughts : text.indexOf('"action"');
    const { ids, ends } = this.#tokenizer.encode(text);
    return ids.slice(0, ends.findIndex((each) => each > end));
  }

  #pictureOf(observation: Observation): Picture {
    let picture = this.#pictures.get(observation.data);
    if (picture === undefined) {
      [picture] = tilesOf(observation, this.#processor).pictures;
      this.#pictures.set(observation.data, picture);
    }
    return picture;
  }
}

/** A state of an episode that goes on, after up to four actions: the solver's with its mistakes, or random ones. */
function begun(
  env: Environment,
  firstSeed: number,
  random: Random,
): Pick<ResetResult<Info>, "info" | "observation"> {
  while (true) {
    let state = env.reset({ seed: firstSeed + random.integer(LEARNT_SEEDS) });
    let isOver = false;
    for (let steps = random.integer(5); steps > 0 && !isOver; steps--) {
      const shown = random.chance(0.7) ? env.parse(env.demonstrate!(random, { cot: false })).action : null;
      const result = env.step(shown ?? env.randomAction());
      state = result;
      isOver = result.terminated || result.truncated;
    }
    if (!isOver) return state;
  }
}

/** Asks a model examples. Returns the share that it answers to the letter, greedily, by task and kind. */
export async function shareRight(
  { vlm, tokenizer: { endId, padId } }: Agent,
  examples: readonly Example[],
): Promise<Record<string, number>> {
  const rights = new Map<string, boolean[]>();
  for (const each of [...Map.groupBy(examples, ({ kind }) => kind).values()]) {
    const responses = await generate(vlm, each.map(({ prompt }) => prompt), {
      maxNewTokens: each.reduce((most, { response }) => Math.max(most, response.length), 1),
      temperature: 1,
      greedy: true,
      endId,
      padId,
      random: new Uint32Array(2 * each.length),
    });
    each.forEach(({ task, kind, response }, i) => {
      const isRight = JSON.stringify(responses[i].ids) === JSON.stringify(response);
      const key = `${task} ${kind}`;
      rights.set(key, [...rights.get(key) ?? [], isRight]);
    });
  }
  const share = (each: boolean[]) => each.filter((isRight) => isRight).length / each.length;
  return Object.fromEntries([...rights].sort().map(([key, each]) => [key, share(each)]));
}
