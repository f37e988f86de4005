/**
 * The state of a household and its rules: the admissible commands, their effects, and ALFWorld's answers to them.
 *
 * Source: ALFWorld's text engine (`alfred.twl2`) for the wording and ALFRED's tasks for the goal conditions. As there,
 * heating, cooling and cleaning need the object in hand and the appliance in front, not an open door.
 */

import { type Deal, TREATMENT_OF } from "./rooms.ts";
import {
  canTreat,
  commandIndex,
  COMMANDS,
  LAMP,
  LAMP_NAME,
  NONE,
  OBJECTS,
  objectsOf,
  OPENABLE,
  receptacleKind,
  RECEPTACLES,
  thingName,
  type Treatment,
  TREATMENTS,
} from "./vocabulary.ts";

/** An object that a room does not have. `NONE` as a place is the agent's hands. */
const ABSENT = -2;

/** The answer to a command that is not admissible. */
export const NOTHING_HAPPENS = "Nothing happens.";

/** A treated object's state: at most one temperature, and clean or not. */
export interface Condition {
  readonly temperature: "hot" | "cold" | null;
  readonly isClean: boolean;
}

const UNTREATED: Condition = { temperature: null, isClean: false };

/** Computes the condition after a treatment. Heat and cold undo each other. */
export function treat(condition: Condition, treatment: Treatment): Condition {
  if (treatment === "clean") return { ...condition, isClean: true };
  return { ...condition, temperature: treatment === "heat" ? "hot" : "cold" };
}

/** Whether a treatment has been done. */
export const isTreated = (condition: Condition, treatment: Treatment): boolean =>
  treatment === "clean"
    ? condition.isClean
    : condition.temperature === (treatment === "heat" ? "hot" : "cold");

/** A household with a task; `apply` changes it. */
export class World {
  readonly deal: Deal;
  /** The receptacle that the agent is at; `NONE` before its first move. */
  location = NONE;
  /** The object that it holds, or `NONE`. */
  held = NONE;
  isLampOn = false;
  readonly #places = new Int8Array(OBJECTS.length).fill(ABSENT);
  readonly #open: Uint8Array = Uint8Array.from(OPENABLE, (openable) => Number(!openable));
  readonly #conditions: Condition[] = new Array(OBJECTS.length).fill(UNTREATED);

  constructor(deal: Deal) {
    this.deal = deal;
    for (const [object, receptacle] of deal.placements) this.#places[object] = receptacle;
  }

  /** An independent copy. */
  clone(): World {
    const copy = new World(this.deal);
    copy.location = this.location;
    copy.held = this.held;
    copy.isLampOn = this.isLampOn;
    copy.#places.set(this.#places);
    copy.#open.set(this.#open);
    this.#conditions.forEach((condition, object) => copy.#conditions[object] = condition);
    return copy;
  }

  /** Names the state: the task, the room, and the place and condition of everything, also of hidden things. */
  key(): string {
    const conditions = this.#conditions.map(({ temperature, isClean }) =>
      `${temperature?.[0] ?? ""}${isClean ? "w" : ""}`
    );
    const { task, room, lamp } = this.deal;
    return [
      ...[task.text, room.name, lamp, this.location, this.held, Number(this.isLampOn)],
      ...[this.#places.join(), this.#open.join(), conditions.join()],
    ].join("|");
  }

  /** Whether a receptacle's contents can be seen, taken and added to. */
  isOpen(receptacle: number): boolean {
    return this.#open[receptacle] === 1;
  }

  /** The receptacle an object is in, `NONE` when it is held, null when the room has no such object. */
  placeOf(object: number): number | null {
    return this.#places[object] === ABSENT ? null : this.#places[object];
  }

  conditionOf(object: number): Condition {
    return this.#conditions[object];
  }

