/**
 * The report `docs/results.md`: tables and learning curves, from the summaries under `results/`.
 *
 * @module
 */
import { findEnvironment } from "../../envs/mod.ts";
import { environmentPresets } from "../presets.ts";
import { resultCurves } from "./curves.ts";
import { successMeaning } from "./evaluation.ts";
import { tasks } from "./experiments.ts";
import type { CellResult } from "./result.ts";
import { aggregateTable } from "./aggregate.ts";
import { creditTable } from "./credit_table.ts";
import { changes, newestCells } from "./changes.ts";
import {
  algorithmTable,
  commandTable,
  comparisonTable,
  mainTable,
  overviewTable,
  thoughtTable,
  variantTable,
} from "./tables.ts";

const INTRODUCTION = `\
Written by \`./ponder reproduce\`, which runs or resumes what is missing; what was not run says so. All numbers are
percentages unless they count something. Success is over held-out episodes and is named in each task's heading. Policies
are sampled at their training temperature; greedy takes the most probable token. Two 95% intervals, where there are as
many seeds: _seeds_ is Student's interval over three or more seeds, of what training gives on average on these episodes;
_episodes_ is Wilson's interval of the mean over the held-out episodes, which all seeds share: where
it would lie on other episodes, with the trained weights as they are.
_Success_ and _peak_ are two definitions. _Success_ is ours: the mean over held-out episodes of the policy at the end.
_Peak_ is the published one: the highest success of training episodes, here over four iterations together, the mean over
seeds. The published RL4VLM and CNN + RL rows compare with _peak_ alone, the other published rows with _success_. In the card
games an episode succeeds in both when its return is above 0; in Household when it reaches the goal.

Of thoughts, _perception_ is the share of the picture's fields that are stated correctly; a response is _faithful_ when
its thought fits itself and its action; _thoughts per state_ counts different thoughts over different states, which suits
and face cards multiply where they do not matter; _informed_ is the share of the state's entropy that the thought tells, 0
for one thought whatever is shown, and too high where few states came up twice (Points24); _alarms_ counts the RL
iterations whose thoughts had collapsed (\`rl/thought_alarm.ts\`). A dash is what was not measured or does not apply.

To the commands \`reproduce\` adds a folder for each run, \`--out runs/results/TASK-NAME-sSEED\`, which is where those of
trained policies elsewhere look for weights, and, where a run differs from the default in RL alone, \`--warm-start\` of the
default's folder.

_Steps to 95%_ are environment steps until four iterations of training episodes together succeed that often. _Older than_
names the changes below that a cell is from before: it says what was true then.

Rows of one table may have different seeds: \`./ponder compare A B\` takes the seeds and episodes that two rows share, and gives
the difference with its interval. Defaults were chosen on seeds that are among those reported; \`NumberLine/fresh\` has
seeds on which nothing was chosen.

[Findings](findings.md): what these numbers say, what was tried, and what did not work.`;

/** What cells may be older than. */
const CHANGES = [
  "## Changes since",
  "What changed in training, and the column _older than_ refers to. A cell without a number is from after all that touch it. " +
  "Once an experiment has a newer cell, its older ones are in the table of commands alone. Rows of older cells say so.",
  changes.map(({ version, what }) => `${version}. ${what}`).join("\n"),
].join("\n\n");

/** Says how a task's training differs from its evaluation, so that nobody compares curves with the evaluation. */
function trainingNote(task: string): string {
  const settings = environmentPresets[task]?.trainingSettings ?? [];
  if (settings.length === 0) return "";
  const code = settings.map((setting) => `\`${setting}\``).join(", ");
  return ` The VLM trains with ${code}, which its curves and peaks count, and is evaluated without.`;
}

/** Makes the page, as `deno fmt` would write it, and its plots by file name. */
export async function resultsPage(
  cells: readonly CellResult[],
): Promise<{ markdown: string; plots: Record<string, string> }> {
  const plots: Record<string, string> = {};
  const all = cells.toSorted((a, b) => (a.seed ?? 0) - (b.seed ?? 0));
  const bySeed = newestCells(all);
  const blocks = ["# Results", INTRODUCTION, overviewTable(bySeed), aggregateTable(bySeed), CHANGES];
  for (const task of tasks) {
    const own = bySeed.filter(({ experiment }) => experiment.environment === task);
    blocks.push(
      `## ${task}`,
      `Success: ${successMeaning(findEnvironment(task))}.${trainingNote(task)}`,
      mainTable(task, own),
    );
    for (const { suffix, title, svg } of await resultCurves(task, own)) {
      const name = `${task.toLowerCase()}_${suffix}.svg`;
      plots[name] = svg;
      blocks.push(`![${title}](${name})`);
    }
    const sections = {
      "Ablations": comparisonTable(task, own, "ablation"),
      "The thought alone": comparisonTable(task, own, "controlled"),
      "Mistakes of the demonstrator": comparisonTable(task, own, "mistakes"),
      "Weight of the thought: lambda": comparisonTable(task, own, "lambda"),
      "Algorithms": algorithmTable(task, own),
      "Credit against exact values": creditTable(task, own),
      "Warm starts": comparisonTable(task, own, "warmstart"),
      "Faithfulness kept": comparisonTable(task, own, "faithful"),
      "Quality of thoughts": thoughtTable(task, own),
      "Generalisation": variantTable(task, own, "generalisation"),
      "Out of distribution": variantTable(task, own, "ood"),
    };
    for (const [title, text] of Object.entries(sections)) {
      if (text !== null) blocks.push(`### ${title}`, text);
    }
    const everyCell = all.filter(({ experiment }) => experiment.environment === task);
    blocks.push("### Commands", ...commandTable(task, everyCell));
  }
  return { markdown: blocks.join("\n\n") + "\n", plots };
}
