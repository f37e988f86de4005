import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../../envs/household/vocabulary.ts";
import { World } from "../../../envs/household/world.ts";
import { commandOf, dealOf } from "./deals.ts";

/** Obeys each command, which must be admissible; checks what is said and the goal conditions met after it. */
function follow(
  world: World,
  script: readonly (readonly [command: string, said: string, met: number])[],
): void {
  for (const [text, said, met] of script) {
    const command = commandOf(text);
    assert(world.admissible().includes(command), `"${text}" is not admissible`);
    assertEquals(world.apply(command), said);
    assertEquals(world.goalConditions()[0], met, `conditions met after "${text}"`);
  }
}

const admissible = (world: World) => world.admissible().map((command) => COMMANDS[command].text);

Deno.test("putting an object away says what ALFWorld says, doors and all", () => {
  const world = new World(
    dealOf("pick_and_place_simple", "kitchen 4", "put a mug in cabinet", {
      "mug 1": "countertop 1",
      "apple 2": "countertop 1",
      "egg 1": "countertop 1",
      "plate 1": "cabinet 2",
    }),
  );
  assertEquals(
    world.look(),
    "You are in the middle of a room. Looking quickly around you, you see a cabinet 1, a cabinet 2, " +
      "a cabinet 3, a countertop 1, a drawer 1, a fridge 1, a garbagecan 1, a microwave 1, a sidetable 1, " +
      "and a sinkbasin 1.",
  );
  assertEquals(world.goalConditions(), [0, 1]);
  follow(world, [
    ["inventory", "You are not carrying anything.", 0],
    [
      "go to countertop 1",
      "You arrive at countertop 1. On the countertop 1, you see a apple 2, a egg 1, and a mug 1.",
      0,
    ],
    ["look", "You are facing the countertop 1. Next to it, you see nothing.", 0],
    ["take mug 1 from countertop 1", "You pick up the mug 1 from the countertop 1.", 0],
    ["examine mug 1", "There's nothing special about mug 1.", 0],
    ["examine countertop 1", "On the countertop 1, you see a apple 2, and a egg 1.", 0],
    ["inventory", "You are carrying: a mug 1.", 0],
    ["go to cabinet 2", "You arrive at cabinet 2. The cabinet 2 is closed.", 0],
    ["open cabinet 2", "You open the cabinet 2. The cabinet 2 is open. In it, you see a plate 1.", 0],
    ["close cabinet 2", "You close the cabinet 2.", 0],
    ["examine cabinet 2", "The cabinet 2 is closed.", 0],
    ["open cabinet 2", "You open the cabinet 2. The cabinet 2 is open. In it, you see a plate 1.", 0],
    ["put mug 1 in/on cabinet 2", "You put the mug 1 in/on the cabinet 2.", 1],
  ]);
});

Deno.test("what is admissible follows the state", () => {
  const world = new World(
    dealOf("pick_heat_then_place_in_recep", "kitchen 4", "put a hot mug in cabinet", {
      "mug 1": "microwave 1",
      "spoon 1": "sidetable 1",
    }),
  );
  const goTos = admissible(world).slice(0, 10);
  assert(goTos.every((text) => text.startsWith("go to ")));
  assertEquals(admissible(world).slice(10), ["inventory", "look"]);
  world.apply(commandOf("go to microwave 1"));
  assertEquals(
    admissible(world).slice(9),
    ["open microwave 1", "inventory", "look", "examine microwave 1"],
    "closed: nothing to take",
  );
  assert(!admissible(world).includes("go to microwave 1"));
  world.apply(commandOf("open microwave 1"));
  assertEquals(admissible(world).slice(9, 11), ["close microwave 1", "take mug 1 from microwave 1"]);
  world.apply(commandOf("take mug 1 from microwave 1"));
  assertEquals(admissible(world).slice(9), [
    ...["close microwave 1", "put mug 1 in/on microwave 1", "heat mug 1 with microwave 1"],
    ...["inventory", "look", "examine mug 1", "examine microwave 1"],
  ]);
  world.apply(commandOf("close microwave 1"));
  assert(!admissible(world).includes("put mug 1 in/on microwave 1"));
  assert(
    admissible(world).includes("heat mug 1 with microwave 1"),
    "as in ALFWorld, the door does not matter",
  );
  world.apply(commandOf("go to sidetable 1"));
  assert(!admissible(world).includes("take spoon 1 from sidetable 1"), "one hand");
  world.apply(commandOf("put mug 1 in/on sidetable 1"));
  world.apply(commandOf("take spoon 1 from sidetable 1"));
  world.apply(commandOf("go to microwave 1"));
  assert(!admissible(world).includes("close microwave 1"));
  assert(!admissible(world).some((text) => text.startsWith("heat ")), "a spoon cannot be heated");
});

