import { formatMarkdown } from "../cli/mod.ts";
import { mean } from "../statistics.ts";
import { experiments } from "./experiments.ts";
import type { CellResult, CurvePoint } from "./result.ts";

/** Iterations that count as the beginning, and as the end. */
const FEW = 2;

const INTRODUCTION =
  "Short runs from the default's warm start, with `--exact-credit`: means over seeds. _Cosine_ is that of the advantages with the " +
  "exact ones, Q* less its mean over the turns in the same state: 1 is perfect credit, 0 none. _Regret_ is what a turn gives away, " +
  `in units of return, in the first ${FEW} iterations and in the last ${FEW}. Algorithms play different numbers of steps an iteration.`;

/**
 * Makes a table of the algorithms against exact action values: how well their advantages agree with them, and what is given away.
 * Null if the task has no such experiments.
 */
export function creditTable(task: string, cells: readonly CellResult[]): string | null {
  const chosen = experiments.filter(({ environment, group }) => environment === task && group === "credit");
  if (chosen.length === 0) return null;
  const header = ["algorithm", "seeds", "cosine", "regret at first", "regret at last", "environment steps"];
  const rows = chosen.map((experiment) => {
    const curves = cells.filter((cell) => cell.experiment === experiment)
      .map(({ summary: { curve = [] } }) => curve).filter(({ length }) => length > 0);
    if (curves.length === 0) return [experiment.title, "-", "not run", "-", "-", "-"];
    const over = (read: (point: CurvePoint) => number | null | undefined, start?: number, end?: number) => {
      const values = curves.flatMap((curve) => curve.slice(start, end).map(read)).filter((v) => v != null);
      return values.length === 0 ? "-" : mean(values).toFixed(2);
    };
    return [
      experiment.title,
      String(curves.length),
      over(({ advantageCosine }) => advantageCosine),
      over(({ regret }) => regret, 0, FEW),
      over(({ regret }) => regret, -FEW),
      mean(curves.map((curve) => curve.at(-1)!.envSteps)).toFixed(0),
    ];
  });
  return `${INTRODUCTION}\n\n${formatMarkdown(header, rows)}`;
}
