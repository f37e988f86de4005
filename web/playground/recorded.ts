/**
 * Recorded runs, for browsers without WebGPU: episodes and a learning curve that were computed elsewhere.
 *
 * @module
 */
import { numberLine } from "../../envs/number_line/number_line.ts";
import type { Frame, Point, Step } from "./protocol.ts";

/** What `demo/recorded.json` holds. */
export interface Recorded {
  readonly episodes: readonly (readonly Step[])[];
  readonly curve: readonly Point[];
}

/** Loads them. Throws `Error` when the file is missing or damaged. */
export async function loadRecorded(): Promise<Recorded> {
  const response = await fetch(new URL("demo/recorded.json", import.meta.url));
  if (!response.ok) throw new Error(`Cannot load demo/recorded.json: ${response.status}`);
  return await response.json();
}

/** The picture of a recorded step: the environment draws it again. */
export function frameOf({ info: { current, target } }: Step): Frame {
  return numberLine.make().reset({ seed: 0, options: { start: current, target } }).observation;
}
