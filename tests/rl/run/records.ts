/** Records iterations that no run had, on its own as the arguments say: a folder and its bound. It is there to be killed. */
import type { RecordedHeader, RecordedLine } from "../../../rl/run/recorded.ts";
import { Recording, recordingFile } from "../../../rl/run/recording.ts";

/** The header of an iteration. */
export const header = (iteration: number): RecordedHeader => ({
  ...{ kind: "header", format: 1, stage: "rl", iteration, actions: ["-"], lambda: 1, temperature: 1 },
  ...{ objective: null, turns: 0, minibatches: [], plannedUpdates: 0, klStop: null, seconds: {} },
  histograms: { advantage: null, valueTarget: null, episodeReturn: null, ratio: null },
  prompts: ["x".repeat(500)],
  grid: null,
});

/** A turn that names a picture. */
export const turnWith = (picture: string) => ({ kind: "turn", picture }) as unknown as RecordedLine;

/** Records iterations, each with a picture of its own. */
export function recordRange(recording: Recording, from: number, to: number, onBegin = () => {}): void {
  for (let iteration = from; iteration <= to; iteration++) {
    onBegin();
    const picture = recording.addPicture(Uint8Array.of(iteration & 255, iteration >> 8));
    recording.add(recordingFile(iteration), [header(iteration), turnWith(picture)]);
  }
}

if (import.meta.main) {
  const [path, limit] = Deno.args;
  // A letter for each iteration that it begins.
  recordRange(new Recording(path, Number(limit)), 1, 200, () => Deno.stdout.writeSync(Uint8Array.of(46)));
}
