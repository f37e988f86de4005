/**
 * The drawn view. It shows what the agent knows, and nothing that is hidden.
 *
 * A 64 x 64 picture of 8 x 8 icons, enlarged to the size of a frame. Reducing the frame to 64 x 64 gives the icons back.
 * Words on it are for people who look at the frame. From top to bottom, in pixels of the picture:
 *
 * | rows | what |
 * |---|---|
 * | 0-7 | the task (sign, object, target), then the hand: object, number, temperature, cleanness |
 * | 8-15 | both in words |
 * | 16-31 | where the agent is, with number, and whether it is closed (red) or open (green) |
 * | 32-47 | what is there: icon and number, the number on red when hot, blue when cold, a blue bar when clean; what the task is about comes first, on yellow |
 * | 48-63 | the room: a cell a kind of receptacle, in it a bar for each, black where the agent is |
 *
 * Everything lies on a grid of 8 x 8 pixels, so that a vision encoder with patches of that size sees it whole.
 */

import { BOLD_FONT, createCanvas2D } from "../shared/canvas.ts";
import { FRAME_PIXELS } from "../shared/frame.ts";
import type { Observation } from "../types.ts";
import { type Icon, ICON_PIXELS, ICONS, MAP_COLOURS, PALETTE } from "./icons.ts";
import type { TaskKind } from "./rooms.ts";
import {
  LAMP,
  NONE,
  objectKind,
  OBJECTS,
  RECEPTACLE_KINDS,
  receptacleKind,
  RECEPTACLES,
  thingName,
} from "./vocabulary.ts";
import type { Condition, World } from "./world.ts";

/** Side of the picture before it is enlarged. */
const PICTURE_PIXELS = 64;

const TASK_SIGNS: Readonly<Record<TaskKind, string>> = {
  pick_and_place_simple: "put",
  look_at_obj_in_light: "light",
  pick_clean_then_place_in_recep: "clean",
  pick_heat_then_place_in_recep: "hot",
  pick_cool_then_place_in_recep: "cold",
  pick_two_obj_and_place: "two",
};

/** Ground of the things that the task is about. */
const RELEVANT_COLOUR = 0xfff080;

/** Grounds of an object's number: hot and cold. */
const CONDITION_COLOURS = { hot: 0xffa0a0, cold: 0xa0c0ff } as const;

/** A line of text to print on the enlarged picture, at its left end and baseline in pixels of the frame, further left if long. */
interface Label {
  readonly text: string;
  readonly x: number;
  readonly y: number;
}

/** The picture of a state, drawn when called. */
export function drawWorld(world: World): Observation {
  const picture = new Picture();
  const labels = [...drawTaskAndHand(picture, world), ...drawPlace(picture, world)];
  drawMap(picture, world);
  const data = enlarge(picture.colours);
  for (const label of labels) print(data, label);
  return Object.freeze({ width: FRAME_PIXELS, height: FRAME_PIXELS, data });
}

/** 64 x 64 colours, 0xRRGGBB, row-major. */
class Picture {
  readonly colours = new Int32Array(PICTURE_PIXELS ** 2).fill(PALETTE.w);

  fill(x: number, y: number, width: number, height: number, colour: number): void {
    for (let row = y; row < y + height; row++) {
      this.colours.fill(colour, row * PICTURE_PIXELS + x, row * PICTURE_PIXELS + x + width);
    }
  }

  icon(name: string, x: number, y: number, scale = 1): void {
    const icon: Icon = ICONS.get(name)!;
    for (let i = 0; i < icon.length; i++) {
      if (icon[i] < 0) continue;
      const column = i % ICON_PIXELS, row = (i - column) / ICON_PIXELS;
      this.fill(x + column * scale, y + row * scale, scale, scale, icon[i]);
    }
  }
}

const numberOf = (name: string): string => name.slice(-1);
const iconOf = (thing: number): string => thing === LAMP ? "desklamp" : objectKind(thing);

function drawTaskAndHand(picture: Picture, world: World): Label[] {
  const { task } = world.deal;
  picture.icon(TASK_SIGNS[task.kind], 0, 0);
  picture.icon(task.object, 8, 0);
  picture.icon(task.target ?? "desklamp", 16, 0);
  picture.icon("hand", 24, 0);
  const { held } = world;
  let words = "nothing";
  if (held !== NONE) {
    const { temperature, isClean } = world.conditionOf(held);
    picture.icon(objectKind(held), 32, 0);
    picture.icon(numberOf(OBJECTS[held]), 40, 0);
    if (temperature !== null) picture.icon(temperature, 48, 0);
    if (isClean) picture.icon("clean", 56, 0);
    words = [temperature, isClean ? "clean" : null, OBJECTS[held]].filter((word) => word !== null).join(" ");
  }
  return [{ text: task.text, x: 4, y: 52 }, { text: `in hand: ${words}`, x: 4, y: 69 }];
}

