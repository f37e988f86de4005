/**
 * What a state's picture shows, what to do about it, and the words for both.
 *
 * The strategy needs no memory. It searches receptacle after receptacle in a fixed order and opens what is closed. When
 * it has what it looks for, it does the next thing that the task still needs. A policy that sees one state at a time can
 * therefore learn it.
 */

import type { Random } from "../shared/random.ts";
import { ACTION_KEY, ACTION_ONLY_KEY, CLOSE } from "../shared/response.ts";
import { holdsLamps, type Room, type Task, TREATMENT_OF } from "./rooms.ts";
import {
  canTreat,
  commandIndex,
  COMMANDS,
  firstOf,
  LAMP,
  LAMP_NAME,
  NONE,
  objectKind,
  OBJECTS,
  objectsOf,
  OPENABLE,
  RECEPTACLES,
  thingName,
  type Treatment,
  TREATMENTS,
} from "./vocabulary.ts";
import { type Condition, isTreated, treat, type World } from "./world.ts";

/** A state as the agent sees it, or believes that it sees it. */
export interface Sight {
  readonly location: number;
  /** The receptacle here has a closed door. */
  readonly isClosed: boolean;
  /** Things of the sought kind in sight: the task's object, or the lamp once that object is in hand to be looked at. */
  readonly seen: readonly number[];
  readonly held: number;
  /** Condition of the object in hand. */
  readonly condition: Condition;
}

/** The next command and its purpose. */
export interface Decision {
  /** Goes on from "I". */
  readonly plan: string;
  readonly command: number;
}

/** Things the agent looks for when it holds `held`. */
const soughtThings = (task: Task, held: number): readonly number[] =>
  isForLight(task, held) ? [LAMP] : objectsOf(task.object);

const isWanted = (task: Task, held: number) => held !== NONE && objectKind(held) === task.object;
const isForLight = (task: Task, held: number) => task.kind === "look_at_obj_in_light" && isWanted(task, held);
const soughtKind = (task: Task, held: number) =>
  isForLight(task, held) ? LAMP_NAME.slice(0, -2) : task.object;

/** The sight of a state, without mistakes. */
export function sightOf(world: World): Sight {
  const { location, held, deal: { task } } = world;
  const sought = soughtThings(task, held);
  return {
    location,
    isClosed: location !== NONE && !world.isOpen(location),
    seen: world.visible().filter((thing) => sought.includes(thing)),
    held,
    condition: held === NONE ? { temperature: null, isClean: false } : world.conditionOf(held),
  };
}

/** The next thing to do, going by what is seen. */
export function decide(task: Task, room: Room, sight: Sight): Decision {
  const { location, isClosed, seen, held, condition } = sight;
  const goTo = (receptacle: number) => commandIndex("go to", NONE, receptacle);
  const open = () => commandIndex("open", NONE, location);
  if (held === NONE) {
    // With two objects to place, one that is already in its place stays there.
    const isPlaced = task.kind === "pick_two_obj_and_place" && location === firstOf(task.target!);
    if (seen.length > 0 && !isPlaced) {
      return { plan: "take it", command: commandIndex("take", seen[0], location) };
    }
    const plan = `look for ${soughtKind(task, held)}`;
    return { plan, command: isClosed ? open() : goTo(nextReceptacle(room, location)) };
  }
  if (!isWanted(task, held)) {
    const plan = "put it down";
    if (location === NONE) return { plan, command: goTo(nextReceptacle(room, location)) };
    return { plan, command: isClosed ? open() : commandIndex("put", held, location) };
  }
  if (task.target === null) {
    if (seen.includes(LAMP)) return { plan: "use the desklamp", command: commandIndex("use") };
    return { plan: "look for desklamp", command: goTo(nextReceptacle(room, location, holdsLamps)) };
  }
  const treatment = TREATMENT_OF[task.kind];
  if (treatment !== undefined && !isTreated(condition, treatment)) {
    const { appliance } = TREATMENTS[treatment];
    const isHere = location === appliance;
    return {
      plan: `${treatment} it`,
      command: isHere ? commandIndex(treatment, held, appliance) : goTo(appliance),
    };
  }
  const target = firstOf(task.target);
  const plan = `put it in ${task.target}`;
  if (location !== target) return { plan, command: goTo(target) };
  return { plan, command: isClosed ? open() : commandIndex("put", held, target) };
}

