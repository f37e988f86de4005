import { formatDuration } from "../cli/mod.ts";
import { mean } from "../statistics.ts";
import type { Cell } from "./cells.ts";
import type { CellResult } from "./result.ts";

/** How long cells should take. */
export interface Estimate {
  /** Time of the cells that resemble a finished one, in seconds. */
  readonly seconds: number;
  /** Number of cells that resemble none. */
  readonly unknown: number;
}

/**
 * Estimates the time of cells from the wall times of finished cells. The first of these that exists counts:
 *
 * 1. the time of the cell itself,
 * 2. the mean over the other seeds of its experiment,
 * 3. the mean over the same command in its task,
 * 4. the mean over the same command anywhere.
 *
 * With `assumed` the first two count, and then what it says.
 */
export function estimateSeconds(
  cells: readonly Cell[],
  done: readonly CellResult[],
  assumed?: (cell: Cell) => number,
): Estimate {
  let seconds = 0, unknown = 0;
  for (const cell of cells) {
    const { experiment, seed } = cell;
    const sameCommand = done.filter((cell) => cell.experiment.command === experiment.command);
    const sameTask = sameCommand.filter((cell) => cell.experiment.environment === experiment.environment);
    const same = sameTask.filter((cell) => cell.experiment === experiment);
    const own = same.filter((cell) => cell.seed === seed);
    const groups = assumed === undefined ? [own, same, sameTask, sameCommand] : [own, same];
    const relatives = groups.find((group) => group.length > 0);
    if (relatives === undefined && assumed !== undefined) seconds += assumed(cell);
    else if (relatives === undefined) unknown++;
    else seconds += mean(relatives.map(({ summary }) => summary.wall_seconds.total));
  }
  return { seconds, unknown };
}

/** Formats an estimate: `about 4 m 05 s`, `about 4 m 05 s and 2 cells of unknown length`, `unknown`, `none`. */
export function formatEstimate({ seconds, unknown }: Estimate): string {
  const known = seconds > 0 ? `about ${formatDuration(seconds * 1e3)}` : "";
  if (unknown === 0) return known || "none";
  return known === ""
    ? "unknown"
    : `${known} and ${unknown} cell${unknown === 1 ? "" : "s"} of unknown length`;
}
