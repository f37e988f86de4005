/** Rooms, tasks and their deals: the task, the room, and the places of the objects. */

import type { Random } from "../shared/random.ts";
import {
  LAMP_NAME,
  NONE,
  OBJECT_KINDS,
  type ObjectKind,
  objectsOf,
  RECEPTACLE_KINDS,
  type ReceptacleKind,
  receptacleKind,
  RECEPTACLES,
  type Treatment,
  TREATMENTS,
} from "./vocabulary.ts";

/** Rooms to train in, and rooms kept for evaluation. */
export const SPLITS = ["seen", "unseen"] as const;
/** Which rooms episodes are drawn from. */
export type Split = typeof SPLITS[number];

/** The six task kinds of ALFWorld, in its order. */
export const TASK_KINDS = [
  ...["pick_and_place_simple", "look_at_obj_in_light", "pick_clean_then_place_in_recep"] as const,
  ...["pick_heat_then_place_in_recep", "pick_cool_then_place_in_recep", "pick_two_obj_and_place"] as const,
] as const;
/** What kind of task it is. */
export type TaskKind = typeof TASK_KINDS[number];

/** What the object needs before it is put away. */
export const TREATMENT_OF: Readonly<Partial<Record<TaskKind, Treatment>>> = {
  pick_clean_then_place_in_recep: "clean",
  pick_heat_then_place_in_recep: "heat",
  pick_cool_then_place_in_recep: "cool",
};

/** A task: the kind of object, and the kind of receptacle to put it in. `target` is null for a look in the light. */
export interface Task {
  readonly kind: TaskKind;
  readonly object: ObjectKind;
  readonly target: ReceptacleKind | null;
  /** As ALFWorld's templates put it: `put a hot apple in fridge`. */
  readonly text: string;
}

/** A room of the household. */
export interface Room {
  readonly name: string;
  readonly split: Split;
  readonly isKitchen: boolean;
  /** The receptacles it has, in the order of `RECEPTACLES`. */
  readonly receptacles: readonly number[];
}

/** Makes a room. `counts` says how many of each kind it has, beside those that all rooms of its type have. */
function makeRoom(split: Split, name: string, counts: Partial<Record<ReceptacleKind, number>>): Room {
  const isKitchen = name.startsWith("kitchen");
  const shared: Partial<Record<ReceptacleKind, number>> = isKitchen
    ? { fridge: 1, garbagecan: 1, microwave: 1, sinkbasin: 1 }
    : { garbagecan: 1 };
  const all = { ...shared, ...counts };
  const receptacles = RECEPTACLE_KINDS.flatMap((kind) =>
    Array.from({ length: all[kind] ?? 0 }, (_, i) => RECEPTACLES.indexOf(`${kind} ${i + 1}`))
  );
  return { name, split, isKitchen, receptacles };
}

/** Every receptacle of an unseen room occurs in seen ones; the combinations are new. */
export const ROOMS: readonly Room[] = [
  makeRoom("seen", "kitchen 1", { cabinet: 3, countertop: 2, drawer: 2 }),
  makeRoom("seen", "kitchen 2", { cabinet: 2, countertop: 2, drawer: 1, shelf: 1 }),
  makeRoom("seen", "kitchen 3", { cabinet: 2, countertop: 1, drawer: 2, shelf: 1, sidetable: 1 }),
  makeRoom("seen", "kitchen 4", { cabinet: 3, countertop: 1, drawer: 1, sidetable: 1 }),
  makeRoom("seen", "kitchen 5", { cabinet: 1, countertop: 2, drawer: 3, sidetable: 1 }),
  makeRoom("seen", "kitchen 6", { cabinet: 2, countertop: 2, drawer: 2, shelf: 1 }),
  makeRoom("seen", "kitchen 7", { cabinet: 3, countertop: 1, shelf: 2 }),
  makeRoom("seen", "kitchen 8", { cabinet: 1, countertop: 1, drawer: 2, shelf: 2, sidetable: 1 }),
  makeRoom("seen", "study 1", { desk: 1, drawer: 2, shelf: 2, sidetable: 1 }),
  makeRoom("seen", "study 2", { cabinet: 1, desk: 1, drawer: 3, shelf: 1, sidetable: 1 }),
  makeRoom("seen", "study 3", { desk: 2, drawer: 3, sidetable: 1 }),
  makeRoom("seen", "study 4", { cabinet: 2, desk: 1, drawer: 1, shelf: 3, sidetable: 1 }),
  makeRoom("seen", "study 5", { desk: 1, drawer: 3, shelf: 3, sidetable: 2 }),
  makeRoom("seen", "study 6", { cabinet: 1, desk: 2, drawer: 2, shelf: 2 }),
  makeRoom("unseen", "kitchen 9", { cabinet: 3, countertop: 2, drawer: 1, sidetable: 1 }),
  makeRoom("unseen", "kitchen 10", { cabinet: 1, countertop: 2, drawer: 2, shelf: 1 }),
  makeRoom("unseen", "kitchen 11", { cabinet: 2, countertop: 1, drawer: 1, shelf: 2, sidetable: 1 }),
  makeRoom("unseen", "kitchen 12", { cabinet: 3, countertop: 1, drawer: 3 }),
  makeRoom("unseen", "study 7", { desk: 2, drawer: 2, shelf: 3, sidetable: 1 }),
  makeRoom("unseen", "study 8", { cabinet: 2, desk: 1, drawer: 2, shelf: 2, sidetable: 1 }),
  makeRoom("unseen", "study 9", { cabinet: 1, desk: 2, drawer: 3, shelf: 1, sidetable: 2 }),
];

