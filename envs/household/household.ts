/**
 * Household: a small ALFWorld. Find things in a room, treat them, and put them where they belong.
 *
 * | | |
 * |---|---|
 * | tasks | ALFWorld's six: put, look at in light, put clean, put hot, put cool, put two |
 * | actions | every command of the vocabulary; `info.admissible` and `legalActions()` say which ones work here |
 * | observation | 300 x 300 RGB: task, hand, receptacle, its contents and the room, in icons and words |
 * | state | one room of 7 to 11 receptacles, 5 to 10 objects; what is behind closed doors is not shown |
 * | start | task kind, room, task and places uniform over what the options leave |
 * | reward | 50 on reaching the goal, plus the share of goal conditions met, less 1 for an illegal action |
 * | end | terminated at the goal; truncated after 50 steps |
 * | info | `task`, `kind`, `room`, `split`, `scene`, `admissible`, `location`, `inventory`, `goalConditionRate`, `goalReached` |
 *
 * An action is illegal if it is not admissible; nothing happens then. It is also illegal if `randomAction` gave it in place of
 * a text without a command. The share of conditions is paid at every step. A return above 0 therefore does not mean success;
 * `goalReached` does.
 *
 * Sources: ALFWorld (Shridhar et al. 2021) for rules and wording, with a smaller vocabulary and drawn views instead of a
 * simulator's. RL4VLM for the reward, the parsing and the prompt, whose scene is plain text here and no Python list.
 */

import { defineEnvironment, type EnvironmentDefinition } from "../definition.ts";
import { resolveBias } from "../shared/bias.ts";
import { checkBegun, checkOptionNames, checkRunning, type Phase, show } from "../shared/checks.ts";
import {
  drawDeal,
  type Room,
  ROOMS,
  type Split,
  SPLITS,
  type Task,
  TASK_KINDS,
  type TaskKind,
} from "./rooms.ts";
import { parseCommand } from "./parse.ts";
import { shortestPlan } from "./plan.ts";
import {
  decide,
  decideHastily,
  decideWrongly,
  isFaithful,
  misread,
  perception,
  sightOf,
  writeResponse,
} from "./thought.ts";
import { listTokens, writePrompt } from "./prompt.ts";
import { drawWorld } from "./view.ts";
import { COMMANDS, NONE, OBJECT_KINDS, OBJECTS, RECEPTACLE_KINDS, RECEPTACLES } from "./vocabulary.ts";
import { NOTHING_HAPPENS, World } from "./world.ts";
import { checkSeed, Random } from "../shared/random.ts";
import type {
  DemonstrationSettings,
  Environment,
  Info,
  Judgement,
  Observation,
  Parse,
  PromptSettings,
  ResetResult,
  ResetSettings,
  SolvedEnvironment,
  StepResult,
} from "../types.ts";

export { type Split, SPLITS, TASK_KINDS, type TaskKind } from "./rooms.ts";

/** What the prompt says beside the task: the scene and the admissible commands, or nothing. */
export const HOUSEHOLD_MODES = ["text-and-image", "image-only"] as const;
/** What the model is shown of a room: see `HouseholdSettings.mode`. */
export type HouseholdMode = typeof HOUSEHOLD_MODES[number];

/** Settings of {@linkcode Household}. */
export interface HouseholdSettings {
  /** Seed of the streams until `reset` is given one; 0 by default. */
  readonly seed?: number;
  /** "text-and-image" by default. */
  readonly mode?: HouseholdMode;
  /** Rooms of a `reset` without this option; "seen" by default. */
  readonly split?: Split;
}

/** What is known about a state beside its picture. */
export interface HouseholdInfo extends Info {
  /** The task in words. */
  readonly task: string;
  /** What kind of task it is. */
  readonly kind: TaskKind;
  /** The room that the agent is in. */
  readonly room: string;
  /** Which rooms episodes are drawn from. */
  readonly split: Split;
  /** What was said to the last command, or the room's description. */
  readonly scene: string;
  /** The commands that work here, in the order of `actions`. */
  readonly admissible: readonly string[];
  /** The receptacle that the agent is at; null in the middle of the room. */
  readonly location: string | null;
  /** The object in hand; null if there is none. */
  readonly inventory: string | null;
  /** Share of the goal conditions that are met. */
  readonly goalConditionRate: number;
}

/** Mistakes of the scripted agent. */
export type HouseholdBias = {
  /** Location, contents and hand are misread, each independently. The plan follows the misreading. */
  readonly misread: number;
  /** The agent hurries: it passes closed doors in a search, and puts things away untreated. */
  readonly haste: number;
  /** Plan and action do not follow from what is seen. */
  readonly plan: number;
  /** The action is a random admissible command, whatever was planned. */
  readonly action: number;
};

