/** Finished cells for tests of the report, without training anything. */
import type { EvaluationResult } from "../../../rl/evaluation.ts";
import { cellCommand, PLACES } from "../../../rl/report/cells.ts";
import { LATEST } from "../../../rl/report/changes.ts";
import { type Experiment, experiments } from "../../../rl/report/experiments.ts";
import type { CellResult } from "../../../rl/report/result.ts";

/** `NumberLine/default` */
export const idOf = ({ environment, name }: Experiment) => `${environment}/${name}`;

export const experimentOf = (id: string) => experiments.find((experiment) => idOf(experiment) === id)!;

/** A result of 8 episodes. */
export function resultOf(success: number): EvaluationResult {
  return {
    success,
    ci95: [0, 1],
    goalReached: success,
    meanReturn: 0,
    meanSteps: 2,
    parseRate: 1,
    perception: 0.98,
    faithfulness: 0.875,
    thoughtDiversity: 1.25,
    thoughtInformation: 0.9,
    panel: "0123456789ab",
    outcomes: Array.from({ length: 8 }, (_, i) => Number(i < 8 * success)).join(""),
  };
}

/** A trained cell: half the sampled success after SFT, half on the curve before the end. */
export function cell(
  id: string,
  seed: number | null,
  success: number,
  over: Partial<CellResult["summary"]> = {},
): CellResult {
  const experiment = experimentOf(id);
  const evaluation = { episodes: 8, sampled: resultOf(success), greedy: resultOf(1) };
  const halves = [null, success / 2, success / 2, success / 2, success, success, success, success];
  const summary: CellResult["summary"] = {
    command: `./ponder ${cellCommand(PLACES, { experiment, seed }).join(" ")}`,
    adapter: "a GPU",
    parameters: 520_000,
    evaluation,
    evaluation_after_sft: { ...evaluation, sampled: resultOf(success / 2), greedy: resultOf(0.25) },
    wall_seconds: { total: 90.4 },
    version: LATEST,
    peak_memory_bytes: 600 * 2 ** 20,
    curve: halves.map((share, i) => ({
      envSteps: 256 * (i + 1),
      success: share,
      episodes: share === null ? 0 : 10,
      thoughtAlarm: i === 5 ? ["perception"] : [],
    })),
    ...over,
  };
  return { experiment, seed, summary };
}

/** Writes a result where `reproduce` keeps it. */
export function writeCell(root: string, { experiment, seed, summary }: CellResult): void {
  const folder = `${root}/results/${experiment.environment}`;
  Deno.mkdirSync(folder, { recursive: true });
  const file = `${experiment.name}${seed === null ? "" : `-s${seed}`}.json`;
  Deno.writeTextFileSync(`${folder}/${file}`, JSON.stringify(summary));
}
