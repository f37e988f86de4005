import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ICONS, PALETTE } from "../../../envs/household/icons.ts";
import { OBJECT_KINDS, RECEPTACLE_KINDS } from "../../../envs/household/vocabulary.ts";
import type { TaskKind } from "../../../envs/household/rooms.ts";
import { drawWorld } from "../../../envs/household/view.ts";
import { World } from "../../../envs/household/world.ts";
import type { Observation } from "../../../envs/types.ts";
import { commandOf, dealOf } from "./deals.ts";

function worldAfter(places: Record<string, string>, ...commands: string[]): World {
  const world = new World(
    dealOf("pick_heat_then_place_in_recep", "kitchen 4", "put a hot mug in cabinet", places),
  );
  for (const text of commands) world.apply(commandOf(text));
  return world;
}

/** The colour in the middle of a pixel of the 64 x 64 picture, 0xRRGGBB. */
function colourAt({ width, data }: Observation, x: number, y: number): number {
  const at = 3 * (Math.floor((y + 0.5) * (300 / 64)) * width + Math.floor((x + 0.5) * (300 / 64)));
  return (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
}

/** Whether the picture has the icon there, white where the icon is transparent. */
const hasIcon = (picture: Observation, name: string, x: number, y: number, ground = PALETTE.w) =>
  ICONS.get(name)!.every((colour, i) =>
    colourAt(picture, x + (i % 8), y + Math.floor(i / 8)) === (colour < 0 ? ground : colour)
  );

Deno.test("the icons of all kinds differ in more than a few pixels", () => {
  for (const kinds of [OBJECT_KINDS, RECEPTACLE_KINDS, ["1", "2", "3"]]) {
    for (const [i, a] of kinds.entries()) {
      for (const b of kinds.slice(0, i)) {
        const differing = ICONS.get(a)!.filter((colour, pixel) => colour !== ICONS.get(b)![pixel]).length;
        assert(differing >= 6, `${a} and ${b} differ in ${differing} pixels`);
      }
    }
  }
});

Deno.test("the picture shows the task, the hand, the place, its contents and the room", () => {
  const places = { "mug 2": "countertop 1", "apple 1": "countertop 1" };
  const before = drawWorld(worldAfter(places, "go to countertop 1"));
  for (const [i, name] of ["hot", "mug", "cabinet", "hand"].entries()) {
    assert(hasIcon(before, name, 8 * i, 0), `${name} in the first row`);
  }
  // The mug comes first although the apple does in the text: it is what the task asks for.
  const yellow = 0xfff080;
  for (const [i, name] of ["mug", "2", "apple", "1"].entries()) {
    assert(hasIcon(before, name, 8 * i, 32, i < 2 ? yellow : PALETTE.w), `${name} among the contents`);
  }
  assertEquals(colourAt(before, 35, 20), PALETTE.g, "open");
  // Three cabinets and a countertop, no desk, a drawer; in the second row a sidetable and a sinkbasin.
  const mapAt = (y: number, ...places: number[]) => places.map((x) => colourAt(before, x, y));
  const { n, k, w, t, m, b } = PALETTE;
  assertEquals(mapAt(50, 0, 2, 3, 6, 8, 11, 16, 24, 27), [n, w, n, n, k, w, w, t, w], "map");
  assertEquals(mapAt(60, 0, 3, 8, 16), [m, w, b, w], "second row of the map");

  const after = drawWorld(
    worldAfter(
      places,
      ...["go to countertop 1", "take mug 2 from countertop 1", "go to microwave 1"],
      "heat mug 2 with microwave 1",
    ),
  );
  for (const [i, name] of ["mug", "2", "hot"].entries()) assert(hasIcon(after, name, 32 + 8 * i, 0), name);
  assertEquals(colourAt(after, 35, 20), PALETTE.r, "closed");
});

Deno.test("an object put down hot lies on red", () => {
  const picture = drawWorld(
    worldAfter(
      { "mug 1": "countertop 1" },
      ...["go to countertop 1", "take mug 1 from countertop 1", "go to microwave 1"],
      ...["heat mug 1 with microwave 1", "go to countertop 1", "put mug 1 in/on countertop 1"],
    ),
  );
  assert(hasIcon(picture, "mug", 0, 32, 0xfff080));
  assert(hasIcon(picture, "1", 8, 32, 0xffa0a0));
});

Deno.test("the lamp is marked where the task is to look at something in its light, and only there", () => {
  const draw = (kind: TaskKind, task: string) => {
    const world = new World(dealOf(kind, "study 1", task, { "mug 1": "desk 1" }, "desk 1"));
    world.apply(commandOf("go to desk 1"));
    return drawWorld(world);
  };
  const lit = draw("look_at_obj_in_light", "look at mug under the desklamp");
  assert(hasIcon(lit, "desklamp", 16, 32, 0xfff080));
  const placed = draw("pick_and_place_simple", "put a mug in shelf");
  assert(hasIcon(placed, "desklamp", 16, 32));
});

Deno.test("what is behind a closed door, or elsewhere, is not shown; what is open is", () => {
  const draw = (place: string, ...commands: string[]) =>
    drawWorld(worldAfter({ "mug 1": place }, ...commands)).data;
  assertEquals(draw("microwave 1", "go to microwave 1"), draw("fridge 1", "go to microwave 1"));
  assertEquals(draw("countertop 1", "go to sinkbasin 1"), draw("sidetable 1", "go to sinkbasin 1"));
  const open = ["go to microwave 1", "open microwave 1"];
  assertNotEquals(draw("microwave 1", ...open), draw("fridge 1", ...open));
});

Deno.test("the longest words end inside the picture", () => {
  const deal = dealOf("look_at_obj_in_light", "study 1", "look at cellphone under the desklamp", {
    "cellphone 1": "desk 1",
  });
  const world = new World(deal);
  world.apply(commandOf("go to garbagecan 1"));
  const { width, data } = drawWorld(world);
  const pixelAt = (x: number, y: number) => [...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
  // What runs over the right edge would come back at the left one, a row further down.
  for (let y = 38; y < 60; y++) assertEquals(pixelAt(0, y), [255, 255, 255], `the task, row ${y}`);
  for (let y = 88; y < 110; y++) {
    for (const x of [0, 1, 2]) assertEquals(pixelAt(x, y), pixelAt(3, y), `the place, row ${y}`);
  }
});
