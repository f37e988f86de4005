/** Records iterations that no run had, on its own as the arguments say: a folder and its bound. It is there to be killed. */
import type { RecordedHeader, RecordedTurn } from "../../../rl/run/recorded.ts";
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
export const turnWith = (picture: string): RecordedTurn => ({
  ...{ kind: "turn", episode: 0, turn: 0, state: "3 5", prompt: 0, picture, text: "+" },
  ...{ tokens: [1], starts: [0], ends: [1], logprobs: [-1], after: null, entropies: [1], weights: [1] },
  ...{ advantage: 1, valueTarget: null, weight: 1, ratio: null, clipped: null, alternatives: null },
  ...{ attention: null, imageShare: null, parsed: true, actionSpan: [0, 1], action: 1, reward: 0, value: 0 },
  ...{ terminated: false, truncated: false, perception: null, faithful: null, random: [0, 0] },
});

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