const FOOD_PLACES: readonly ReceptacleKind[] = [
  ...["countertop", "fridge", "garbagecan", "microwave", "sidetable", "sinkbasin"] as const,
];
const DISH_PLACES: readonly ReceptacleKind[] = [
  ...["cabinet", "countertop", "desk", "fridge", "microwave", "shelf", "sidetable", "sinkbasin"] as const,
];

/** Places at which an object may lie at first, and to which a task may want it. */
const PLACES: Readonly<Record<ObjectKind, readonly ReceptacleKind[]>> = {
  apple: FOOD_PLACES,
  book: ["cabinet", "desk", "drawer", "shelf", "sidetable"],
  bowl: DISH_PLACES,
  bread: FOOD_PLACES,
  cellphone: ["cabinet", "desk", "drawer", "shelf", "sidetable"],
  cup: DISH_PLACES,
  egg: FOOD_PLACES,
  mug: DISH_PLACES,
  pencil: ["cabinet", "desk", "drawer", "garbagecan", "shelf", "sidetable"],
  plate: DISH_PLACES,
  potato: FOOD_PLACES,
  spoon: ["cabinet", "countertop", "drawer", "sidetable", "sinkbasin"],
};

const STUDY_OBJECTS: readonly ObjectKind[] = ["book", "bowl", "cellphone", "cup", "mug", "pencil"];
const KITCHEN_OBJECTS: readonly ObjectKind[] = OBJECT_KINDS.filter((kind) =>
  !["book", "cellphone", "pencil"].includes(kind)
);

const LAMP_PLACES: readonly ReceptacleKind[] = ["desk", "sidetable"];

/** Does a search for the lamp look here? */
export const holdsLamps = (receptacle: number): boolean => LAMP_PLACES.includes(receptacleKind(receptacle));

const objectsIn = (room: Room) => room.isKitchen ? KITCHEN_OBJECTS : STUDY_OBJECTS;
const isIn = (room: Room, kinds: readonly ReceptacleKind[]) =>
  room.receptacles.filter((receptacle) => kinds.includes(receptacleKind(receptacle)));

function taskText(kind: TaskKind, object: ObjectKind, target: ReceptacleKind | null): string {
  switch (kind) {
    case "pick_and_place_simple":
      return `put a ${object} in ${target}`;
    case "look_at_obj_in_light":
      return `look at ${object} under the ${LAMP_NAME.slice(0, -2)}`;
    case "pick_clean_then_place_in_recep":
      return `put a clean ${object} in ${target}`;
    case "pick_heat_then_place_in_recep":
      return `put a hot ${object} in ${target}`;
    case "pick_cool_then_place_in_recep":
      return `put a cool ${object} in ${target}`;
    case "pick_two_obj_and_place":
      return `put two ${object} in ${target}`;
  }
}