/** Steps after which an episode is truncated. */
const STEP_LIMIT = 50;
const WON_REWARD = 50;
const ILLEGAL_PENALTY = 1;

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  split: SPLITS,
  kind: TASK_KINDS,
  room: ROOMS.map(({ name }) => name),
  object: OBJECT_KINDS,
  target: RECEPTACLE_KINDS,
};

interface Episode {
  readonly world: World;
  readonly task: Task;
  readonly room: Room;
  /** What was said last. */
  scene: string;
  /** Ascending. */
  admissible: readonly number[];
  steps: number;
  phase: Phase;
}

/**
 * See the table at the top of the file. Throws `RangeError` on an illegal setting.
 *
 * @example The solver's plan, step by step
 * ```ts
 * import { makeEnv } from "@ponder/ponder/envs";
 *
 * const env = makeEnv("Household");
 * const { info } = env.reset({ seed: 3 });
 * console.log(info.task);
 * for (let isOver = false; !isOver;) {
 *   const action = env.solve();
 *   console.log(env.actions[action]);
 *   const { terminated, truncated } = env.step(action);
 *   isOver = terminated || truncated;
 * }
 * ```
 */
export class Household implements Omit<Environment<HouseholdInfo>, "current"> {
  /** Short name. */
  readonly name = "Household";
  /** Name in the suite that published it. */
  readonly id = "alfworld/Household-v0";
  /** What the agent may write. */
  readonly actions: readonly string[] = COMMANDS.map(({ text }) => text);
  /** Pieces that a compact tokenizer should hold as one token each. */
  readonly tokens: readonly string[] = listTokens();
  /** Reaching the goal counts, since rewards are paid on the way as well. */
  readonly success = "goal";
  /** The scripted solver's default mistakes. */
  readonly bias: HouseholdBias = { misread: 0, haste: 0.65, plan: 0.03, action: 0.05 };
  /** What the model is shown. */
  readonly mode: HouseholdMode;
  /** Which rooms episodes are drawn from. */
  readonly split: Split;

  #deals: Random;
  #fallback: Random;
  #episode: Episode | undefined;
  /** The action that `randomAction` last gave, until the next step or episode. */
  #standIn: number | undefined;

  /** Throws `RangeError` on an illegal setting. */
  constructor({ seed = 0, mode = "text-and-image", split = "seen" }: HouseholdSettings = {}) {
    checkChoice("make", "mode", mode, HOUSEHOLD_MODES);
    checkChoice("make", "split", split, SPLITS);
    this.mode = mode;
    this.split = split;
    this.#deals = new Random(seed, "deals");
    this.#fallback = new Random(seed, "fallback");
  }