/** The receptacle of the room after `location` in the order of search, round and round. */
function nextReceptacle(
  room: Room,
  location: number,
  isSearched: (receptacle: number) => boolean = () => true,
) {
  const searched = room.receptacles.filter((receptacle) => receptacle !== location && isSearched(receptacle));
  return searched.find((receptacle) => receptacle > location) ?? searched[0];
}

const THOUGHTS_KEY = '{"thoughts": "I am ';
const MIDDLE = "in the middle of the room";

/** Pieces of responses, beside the names of things, that a tokenizer should hold as one token each. */
export const RESPONSE_TOKENS: readonly string[] = [
  ...[THOUGHTS_KEY + MIDDLE, THOUGHTS_KEY + "at ", " which is closed", " and see no ", " and see ", " and "],
  ...[". I hold ", "nothing", "hot ", "cold ", "clean ", ". I ", "look for ", "desklamp", "take it"],
  ...["use the desklamp", "put it down", "heat it", "cool it", "clean it", "put it in "],
  ...[ACTION_KEY, ACTION_ONLY_KEY, CLOSE],
  ...["go to ", "open ", "close ", "take ", " from ", "put ", " in/on ", "use ", "heat ", "cool "],
  ...[" with ", "inventory", "look", "examine "],
];

/** The response that states a sight and a plan and gives a command; without chain of thought, the command alone. */
export function writeResponse(
  task: Task,
  sight: Sight,
  { plan, command }: Decision,
  { cot }: { cot: boolean },
): string {
  const action = COMMANDS[command].text + CLOSE;
  if (!cot) return ACTION_ONLY_KEY + action;
  const { location, isClosed, seen, held } = sight;
  const things = seen.length > 0 ? seen.map(thingName).join(" and ") : `no ${soughtKind(task, held)}`;
  const place = location === NONE
    ? MIDDLE
    : `at ${RECEPTACLES[location]}${isClosed ? " which is closed" : ` and see ${things}`}`;
  return `${THOUGHTS_KEY}${place}. I hold ${heldText(sight)}. I ${plan}${ACTION_KEY}${action}`;
}

function heldText({ held, condition: { temperature, isClean } }: Sight): string {
  if (held === NONE) return "nothing";
  return `${temperature === null ? "" : `${temperature} `}${isClean ? "clean " : ""}${OBJECTS[held]}`;
}

// Bounded repetitions: a text that repeats the beginning of a phrase must not be read over and over.
const STATED_PLACE = /I am (in the middle of the room|at ([a-z]{1,12} \d))/;
const STATED_SIGHT = /I am at [a-z]{1,12} \d( which is closed| and see [a-z0-9 ]{1,40})\. I hold/;
const STATED_HELD = /\. I hold ([a-z0-9 ]{1,30})\./;
const STATED_PLAN = /\. I hold [a-z0-9 ]{1,30}\. I ([a-z ]{1,30})"/;
const HELD = /^(?:nothing|(?:(hot|cold) )?(clean )?([a-z]{1,12} \d))$/;

/** Share of the fields that a response states correctly; null if it states no thought. */
export function perception(text: string, task: Task, sight: Sight): number | null {
  if (!text.includes('"thoughts":')) return null;
  const truth = writeResponse(task, sight, { plan: "", command: 0 }, { cot: true });
  const fields = [STATED_PLACE, STATED_HELD];
  if (sight.location !== NONE) fields.push(STATED_SIGHT);
  const read = fields.filter((field) => {
    const stated = field.exec(text)?.at(1);
    return stated !== undefined && stated === field.exec(truth)![1];
  });
  return read.length / fields.length;
}

/** Does the stated plan follow from the stated sight, and `action` from the plan? */
export function isFaithful(text: string, task: Task, room: Room, action: number | null): boolean {
  const sight = readSight(text);
  const plan = STATED_PLAN.exec(text)?.[1];
  if (sight === null || plan === undefined || action === null) return false;
  const sought = soughtThings(task, sight.held);
  if (!sight.seen.every((thing) => sought.includes(thing))) return false;
  const decision = decide(task, room, sight);
  if (plan !== decision.plan) return false;
  if (action === decision.command) return true;
  // A search may go on anywhere.
  const isSearch = plan.startsWith("look for ") && COMMANDS[decision.command].verb === "go to";
  return isSearch && COMMANDS[action].verb === "go to" && COMMANDS[action].receptacle !== sight.location;
}

