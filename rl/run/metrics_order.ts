/**
 * Checks that the lines of `metrics.jsonl` are in the order in which a run writes them: none lost, none twice, none moved.
 *
 * @module
 */
import type { JsonObject } from "./store.ts";

/**
 * Says in words what is wrong with the order of a run's lines; null when nothing is. SFT updates and RL iterations count up
 * from 1, gates name the update before them, and no stage comes back. Unknown stages are passed over.
 */
export function metricsFault(lines: readonly JsonObject[]): string | null {
  let sftUpdates = 0, lastGate = -1, iterations = 0, rank = 0;
  for (const [index, line] of lines.entries()) {
    const fault = (what: string) => `line ${index + 1}: ${what}`;
    const lineRank = rankOf(line);
    if (lineRank === null) continue;
    if (lineRank < rank) return fault(`stage ${String(line.stage)} comes back`);
    // One evaluation a stage.
    if (lineRank === rank && line.stage === "evaluation") {
      return fault(`evaluation after ${line.after} again`);
    }
    rank = lineRank;
    switch (line.stage) {
      case "sft":
        if (line.update !== sftUpdates + 1) return fault(`SFT update ${line.update} follows ${sftUpdates}`);
        sftUpdates++;
        break;
      case "gate":
        if (line.update !== sftUpdates) return fault(`gate ${line.update} follows SFT update ${sftUpdates}`);
        if (line.update === lastGate) return fault(`gate ${line.update} again`);
        lastGate = sftUpdates;
        break;
      case "rl":
        if (line.iteration !== iterations + 1) {
          return fault(`RL iteration ${line.iteration} follows ${iterations}`);
        }
        iterations++;
        break;
    }
  }
  return null;
}

/** The place of a line's stage in a run; null for an unknown stage. */
function rankOf({ stage, after }: JsonObject): number | null {
  switch (stage) {
    case "sft":
    case "gate":
      return 0;
    case "evaluation":
      return after === "sft" ? 1 : 3;
    case "rl":
      return 2;
    default:
      return null;
  }
}