  /** Objects in a receptacle, open or not, in the order of `OBJECTS`; the lamp is the last. */
  contents(receptacle: number): number[] {
    const things: number[] = [];
    for (let object = 0; object < OBJECTS.length; object++) {
      if (this.#places[object] === receptacle) things.push(object);
    }
    if (this.deal.lamp === receptacle) things.push(LAMP);
    return things;
  }

  /** What can be seen from here. */
  visible(): number[] {
    return this.location !== NONE && this.isOpen(this.location) ? this.contents(this.location) : [];
  }

  /** The admissible commands, in ascending order. Each of them does or says something. */
  admissible(): number[] {
    const { location, held } = this;
    const commands: number[] = [];
    for (const receptacle of this.deal.room.receptacles) {
      if (receptacle !== location) commands.push(commandIndex("go to", NONE, receptacle));
    }
    if (location !== NONE) {
      if (OPENABLE[location]) {
        commands.push(commandIndex(this.isOpen(location) ? "close" : "open", NONE, location));
      }
      if (held === NONE) {
        for (const thing of this.visible()) {
          if (thing !== LAMP) commands.push(commandIndex("take", thing, location));
        }
      } else if (this.isOpen(location)) {
        commands.push(commandIndex("put", held, location));
      }
      if (this.deal.lamp === location) commands.push(commandIndex("use"));
      for (const treatment of ["heat", "cool", "clean"] as const) {
        if (location !== TREATMENTS[treatment].appliance || held === NONE) continue;
        if (canTreat(treatment, held)) commands.push(commandIndex(treatment, held, location));
      }
    }
    commands.push(commandIndex("inventory"), commandIndex("look"));
    if (held !== NONE) commands.push(commandIndex("examine", held));
    if (location !== NONE) commands.push(commandIndex("examine", NONE, location));
    return commands;
  }

  /** Obeys an admissible command and returns the answer. It does not check that the command is admissible. */
  apply(command: number): string {
    const { verb, object, receptacle } = COMMANDS[command];
    switch (verb) {
      case "go to":
        this.location = receptacle;
        return `You arrive at ${RECEPTACLES[receptacle]}. ${this.#describe(receptacle)}`;
      case "open":
        this.#open[receptacle] = 1;
        return `You open the ${RECEPTACLES[receptacle]}. ${this.#describe(receptacle)}`;
      case "close":
        this.#open[receptacle] = 0;
        return `You close the ${RECEPTACLES[receptacle]}.`;
      case "take":
        this.#places[object] = NONE;
        this.held = object;
        return `You pick up the ${OBJECTS[object]} from the ${RECEPTACLES[receptacle]}.`;
      case "put":
        this.#places[object] = receptacle;
        this.held = NONE;
        return `You put the ${OBJECTS[object]} in/on the ${RECEPTACLES[receptacle]}.`;
      case "use":
        this.isLampOn = true;
        return `You turn on the ${LAMP_NAME}.`;
      case "heat":
      case "cool":
      case "clean":
        this.#conditions[object] = treat(this.#conditions[object], verb);
        return `You ${verb} the ${OBJECTS[object]} using the ${RECEPTACLES[receptacle]}.`;
      case "inventory":
        return this.held === NONE
          ? "You are not carrying anything."
          : `You are carrying: a ${OBJECTS[this.held]}.`;
      case "look":
        return this.look();
      case "examine":
        return object === NONE ? this.#describe(receptacle) : this.#examine(object);
    }
  }

  /** What `look` says: the room from its middle, else what the agent faces. */
  look(): string {
    if (this.location !== NONE) {
      return `You are facing the ${RECEPTACLES[this.location]}. Next to it, you see nothing.`;
    }
    const names = this.deal.room.receptacles.map((receptacle) => RECEPTACLES[receptacle]);
    return `You are in the middle of a room. Looking quickly around you, you see ${listOf(names)}.`;
  }

  /** Counts the goal conditions that are met, and all of them. The task is done when all are met. */
  goalConditions(): readonly [met: number, total: number] {
    const { kind, object, target } = this.deal.task;
    const objects = objectsOf(object);
    if (kind === "look_at_obj_in_light") {
      const isLit = this.isLampOn && this.location === this.deal.lamp;
      return [Number(objects.includes(this.held)) + Number(isLit), 2];
    }
    const placed = objects.filter((o) => this.#places[o] >= 0 && receptacleKind(this.#places[o]) === target);
    if (kind === "pick_and_place_simple") return [Number(placed.length > 0), 1];
    if (kind === "pick_two_obj_and_place") {
      const together = placed.filter((o) => this.#places[o] === this.#places[placed[0]]).length;
      return [Math.min(together, 2), 2];
    }
    const isDone = (o: number) => isTreated(this.#conditions[o], TREATMENT_OF[kind]!);
    const conditions = [placed.length > 0, objects.some(isDone), placed.some(isDone)];
    return [conditions.filter(Boolean).length, 3];
  }

  #describe(receptacle: number): string {
    const name = RECEPTACLES[receptacle];
    if (!this.isOpen(receptacle)) return `The ${name} is closed.`;
    const seen = listOf(this.contents(receptacle).map(thingName));
    return OPENABLE[receptacle]
      ? `The ${name} is open. In it, you see ${seen}.`
      : `On the ${name}, you see ${seen}.`;
  }

  #examine(object: number): string {
    const { temperature, isClean } = this.#conditions[object];
    if (temperature === null && !isClean) return `There's nothing special about ${OBJECTS[object]}.`;
    const clean = isClean ? "clean" : "";
    const adjectives = temperature === null
      ? clean
      : isClean
      ? `${temperature === "hot" ? "hot" : "cool"} and clean`
      : temperature;
    return `This is a ${adjectives} ${OBJECTS[object]}.`;
  }
}

/** `a bowl 1, a cup 1, and a mug 2`, or `nothing`. */
function listOf(names: readonly string[]): string {
  if (names.length === 0) return "nothing";
  return names.map((name, i) => (i > 0 && i === names.length - 1 ? "and a " : "a ") + name).join(", ");
}
