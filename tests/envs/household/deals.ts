/** Deals written out by name, for tests. */
import { type Deal, ROOMS, type TaskKind, TASKS } from "../../../envs/household/rooms.ts";
import { COMMANDS, NONE, OBJECTS, RECEPTACLES } from "../../../envs/household/vocabulary.ts";

/** A deal of the task with this text; `places` is where each object lies. */
export function dealOf(
  kind: TaskKind,
  roomName: string,
  text: string,
  places: Readonly<Record<string, string>>,
  lamp?: string,
): Deal {
  const room = ROOMS.find(({ name }) => name === roomName)!;
  const task = TASKS.get(room)![kind].find((task) => task.text === text);
  if (task === undefined) throw new RangeError(`Cannot deal: ${roomName} has no task "${text}"`);
  return {
    room,
    task,
    lamp: lamp === undefined ? NONE : RECEPTACLES.indexOf(lamp),
    placements: Object.entries(places).map(([object, receptacle]) => [
      OBJECTS.indexOf(object),
      RECEPTACLES.indexOf(receptacle),
    ]),
  };
}

const indices = new Map(COMMANDS.map(({ text }, index) => [text, index]));

/** The index of a command by its text. */
export function commandOf(text: string): number {
  const index = indices.get(text);
  if (index === undefined) throw new RangeError(`Cannot command: "${text}" is not in the vocabulary`);
  return index;
}
