/**
 * The fixed vocabulary of Household: kinds, things and every command that can be written about them.
 *
 * Numbers stand for names. A receptacle is an index into `RECEPTACLES`, an object an index into `OBJECTS`, and a command an index
 * into `COMMANDS`. `NONE` means no thing at all.
 */

/** No receptacle (in the middle of the room), no object (empty hands). */
export const NONE = -1;

/** How often a room can have each kind of receptacle. The order is the one in which a search visits them. */
const RECEPTACLE_COUNTS = {
  cabinet: 3,
  countertop: 2,
  desk: 2,
  drawer: 3,
  fridge: 1,
  garbagecan: 1,
  microwave: 1,
  shelf: 3,
  sidetable: 2,
  sinkbasin: 1,
} as const;

/** A kind of receptacle. */
export type ReceptacleKind = keyof typeof RECEPTACLE_COUNTS;

/** Kinds of receptacles, in alphabetical order. */
export const RECEPTACLE_KINDS = Object.keys(RECEPTACLE_COUNTS) as readonly ReceptacleKind[];

/** Kinds of objects that can be carried, in alphabetical order. */
export const OBJECT_KINDS = [
  ...["apple", "book", "bowl", "bread", "cellphone", "cup"] as const,
  ...["egg", "mug", "pencil", "plate", "potato", "spoon"] as const,
] as const;

/** A kind of object that can be carried. */
export type ObjectKind = typeof OBJECT_KINDS[number];

/** Most objects of one kind in a room. */
export const OBJECTS_PER_KIND = 2;

/** Receptacles of every room, `cabinet 1` to `sinkbasin 1`; a room has some of them. */
export const RECEPTACLES: readonly string[] = RECEPTACLE_KINDS.flatMap((kind) =>
  Array.from({ length: RECEPTACLE_COUNTS[kind] }, (_, i) => `${kind} ${i + 1}`)
);

/** Objects of every room, `apple 1` to `spoon 2`; a room has some of them. */
export const OBJECTS: readonly string[] = OBJECT_KINDS.flatMap((kind) =>
  Array.from({ length: OBJECTS_PER_KIND }, (_, i) => `${kind} ${i + 1}`)
);

/** The lamp, which cannot be moved. As a thing in sight it has the number after the last object. */
export const LAMP_NAME = "desklamp 1";
export const LAMP = OBJECTS.length;

/** The name of an object or the lamp. */
export const thingName = (thing: number): string => thing === LAMP ? LAMP_NAME : OBJECTS[thing];

/** The kind of each receptacle and object. */
export const receptacleKind = (receptacle: number): ReceptacleKind =>
  RECEPTACLES[receptacle].slice(0, -2) as ReceptacleKind;
export const objectKind = (object: number): ObjectKind => OBJECT_KINDS[Math.floor(object / OBJECTS_PER_KIND)];

/** Objects of a kind, as numbers. */
export function objectsOf(kind: ObjectKind): number[] {
  const first = OBJECT_KINDS.indexOf(kind) * OBJECTS_PER_KIND;
  return Array.from({ length: OBJECTS_PER_KIND }, (_, i) => first + i);
}

/** The place of `kind 1` among the receptacles. */
export const firstOf = (kind: ReceptacleKind): number => RECEPTACLES.indexOf(`${kind} 1`);

const OPENABLE_KINDS: ReadonlySet<ReceptacleKind> = new Set(["cabinet", "drawer", "fridge", "microwave"]);

/** Whether each receptacle has a door. */
export const OPENABLE: readonly boolean[] = RECEPTACLES.map((_, r) => OPENABLE_KINDS.has(receptacleKind(r)));

/** What can be done to an object, with which receptacle. */
export type Treatment = "heat" | "cool" | "clean";
export const TREATMENTS: Readonly<
  Record<Treatment, { readonly appliance: number; readonly kinds: readonly ObjectKind[] }>
> = {
  heat: {
    appliance: firstOf("microwave"),
    kinds: ["apple", "bread", "cup", "egg", "mug", "plate", "potato"],
  },
  cool: {
    appliance: firstOf("fridge"),
    kinds: ["apple", "bowl", "bread", "cup", "egg", "mug", "plate", "potato"],
  },
  clean: {
    appliance: firstOf("sinkbasin"),
    kinds: ["apple", "bowl", "cup", "egg", "mug", "plate", "potato", "spoon"],
  },
};

/** Can `object` be treated in this way? */
export const canTreat = (treatment: Treatment, object: number): boolean =>
  TREATMENTS[treatment].kinds.includes(objectKind(object));

/** The first words of commands. */
export type Verb =
  | ("go to" | "open" | "close" | "take" | "put" | "use" | Treatment)
  | ("inventory" | "look" | "examine");

/** A command and what it is about; `NONE` if it has no such part. */
export interface Command {
  readonly text: string;
  readonly verb: Verb;
  readonly object: number;
  readonly receptacle: number;
}

function listCommands(): Command[] {
  const commands: Command[] = [];
  const add = (verb: Verb, text: string, object = NONE, receptacle = NONE) =>
    commands.push({ text, verb, object, receptacle });
  const receptacles = RECEPTACLES.entries().toArray();
  const objects = OBJECTS.entries().toArray();
  for (const [r, name] of receptacles) add("go to", `go to ${name}`, NONE, r);
  for (const verb of ["open", "close"] as const) {
    for (const [r, name] of receptacles) if (OPENABLE[r]) add(verb, `${verb} ${name}`, NONE, r);
  }
  for (const [o, object] of objects) {
    for (const [r, receptacle] of receptacles) add("take", `take ${object} from ${receptacle}`, o, r);
  }
  for (const [o, object] of objects) {
    for (const [r, receptacle] of receptacles) add("put", `put ${object} in/on ${receptacle}`, o, r);
  }
  add("use", `use ${LAMP_NAME}`);
  for (const treatment of ["heat", "cool", "clean"] as const) {
    const { appliance } = TREATMENTS[treatment];
    for (const [o, object] of objects) {
      if (!canTreat(treatment, o)) continue;
      add(treatment, `${treatment} ${object} with ${RECEPTACLES[appliance]}`, o, appliance);
    }
  }
  add("inventory", "inventory");
  add("look", "look");
  for (const [o, object] of objects) add("examine", `examine ${object}`, o);
  for (const [r, receptacle] of receptacles) add("examine", `examine ${receptacle}`, NONE, r);
  return commands;
}

/** All commands, in the order in which ALFWorld lists the kinds of admissible commands. */
export const COMMANDS: readonly Command[] = listCommands();

const key = (verb: Verb, object: number, receptacle: number) =>
  (object + 1) * (RECEPTACLES.length + 1) + receptacle + 1 + 1000 * VERBS.indexOf(verb);
const VERBS: readonly Verb[] = [...new Set(COMMANDS.map(({ verb }) => verb))];
const indices = new Map(
  COMMANDS.map(({ verb, object, receptacle }, i) => [key(verb, object, receptacle), i]),
);

/** The index of a command in `COMMANDS`. Throws `RangeError` if there is none, such as `open desk 1`. */
export function commandIndex(verb: Verb, object = NONE, receptacle = NONE): number {
  const index = indices.get(key(verb, object, receptacle));
  if (index === undefined) {
    throw new RangeError(
      `Cannot write a command: "${verb}" takes no ${RECEPTACLES[receptacle]} with ${
        OBJECTS[object]
      }, use COMMANDS`,
    );
  }
  return index;
}
