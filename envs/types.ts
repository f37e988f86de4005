/** The environment contract. The words (observation, reward, terminated, truncated, info) mean what they mean in Gymnasium. */

import type { Random } from "./shared/random.ts";

/**
 * An RGB picture, row-major, with 3 bytes for each pixel: `data[(y * width + x) * 3 + channel]`.
 *
 * Equal states may share one observation object (see `frame.ts`). Treat `data` as read-only: the object is frozen, but JavaScript
 * cannot freeze the elements of a typed array.
 */
export interface Observation {
  /** Pixels a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** (height, width, 3) bytes, RGB. */
  readonly data: Uint8Array;
}

/** What the environment knows about a state beside its picture. Never shown to the model, except through the prompt. */
export interface Info {
  /** True once the task's goal has been reached in this episode; stricter measures look at the return as well. */
  readonly goalReached: boolean;
  /** Anything else that the environment says. */
  readonly [field: string]: unknown;
}

/** What `reset` returns. `observation` is drawn when it is first read: leaving it alone costs nothing. */
export interface ResetResult<I extends Info = Info> {
  /** The picture of the state. */
  readonly observation: Observation;
  /** What is known about the state beside its picture. */
  readonly info: I;
}

/** What `step` returns. `terminated`: the rules ended the episode; `truncated`: the step limit did. Never both. */
export interface StepResult<I extends Info = Info> extends ResetResult<I> {
  /** What the step earned. */
  readonly reward: number;
  /** Whether the rules ended the episode. */
  readonly terminated: boolean;
  /** Whether the step limit ended the episode. */
  readonly truncated: boolean;
}

/** How an episode begins. */
export interface ResetSettings {
  /** Restarts the environment's random streams. Without it the episode is the next one of the current streams. */
  readonly seed?: number;
  /** Pins the deal; each environment lists its keys. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/**
 * An action found in a text. `text.slice(start, end)` is the action as written, in UTF-16 code units. If no action was found,
 * `action` is null, and `start` and `end` are -1.
 */
export interface Parse {
  /** Index of the action; null when none was found. */
  readonly action: number | null;
  /** Its beginning in the text; -1 when none was found. */
  readonly start: number;
  /** Its end, exclusive; -1 when none was found. */
  readonly end: number;
  /** Where the key before the action begins, if the parser says it; else it is the published key, `"action":`. */
  readonly key?: number;
}

/** What the prompt asks for. */
export interface PromptSettings {
  /** True: ask for the chain of thought before the action; false: for the action alone. */
  readonly cot: boolean;
}

/** Probabilities in [0, 1] of the scripted solver's mistakes, by kind; each environment lists its kinds. */
export type Bias = Readonly<Record<string, number>>;

/** How the scripted solver demonstrates. */
export interface DemonstrationSettings extends PromptSettings {
  /** Overrides entries of the environment's default bias. */
  readonly bias?: Bias;
}

/** How good a response is as a text, whatever its action earns. */
export interface Judgement {
  /** Share of the picture's fields that are stated correctly, in [0, 1]; null if the text states no field (action only). */
  readonly perception: number | null;
  /** Does each stated step follow from the one before, and the action from the last? Null if the text states no thought. */
  readonly faithful: boolean | null;
}

/** The judgement if nothing was judged: the environment has no judge, or the text states nothing. */
export const NO_JUDGEMENT: Judgement = Object.freeze({ perception: null, faithful: null });

/** How action values count what comes later. */
export interface ActionValueSettings {
  /** What a reward one step later is worth, in [0, 1]; 1 when absent. */
  readonly discount?: number;
}

/**
 * A task that shows a picture and a prompt and takes one of a few actions.
 *
 * Only some uses need the optional parts. The warm start needs `solve` and `demonstrate`, the measure of perception needs `judge`,
 * and the comparison with exact values needs `actionValues`. `defineEnvironment` fills in other parts that a definition leaves out.
 */
export interface Environment<I extends Info = Info> {
  /** Short name, as in run folders: `NumberLine`. */
  readonly name: string;
  /** Name in the suite that published it: `gym_cards/NumberLine-v0`. */
  readonly id?: string;
  /** What the agent may write; an action is an index into this list. */
  readonly actions: readonly string[];
  /** Pieces that a compact tokenizer should hold as one token each: greedy longest match covers prompts and demonstrations. */
  readonly tokens: readonly string[];
  /** The scripted solver's default mistakes; absent if there is no `demonstrate`. */
  readonly bias?: Bias;
  /**
   * What counts as success. `return`, the default, is a return above 0, as published for the card games. `goal` is for environments
   * that also pay rewards on the way to it.
   */
  readonly success?: "return" | "goal";

  /**
   * Begins an episode; the same seed gives the same episode. Throws `RangeError` on an illegal seed or option and then
   * leaves the episode as it was.
   */
  reset(settings?: ResetSettings): ResetResult<I>;
  /** Applies an action. Throws `RangeError` on an illegal index and `Error` when no episode is under way. */
  step(action: number): StepResult<I>;
  /**
   * Draws a legal action from the environment's own seeded stream, in place of a text without one. It is an action like any other:
   * its reward may be a penalty.
   */
  randomAction(): number;
  /** The actions that can be carried out in the current state, ascending; all of them if this is absent. */
  legalActions?(): readonly number[];
  /**
   * Names the current state. Two states have equal keys exactly if the same actions lead to the same rewards and states, with the
   * same chances. The number of steps left before the limit is no part of the state. Throws `Error` before the first reset.
   */
  stateKey(): string;
  /**
   * Returns what the last `reset` or `step` returned. Its picture is drawn only if it is read. A reset or step that failed changes
   * nothing. Throws `Error` before the first reset.
   */
  current(): ResetResult<I>;
  /**
   * Computes the exact value of each action in the current state. It is the expected discounted return of taking the action and
   * then playing for the most return, without a step limit. Throws `Error` when no episode is under way.
   */
  actionValues?(settings?: ActionValueSettings): readonly number[];

  /** The task prompt of the state that `info` describes. */
  prompt(info: I, settings: PromptSettings): string;
  /** Finds the action in a response, as the published projection does; what it finds may depend on the current state. */
  parse(text: string): Parse;

  /** An optimal action for the current state. Throws `Error` when no episode is under way. */
  solve?(): number;
  /** A scripted solver's response for the current state, with its mistakes drawn from `random`. */
  demonstrate?(random: Random, settings: DemonstrationSettings): string;
  /** Compares a response with the current state: call it before `step`. */
  judge?(text: string): Judgement;
}

/** An environment with all optional parts except `legalActions` and `actionValues`, like those that come with ponder. */
export type SolvedEnvironment<I extends Info = Info> =
  & Environment<I>
  & Required<Pick<Environment<I>, "id" | "bias" | "solve" | "demonstrate" | "judge">>;