function drawPlace(picture: Picture, world: World): Label[] {
  const { location } = world;
  if (location === NONE) return [{ text: "in the middle of the room", x: 4, y: 118 }];
  picture.icon(receptacleKind(location), 0, 16, 2);
  picture.icon(numberOf(RECEPTACLES[location]), 16, 16, 2);
  const isOpen = world.isOpen(location);
  picture.fill(32, 16, 8, 16, isOpen ? PALETTE.g : PALETTE.r);
  const things = world.visible();
  // What the task is about comes first: eight things fit, and the others matter less.
  things.sort((a, b) => Number(isRelevant(world, b)) - Number(isRelevant(world, a)));
  things.slice(0, 8).forEach((thing, i) => drawThing(picture, world, thing, 16 * (i % 4), 32 + 8 * (i >> 2)));
  const labels = [
    { text: RECEPTACLES[location], x: 196, y: 102 },
    { text: isOpen ? "is open" : "is closed", x: 196, y: 126 },
  ];
  if (isOpen && things.length === 0) labels.push({ text: "nothing here", x: 4, y: 192 });
  return labels;
}

function isRelevant({ deal: { task } }: World, thing: number): boolean {
  return thing === LAMP ? task.kind === "look_at_obj_in_light" : objectKind(thing) === task.object;
}

function drawThing(picture: Picture, world: World, thing: number, x: number, y: number): void {
  const lit = world.isLampOn ? "hot" : null;
  const { temperature, isClean }: Condition = thing === LAMP
    ? { temperature: lit, isClean: false }
    : world.conditionOf(thing);
  if (isRelevant(world, thing)) picture.fill(x, y, 16, 8, RELEVANT_COLOUR);
  if (temperature !== null) picture.fill(x + 8, y, 8, 8, CONDITION_COLOURS[temperature]);
  if (isClean) picture.fill(x + 8, y + 7, 8, 1, PALETTE.b);
  picture.icon(iconOf(thing), x, y);
  picture.icon(numberOf(thingName(thing)), x + 8, y);
}

function drawMap(picture: Picture, world: World): void {
  for (const receptacle of world.deal.room.receptacles) {
    const cell = RECEPTACLE_KINDS.indexOf(receptacleKind(receptacle));
    const bar = Number(numberOf(RECEPTACLES[receptacle])) - 1;
    const x = 8 * (cell % 8) + 3 * bar, y = 48 + 8 * (cell >> 3);
    picture.fill(x, y, 2, 7, receptacle === world.location ? PALETTE.k : PALETTE[MAP_COLOURS[cell]]);
  }
}

const pixelOf = Uint8Array.from(
  { length: FRAME_PIXELS },
  (_, i) => Math.floor((i * PICTURE_PIXELS) / FRAME_PIXELS),
);

/** RGB bytes of the picture at the size of a frame. */
function enlarge(colours: Int32Array): Uint8Array {
  const rowBytes = FRAME_PIXELS * 3;
  const data = new Uint8Array(FRAME_PIXELS * rowBytes);
  for (let y = 0; y < FRAME_PIXELS; y++) {
    const start = y * rowBytes;
    if (y > 0 && pixelOf[y] === pixelOf[y - 1]) {
      data.copyWithin(start, start - rowBytes, start);
      continue;
    }
    for (let x = 0, at = start; x < FRAME_PIXELS; x++, at += 3) {
      const colour = colours[pixelOf[y] * PICTURE_PIXELS + pixelOf[x]];
      data[at] = colour >> 16;
      data[at + 1] = (colour >> 8) & 255;
      data[at + 2] = colour & 255;
    }
  }
  return data;
}

/** Pixels of a line of text that are not white. */
interface Ink {
  /** Byte offsets from the left end of the baseline. */
  readonly offsets: Int32Array;
  readonly greys: Uint8Array;
  /** Columns from the left end to the last with ink. */
  readonly width: number;
}

const LABEL_FONT = `14px "${BOLD_FONT}"`;
const LABEL_ASCENT = 14;
const LABEL_HEIGHT = 19;

/** A few hundred lines can occur; each is rasterised once. */
const inks = new Map<string, Ink>();

function rasterize(text: string): Ink {
  const canvas = createCanvas2D(FRAME_PIXELS, LABEL_HEIGHT);
  canvas.fillStyle = "white";
  canvas.fillRect(0, 0, FRAME_PIXELS, LABEL_HEIGHT);
  canvas.fillStyle = "black";
  canvas.font = LABEL_FONT;
  canvas.textBaseline = "alphabetic";
  canvas.fillText(text, 0, LABEL_ASCENT);
  const { data: rgba } = canvas.getImageData(0, 0, FRAME_PIXELS, LABEL_HEIGHT);
  const offsets: number[] = [], greys: number[] = [];
  let width = 0;
  for (let pixel = 0; pixel < FRAME_PIXELS * LABEL_HEIGHT; pixel++) {
    const grey = rgba[4 * pixel];
    if (grey === 255) continue;
    offsets.push(3 * (pixel - LABEL_ASCENT * FRAME_PIXELS));
    greys.push(grey);
    width = Math.max(width, pixel % FRAME_PIXELS + 1);
  }
  return { offsets: Int32Array.from(offsets), greys: Uint8Array.from(greys), width };
}

/** Prints a label on the white parts of a frame, no row of which may be shorter than it. */
function print(data: Uint8Array, { text, x, y }: Label): void {
  let ink = inks.get(text);
  if (ink === undefined) inks.set(text, ink = rasterize(text));
  const { offsets, greys, width } = ink;
  const origin = 3 * (y * FRAME_PIXELS + Math.min(x, FRAME_PIXELS - width));
  for (let i = 0; i < offsets.length; i++) data.fill(greys[i], origin + offsets[i], origin + offsets[i] + 3);
}