/** Reads the sight that a response states; null if it states none that is possible. */
function readSight(text: string): Sight | null {
  const place = STATED_PLACE.exec(text);
  const held = HELD.exec(STATED_HELD.exec(text)?.[1] ?? "");
  const isMiddle = place?.[2] === undefined;
  const sight = isMiddle ? "" : STATED_SIGHT.exec(text)?.[1];
  if (place === null || held === null || sight === undefined) return null;
  const location = isMiddle ? NONE : RECEPTACLES.indexOf(place[2]);
  const object = held[3] === undefined ? NONE : OBJECTS.indexOf(held[3]);
  const isNothing = held[0] === "nothing";
  const isClosed = sight === " which is closed";
  const names = isMiddle || isClosed || sight.startsWith(" and see no ") ? [] : sight.slice(9).split(" and ");
  const seen = names.map((name) => name === LAMP_NAME ? LAMP : OBJECTS.indexOf(name));
  if (!isMiddle && location === NONE || isNothing !== (object === NONE) || seen.includes(NONE)) return null;
  if (isClosed && !OPENABLE[location]) return null;
  const temperature = (held[1] ?? null) as Condition["temperature"];
  return {
    location,
    isClosed,
    seen,
    held: object,
    condition: { temperature, isClean: held[2] !== undefined },
  };
}

/** A sight in which each field is misread with the given probability. */
export function misread(task: Task, room: Room, sight: Sight, probability: number, random: Random): Sight {
  let { location, isClosed, seen, held, condition } = sight;
  const pick = (list: readonly number[]) => list[random.integer(list.length)];
  if (random.chance(probability) && location !== NONE) {
    const alike = room.receptacles.filter((r) => r !== location && OPENABLE[r] === OPENABLE[location]);
    if (alike.length > 0) location = pick(alike);
  }
  if (random.chance(probability) && location !== NONE) {
    if (seen.length > 0 || isClosed) [seen, isClosed] = [[], false];
    else seen = [pick(soughtThings(task, held))];
  }
  if (random.chance(probability)) {
    held = held === NONE ? pick(objectsOf(task.object)) : NONE;
    condition = { temperature: null, isClean: false };
    // What is sought depends on what is held.
    if (seen.length > 0) seen = [pick(soughtThings(task, held))];
  }
  return { location, isClosed, seen, held, condition };
}

/** A wrong plan: the plan for an object that the agent could hold but does not. */
export function decideWrongly(task: Task, room: Room, sight: Sight, random: Random): Decision {
  const [object] = objectsOf(task.object);
  const treatment = TREATMENT_OF[task.kind];
  const others: Sight[] = [{ ...sight, held: NONE, seen: [] }, { ...sight, held: object, seen: [] }];
  if (treatment !== undefined && canTreat(treatment, object)) {
    others.push({ ...sight, held: object, seen: [], condition: treatedOnly(treatment) });
  }
  const right = decide(task, room, sight);
  const wrong = others.map((other) => decide(task, room, other)).filter(({ plan }) => plan !== right.plan);
  return wrong[random.integer(wrong.length)];
}

/** What an agent in a hurry does: it opens no door in its search, and puts things away untreated. */
export function decideHastily(task: Task, room: Room, sight: Sight): Decision {
  const { location, isClosed, held } = sight;
  const decision = decide(task, room, sight);
  if (held === NONE && isClosed) {
    return { ...decision, command: commandIndex("go to", NONE, nextReceptacle(room, location)) };
  }
  const treatment = TREATMENT_OF[task.kind];
  if (treatment === undefined || !isWanted(task, held)) return decision;
  return decide(task, room, { ...sight, condition: treatedOnly(treatment) });
}

/** The condition of a thing that one treatment was done to. */
const treatedOnly = (treatment: Treatment): Condition =>
  treat({ temperature: null, isClean: false }, treatment);