Deno.test("heating counts in the right place, and cold undoes hot", () => {
  const world = new World(
    dealOf("pick_heat_then_place_in_recep", "kitchen 4", "put a hot egg in countertop", {
      "egg 2": "fridge 1",
    }),
  );
  assertEquals(world.goalConditions(), [0, 3]);
  follow(world, [
    ["go to fridge 1", "You arrive at fridge 1. The fridge 1 is closed.", 0],
    ["open fridge 1", "You open the fridge 1. The fridge 1 is open. In it, you see a egg 2.", 0],
    ["take egg 2 from fridge 1", "You pick up the egg 2 from the fridge 1.", 0],
    ["go to countertop 1", "You arrive at countertop 1. On the countertop 1, you see nothing.", 0],
    ["put egg 2 in/on countertop 1", "You put the egg 2 in/on the countertop 1.", 1],
    ["take egg 2 from countertop 1", "You pick up the egg 2 from the countertop 1.", 0],
    ["go to microwave 1", "You arrive at microwave 1. The microwave 1 is closed.", 0],
    ["heat egg 2 with microwave 1", "You heat the egg 2 using the microwave 1.", 1],
    ["examine egg 2", "This is a hot egg 2.", 1],
    ["go to fridge 1", "You arrive at fridge 1. The fridge 1 is open. In it, you see nothing.", 1],
    ["cool egg 2 with fridge 1", "You cool the egg 2 using the fridge 1.", 0],
    ["examine egg 2", "This is a cold egg 2.", 0],
    ["go to sinkbasin 1", "You arrive at sinkbasin 1. On the sinkbasin 1, you see nothing.", 0],
    ["clean egg 2 with sinkbasin 1", "You clean the egg 2 using the sinkbasin 1.", 0],
    ["examine egg 2", "This is a cool and clean egg 2.", 0],
    ["go to microwave 1", "You arrive at microwave 1. The microwave 1 is closed.", 0],
    ["heat egg 2 with microwave 1", "You heat the egg 2 using the microwave 1.", 1],
    ["examine egg 2", "This is a hot and clean egg 2.", 1],
    ["go to countertop 1", "You arrive at countertop 1. On the countertop 1, you see nothing.", 1],
    ["put egg 2 in/on countertop 1", "You put the egg 2 in/on the countertop 1.", 3],
  ]);
});

Deno.test("one object in place and another one clean are two conditions of three", () => {
  const world = new World(
    dealOf("pick_clean_then_place_in_recep", "kitchen 4", "put a clean spoon in drawer", {
      "spoon 1": "countertop 1",
      "spoon 2": "sinkbasin 1",
    }),
  );
  const obey = (...texts: string[]) => texts.forEach((text) => world.apply(commandOf(text)));
  obey("go to countertop 1", "take spoon 1 from countertop 1", "go to drawer 1", "open drawer 1");
  obey("put spoon 1 in/on drawer 1");
  assertEquals(world.goalConditions(), [1, 3]);
  obey("go to sinkbasin 1", "take spoon 2 from sinkbasin 1", "clean spoon 2 with sinkbasin 1");
  assertEquals(world.goalConditions(), [2, 3]);
  obey("go to drawer 1", "put spoon 2 in/on drawer 1");
  assertEquals(world.goalConditions(), [3, 3]);
});

Deno.test("a look in the light needs the object in hand and the lit lamp in front", () => {
  const script = (world: World, texts: readonly string[]) =>
    texts.map((text) => (world.apply(commandOf(text)), world.goalConditions()));
  const deal = dealOf(
    ...["look_at_obj_in_light", "study 3", "look at book under the desklamp"] as const,
    { "book 1": "drawer 2" },
    "desk 2",
  );
  const world = new World(deal);
  const find = ["go to drawer 2", "open drawer 2", "take book 1 from drawer 2", "go to desk 2"];
  assertEquals(script(world, find), [[0, 2], [0, 2], [1, 2], [1, 2]]);
  assertEquals(world.apply(commandOf("use desklamp 1")), "You turn on the desklamp 1.");
  assertEquals(world.goalConditions(), [2, 2]);

  const early = new World(deal);
  assertEquals(
    early.apply(commandOf("go to desk 2")),
    "You arrive at desk 2. On the desk 2, you see a desklamp 1.",
  );
  assertEquals(script(early, ["use desklamp 1", ...find]), [[1, 2], [0, 2], [0, 2], [1, 2], [2, 2]]);
});

Deno.test("two objects count together only in one receptacle", () => {
  const world = new World(
    dealOf("pick_two_obj_and_place", "study 5", "put two pencil in shelf", {
      "pencil 1": "desk 1",
      "pencil 2": "desk 1",
    }),
  );
  const carry = (object: string, from: string, to: string) => {
    for (
      const text of [
        `go to ${from}`,
        `take ${object} from ${from}`,
        `go to ${to}`,
        `put ${object} in/on ${to}`,
      ]
    ) {
      world.apply(commandOf(text));
    }
    return world.goalConditions();
  };
  assertEquals(carry("pencil 1", "desk 1", "shelf 1"), [1, 2]);
  assertEquals(carry("pencil 2", "desk 1", "shelf 3"), [1, 2]);
  assertEquals(carry("pencil 1", "shelf 1", "shelf 3"), [2, 2]);
});

Deno.test("a copy of a world goes its own way", () => {
  const world = new World(
    dealOf("pick_and_place_simple", "kitchen 4", "put a mug in cabinet", { "mug 1": "countertop 1" }),
  );
  const copy = world.clone();
  copy.apply(commandOf("go to cabinet 1"));
  copy.apply(commandOf("open cabinet 1"));
  assertEquals(world.location, -1);
  assert(!world.isOpen(commandOf("go to cabinet 1")), "receptacles are numbered like the first commands");
  assert(copy.isOpen(commandOf("go to cabinet 1")));
});