  /**
   * Begins an episode. Options are `split` ("seen", "unseen"), `kind` (a task kind), `room` ("kitchen 1"; overrides `split`),
   * `object` and `target` (kinds of the task's object and receptacle). Options that are left out are drawn.
   */
  reset({ seed, options = {} }: ResetSettings = {}): ResetResult<HouseholdInfo> {
    checkOptionNames(this.name, options, Object.keys(CHOICES));
    for (const [name, value] of Object.entries(options)) {
      if (value !== undefined) checkChoice("reset", name, value, CHOICES[name]);
    }
    if (seed !== undefined) checkSeed(seed);
    const deals = seed === undefined ? this.#deals : new Random(seed, "deals");
    const deal = drawDeal(deals, { ...options, split: (options.split ?? this.split) as Split });
    if (deal === null) {
      throw new RangeError(
        `Cannot reset Household: no task fits ${JSON.stringify(options)}, leave one of the options out`,
      );
    }
    this.#deals = deals;
    if (seed !== undefined) this.#fallback = new Random(seed, "fallback");
    const world = new World(deal);
    this.#episode = {
      world,
      task: deal.task,
      room: deal.room,
      scene: world.look(),
      admissible: world.admissible(),
      steps: 0,
      phase: "running",
    };
    this.#standIn = undefined;
    return this.#show(this.#episode);
  }

  /** See `Environment.step`. */
  step(action: number): StepResult<HouseholdInfo> {
    const episode = this.#running("step");
    if (!Number.isInteger(action) || action < 0 || action >= COMMANDS.length) {
      throw new RangeError(
        `Cannot step Household: action is ${action}, use an integer from 0 to ${COMMANDS.length - 1}`,
      );
    }
    const isAdmissible = episode.admissible.includes(action);
    const isIllegal = !isAdmissible || action === this.#standIn;
    this.#standIn = undefined;
    episode.scene = isAdmissible ? episode.world.apply(action) : NOTHING_HAPPENS;
    if (isAdmissible) episode.admissible = episode.world.admissible();
    episode.steps++;
    const [met, total] = episode.world.goalConditions();
    const terminated = met === total;
    const truncated = !terminated && episode.steps >= STEP_LIMIT;
    if (terminated || truncated) episode.phase = "ended";
    const reward = (terminated ? WON_REWARD : 0) + met / total - (isIllegal ? ILLEGAL_PENALTY : 0);
    return Object.assign(this.#show(episode), { reward, terminated, truncated });
  }

  /** The commands that work in the current state, ascending. Throws `Error` when no episode is under way. */
  legalActions(): readonly number[] {
    return this.#running("list the actions of").admissible;
  }

  /** Draws an admissible command in place of a text without one. If the next step takes it, that step counts as illegal. */
  randomAction(): number {
    const { admissible } = this.#running("draw an action of");
    return this.#standIn = admissible[this.#fallback.integer(admissible.length)];
  }

  /** Names task, room, and the place and condition of everything, also behind closed doors. The last message is left out. */
  stateKey(): string {
    checkBegun(this.#episode?.phase ?? "before the first reset", this.name);
    return this.#episode!.world.key();
  }

  /** See `Environment.prompt`. */
  prompt(info: HouseholdInfo, { cot }: PromptSettings): string {
    return writePrompt(info, { cot, showsText: this.mode === "text-and-image" });
  }

  /** Finds the action, given what is admissible in the current state: see `parseCommand`. */
  readonly parse = (text: string): Parse => parseCommand(text, this.#episode?.admissible ?? []);

  /**
   * The best action without memory and without knowing what is hidden: a search in a fixed order. It does every task within the
   * step limit. `shortestPlan` needs fewer steps, since it knows everything.
   */
  solve(): number {
    const { world, task, room } = this.#running("solve");
    return decide(task, room, sightOf(world)).command;
  }

  /** Actions that reach the goal in the fewest steps, if the place of everything is known. */
  shortestPlan(): readonly number[] {
    return shortestPlan(this.#running("plan for").world);
  }

  /** Writes the scripted agent's response. The agent knows only what the picture shows. */
  demonstrate(random: Random, { cot, bias: overrides }: DemonstrationSettings): string {
    const { world, task, room, admissible } = this.#running("demonstrate");
    const bias = resolveBias(this.bias, overrides);
    const sight = misread(task, room, sightOf(world), bias.misread, random);
    let decision = random.chance(bias.haste) ? decideHastily(task, room, sight) : decide(task, room, sight);
    if (random.chance(bias.plan)) decision = decideWrongly(task, room, sight, random);
    if (random.chance(bias.action)) {
      decision = { ...decision, command: admissible[random.integer(admissible.length)] };
    }
    return writeResponse(task, sight, decision, { cot });
  }

  /** See `Environment.judge`. */
  judge(text: string): Judgement {
    const { world, task, room } = this.#running("judge a response to");
    const read = perception(text, task, sightOf(world));
    return {
      perception: read,
      faithful: read === null ? null : isFaithful(text, task, room, this.parse(text).action),
    };
  }

  #running(verb: string): Episode {
    checkRunning(this.#episode?.phase ?? "before the first reset", verb, this.name);
    return this.#episode!;
  }

  #show({ world, task, room, scene, admissible }: Episode): ResetResult<HouseholdInfo> {
    const [met, total] = world.goalConditions();
    const shown = world.clone();
    let drawn: Observation | undefined;
    return {
      info: {
        task: task.text,
        kind: task.kind,
        room: room.name,
        split: room.split,
        scene,
        admissible: admissible.map((index) => COMMANDS[index].text),
        location: world.location === NONE ? null : RECEPTACLES[world.location],
        inventory: world.held === NONE ? null : OBJECTS[world.held],
        goalConditionRate: met / total,
        goalReached: met === total,
      },
      get observation(): Observation {
        return drawn ??= drawWorld(shown);
      },
    };
  }
}

function checkChoice(verb: string, name: string, value: unknown, choices: readonly string[]): void {
  if (typeof value === "string" && choices.includes(value)) return;
  throw new RangeError(
    `Cannot ${verb} Household: ${name} is ${show(value)}, use one of ${choices.join(", ")}`,
  );
}

/** The definition. Its settings are those of the class above. */
export const household: EnvironmentDefinition<SolvedEnvironment> = defineEnvironment({
  name: "Household",
  id: "alfworld/Household-v0",
  settings: {
    mode: "text-and-image, or image-only: no scene and no commands in the prompt; text-and-image by default",
    split: "rooms, seen or unseen; seen by default",
  },
  ceiling: () => 1,
  make: (settings: HouseholdSettings) => new Household(settings),
});