/** The tasks of one kind that a room allows. The object must have a place other than its target. */
function tasksOf(kind: TaskKind, room: Room): Task[] {
  const treatment = TREATMENT_OF[kind];
  if (treatment !== undefined && !room.isKitchen) return [];
  const tasks: Task[] = [];
  for (const object of objectsIn(room)) {
    if (kind === "look_at_obj_in_light") {
      if (!room.isKitchen) tasks.push({ kind, object, target: null, text: taskText(kind, object, null) });
      continue;
    }
    if (treatment !== undefined && !TREATMENTS[treatment].kinds.includes(object)) continue;
    const appliance = treatment === undefined ? null : receptacleKind(TREATMENTS[treatment].appliance);
    for (const target of PLACES[object]) {
      if (target === appliance || isIn(room, [target]).length === 0) continue;
      if (isIn(room, PLACES[object].filter((place) => place !== target)).length === 0) continue;
      tasks.push({ kind, object, target, text: taskText(kind, object, target) });
    }
  }
  return tasks;
}

/** All tasks: `TASKS.get(room)![kind]`. */
export const TASKS: ReadonlyMap<Room, Readonly<Record<TaskKind, readonly Task[]>>> = new Map(
  ROOMS.map((room) => [
    room,
    Object.fromEntries(TASK_KINDS.map((kind) => [kind, tasksOf(kind, room)])) as Record<TaskKind, Task[]>,
  ]),
);

/** A task, its room, and the places of the objects. */
export interface Deal {
  readonly task: Task;
  readonly room: Room;
  /** The receptacle that holds the lamp; `NONE` in a room without a lamp. */
  readonly lamp: number;
  /** (object, receptacle) pairs. */
  readonly placements: readonly (readonly [object: number, receptacle: number])[];
}

/** Restrictions of a deal. */
export interface DealOptions {
  readonly split: Split;
  readonly kind?: TaskKind;
  readonly room?: string;
  readonly object?: ObjectKind;
  readonly target?: ReceptacleKind;
}

/** Kinds of objects that lie about beside the one that the task asks for. */
const DISTRACTOR_KINDS = 4;

/**
 * Draws the task kind, the room, the task and the places, each uniform over what `options` allow. A room that is named need not
 * be of the split. Null if `options` allow nothing.
 */
export function drawDeal(random: Random, options: DealOptions): Deal | null {
  const { split, object, target } = options;
  const rooms = ROOMS.filter((room) =>
    options.room === undefined ? room.split === split : room.name === options.room
  );
  const tasksIn = (room: Room, kind: TaskKind) =>
    TASKS.get(room)![kind].filter((task) =>
      (object === undefined || task.object === object) && (target === undefined || task.target === target)
    );
  const kinds = TASK_KINDS.filter((kind) =>
    (options.kind === undefined || options.kind === kind) &&
    rooms.some((room) => tasksIn(room, kind).length > 0)
  );
  if (kinds.length === 0) return null;
  const kind = pick(random, kinds);
  const room = pick(random, rooms.filter((room) => tasksIn(room, kind).length > 0));
  const task = pick(random, tasksIn(room, kind));
  return { task, room, lamp: drawLamp(random, room), placements: placeObjects(random, task, room) };
}

const pick = <T>(random: Random, list: readonly T[]): T => list[random.integer(list.length)];

const drawLamp = (random: Random, room: Room) =>
  room.isKitchen ? NONE : pick(random, isIn(room, LAMP_PLACES));

function placeObjects(random: Random, task: Task, room: Room): [number, number][] {
  const placements: [number, number][] = [];
  const place = (kind: ObjectKind, count: number, places: readonly ReceptacleKind[]) => {
    const receptacles = isIn(room, places);
    for (const object of objectsOf(kind).slice(0, count)) {
      placements.push([object, pick(random, receptacles)]);
    }
  };
  const wanted = task.kind === "pick_two_obj_and_place" || random.chance(0.5) ? 2 : 1;
  place(task.object, wanted, PLACES[task.object].filter((kind) => kind !== task.target));
  const others = objectsIn(room).filter((kind) => kind !== task.object);
  for (let i = 0; i < DISTRACTOR_KINDS; i++) {
    const [kind] = others.splice(random.integer(others.length), 1);
    place(kind, random.chance(0.3) ? 2 : 1, PLACES[kind]);
  }
  return placements;
}
