/**
 * `reproduce`: runs or resumes the experiments, keeps their summaries under `results/`, writes `docs/results.md`.
 *
 * @module
 */
import { readJson, writeFileAtomic } from "../model/mod.ts";
import {
  type Command,
  defineOptions,
  formatDuration,
  runCommand,
  suggestion,
  UsageError,
} from "./cli/mod.ts";
import { cellCommand, type Experiment, experiments } from "./experiments.ts";
import { type CellResult, resultsPage } from "./results_page.ts";
import { RunFolder } from "./run_folder.ts";

const options = defineOptions({
  only: { type: "list", meaning: "experiments to run, by task, name or task/name; all when absent" },
  seeds: { type: "list", default: ["0", "1", "2"], meaning: "seeds to run each with" },
  quick: {
    type: "boolean",
    default: false,
    meaning: "smoke run: one seed, few steps, results under results/quick",
  },
  list: { type: "boolean", default: false, meaning: "print the cells and which are done, run nothing" },
});

/** What `--quick` adds: enough to see every part work, too little to learn. */
const QUICK = [
  ..."--demonstrations 200 --sft-steps 20 --perception-gate 0 --env-steps 512 --eval-episodes 32".split(" "),
];

/** The `reproduce` command. */
export const reproduceCommand: Command<typeof options> = {
  command: "deno task reproduce",
  summary: "Run or resume every experiment, keep the summaries under results/, and write docs/results.md.",
  examples: [
    "deno task reproduce",
    "deno task reproduce --only NumberLine/default --seeds 0",
    "deno task reproduce --quick",
  ],
  options,
  async run({ values }) {
    const results = values.quick ? "results/quick" : "results";
    const given = [...new Set(values.seeds.map(readSeed))];
    const seeds = values.quick ? given.slice(0, 1) : given;
    const cells = select(values.only).flatMap((experiment) => seeds.map((seed) => ({ experiment, seed })));
    const todo = [];
    for (const cell of cells) if (!await isThere(resultPath(results, cell))) todo.push(cell);
    if (values.list) {
      for (const cell of cells) {
        console.log(`${todo.includes(cell) ? "to run" : "done  "}  ${resultPath(results, cell)}`);
      }
      return 0;
    }
    const startMs = performance.now();
    for (const [index, cell] of todo.entries()) {
      const pace = (performance.now() - startMs) / Math.max(1, index);
      const left = index === 0 ? "" : `, ${formatDuration(pace * (todo.length - index))} left`;
      const { experiment: { environment, title }, seed } = cell;
      console.error(`\n[${index + 1}/${todo.length}] ${environment}: ${title}, seed ${seed}${left}`);
      const code = await runCell(cell, results, values.quick ? QUICK : []);
      if (code !== 0) return code;
      await writePage(results);
    }
    if (todo.length === 0) await writePage(results);
    return 0;
  },
};

interface Cell {
  readonly experiment: Experiment;
  readonly seed: number;
}

/** Trains one cell, or goes on with it, in a process of its own; keeps its summary and learning curve. */
async function runCell(cell: Cell, results: string, extra: readonly string[]): Promise<number> {
  const { experiment, seed } = cell;
  const run = `runs/${results}/${experiment.environment}-${experiment.name}-s${seed}`;
  const flags = [...cellCommand(experiment, seed), ...extra];
  const begun = await isThere(`${run}/config.json`);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "train", ...flags, "--out", run, ...begun ? ["--resume"] : []],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (code !== 0) {
    console.error(`Stopped at ${run}; the same command goes on from there`);
    return code;
  }
  const folder = await RunFolder.open(run);
  const curve = (await folder.readMetrics())
    .filter(({ stage }) => stage === "rl")
    .map(({ envSteps, success, parseRate, perception, faithfulness, kl, entropy }) => ({
      envSteps,
      success,
      parseRate,
      perception,
      faithfulness,
      kl,
      entropy,
    }));
  const summary = { ...await folder.readSummary(), command: `./ponder train ${flags.join(" ")}`, curve };
  await Deno.mkdir(`${results}/${experiment.environment}`, { recursive: true });
  await writeFileAtomic(resultPath(results, cell), JSON.stringify(summary, null, 2) + "\n");
  return 0;
}

async function writePage(results: string): Promise<void> {
  const found: CellResult[] = [];
  for (const experiment of experiments) {
    const folder = `${results}/${experiment.environment}`;
    if (!await isThere(folder)) continue;
    for await (const { name } of Deno.readDir(folder)) {
      const match = name.match(/^(.*)-s(\d+)\.json$/);
      if (match?.[1] !== experiment.name) continue;
      const summary = await readJson(`${folder}/${name}`) as CellResult["summary"];
      found.push({ experiment, seed: Number(match[2]), summary });
    }
  }
  const page = await resultsPage(found);
  const docs = results === "results" ? "docs" : results;
  await Deno.mkdir(docs, { recursive: true });
  await writeFileAtomic(`${docs}/results.md`, page.markdown);
  for (const [name, svg] of Object.entries(page.plots)) await writeFileAtomic(`${docs}/${name}`, svg);
}

function resultPath(results: string, { experiment, seed }: Cell): string {
  return `${results}/${experiment.environment}/${experiment.name}-s${seed}.json`;
}

function select(only: readonly string[] | undefined): readonly Experiment[] {
  if (only === undefined) return experiments;
  const idsOf = (e: Experiment) => [e.environment, e.name, `${e.environment}/${e.name}`];
  const known = [...new Set(experiments.flatMap(idsOf))];
  for (const id of only) {
    if (known.includes(id)) continue;
    throw new UsageError(`Unknown experiment "${id}"${suggestion(id, known)}`);
  }
  return experiments.filter((experiment) => idsOf(experiment).some((id) => only.includes(id)));
}

function readSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= 1000) return seed;
  throw new UsageError(`--seeds needs integers from 0 to 1000, got "${text}"`);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

if (import.meta.main) Deno.exit(await runCommand(reproduceCommand, Deno.args));
