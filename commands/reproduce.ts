/**
 * `reproduce`: runs or resumes the experiments, keeps their summaries under `results/`, and writes `docs/results.md`.
 *
 * @module
 */
import { debugLevel } from "../kernels/gpu/mod.ts";
import { writeFileAtomic } from "../model/files.ts";
import {
  type Cell,
  cellCommand,
  type CellContext,
  cellName,
  cellsOf,
  type CellState,
  cellState,
  isFullyTrained,
  type Places,
  readResults,
  resultPath,
  runCell,
  runPath,
  trainedBy,
} from "../rl/report/cells.ts";
import {
  type Command,
  defineOptions,
  formatTable,
  processConsole,
  runCommand,
  shown,
  suggestion,
  UsageError,
} from "../rl/cli/mod.ts";
import { type Experiment, experiments } from "../rl/report/experiments.ts";
import { estimateSeconds, formatEstimate } from "../rl/report/estimate.ts";
import { resultsPage } from "../rl/report/page.ts";
import { stoppable } from "../rl/run/stop.ts";

const options = defineOptions({
  only: {
    type: "list",
    meaning:
      "experiments to run, by task, name, task/name or group (reference, main, ablation, controlled, mistakes, lambda, " +
      "algorithms, credit, warmstart, faithful, generalisation, ood); all when absent",
  },
  seeds: { type: "list", meaning: "seeds to run each with; 3 to 10 by the experiment when absent" },
  quick: {
    type: "boolean",
    default: false,
    meaning:
      "smoke run of one experiment of each table: one seed, few steps, results under results/quick, nothing learnt",
  },
  renew: {
    type: "boolean",
    default: false,
    meaning: "run again what is from before a change that touches it; the page names the changes",
  },
  list: {
    type: "boolean",
    default: false,
    meaning: "print the cells, how far each is and how long it takes, run nothing",
  },
});

/** The flags that `--quick` adds: enough to see every part work, too little to learn. */
export const QUICK: CellContext["extra"] = {
  train: flags(
    "--demonstrations 200 --sft-steps 20 --perception-gate 0 --env-steps 256 --envs 32 --rollout-steps 4 " +
      "--minibatch 64 --eval-episodes 8",
  ),
  baseline: flags("--env-steps 512 --eval-episodes 8"),
  policy: flags("--episodes 500"),
  variant: flags("--episodes 8"),
};
/** How cells are run: for good, or as a smoke run. */
interface Mode {
  readonly places: Places;
  /** Flags to add, by command. */
  readonly extra: CellContext["extra"];
  /** Seconds of a cell of an experiment that never ran. */
  readonly assumed?: (cell: Cell) => number;
}

/** Seconds of a smoke run's cells on two idle cores: three for a policy without a model, these for training a policy. */
const QUICK_SECONDS: Readonly<Record<string, number>> = { Points24: 35, Household: 30 };

function quickSeconds({ experiment: { command, environment } }: Cell): number {
  if (command === "policy") return 3;
  return command === "train" ? QUICK_SECONDS[environment] ?? 9 : 6;
}

const NOTHING: CellContext["extra"] = { train: [], baseline: [], policy: [], variant: [] };

/** The `reproduce` command. */
export const reproduceCommand: Command<typeof options> = {
  command: "./ponder reproduce",
  summary: "Run or resume every experiment, keep the summaries under results/, and write docs/results.md.",
  examples: [
    "./ponder reproduce",
    "./ponder reproduce --only NumberLine/default --seeds 0",
    "./ponder reproduce --only reference,ood",
    "./ponder reproduce --only NumberLine --renew",
    "./ponder reproduce --quick",
  ],
  options,
  async run({ values }) {
    const results = values.quick ? "results/quick" : "results";
    const places: Places = { results, runs: `runs/${results}` };
    const mode: Mode = values.quick
      ? { places, extra: QUICK, assumed: quickSeconds }
      : { places, extra: NOTHING };
    const given = values.seeds && [...new Set(values.seeds.map(readSeed))];
    const chosen = select(values.only);
    const cells = values.quick
      ? cellsOf(oneOfEach(chosen), given?.slice(0, 1) ?? [0])
      : cellsOf(chosen, given);
    const states: CellState[] = [];
    for (const cell of cells) states.push(await cellState(places, cell));
    const kept = values.renew ? ["done"] : ["done", "older"];
    const todo = cells.filter((_, i) => !kept.includes(states[i]));
    if (values.list) {
      await list(mode, cells, states, todo);
      return 0;
    }
    const code = await runCells(todo, mode);
    await writePage(places);
    return code;
  },
};

/**
 * Runs the cells that can run, one after the other. If a cell fails, the others still run. A signal ends everything, after the
 * child has saved.
 */
async function runCells(
  todo: readonly Cell[],
  { places, extra, assumed }: Mode,
): Promise<number> {
  let child: Deno.ChildProcess | null = null;
  // A terminal sends Ctrl-C to the child too. The child takes both signals for one.
  const stopChild = () => child?.kill("SIGTERM");
  return await stoppable(stopChild, async (isStopped) => {
    const onChild = (started: Deno.ChildProcess | null) => {
      child = started;
      // The signal may have come just before.
      if (isStopped()) stopChild();
    };
    const failed: string[] = [];
    for (const [index, cell] of todo.entries()) {
      const { environment, title } = cell.experiment;
      const label = `${environment}: ${title}${cell.seed === null ? "" : `, seed ${cell.seed}`}`;
      // This is also the case if their training has just failed.
      if (cell.experiment.command === "variant" && !await isFullyTrained(places, cell)) {
        const run = runPath(places, cell);
        const training = cellCommand(places, { ...cell, experiment: trainedBy(cell.experiment) }).join(" ");
        console.error(
          `\nSkipping ${label}: ${run} has no fully trained weights; to train them: ` +
            `./ponder ${training} --out ${run}, with --resume if it was begun`,
        );
        continue;
      }
      const left = estimateSeconds(todo.slice(index), await readResults(places), assumed);
      console.error(`\n[${index + 1}/${todo.length}] ${label}; time left: ${formatEstimate(left)}`);
      const code = isStopped() ? 1 : await runCell(cell, { places, extra, onChild });
      if (isStopped()) {
        console.error(`Stopped at ${cellName(cell)}; the same command goes on from there`);
        return 1;
      }
      if (code === 0) await writePage(places);
      else failed.push(cellName(cell));
    }
    if (failed.length === 0) return 0;
    console.error(`\nFailed: ${failed.join(", ")}; the reasons are above, the same command tries them again`);
    return 1;
  });
}

/** Prints the cells, how far each is, and how long it took or should take. */
async function list(
  { places, assumed }: Mode,
  cells: readonly Cell[],
  states: readonly CellState[],
  todo: readonly Cell[],
): Promise<void> {
  const known = await readResults(places);
  const rows = cells.map((cell, i) => {
    const time = formatEstimate(estimateSeconds([cell], known, assumed));
    return [resultPath(places, cell), states[i], todo.includes(cell) ? time : time.replace("about ", "")];
  });
  processConsole.out(formatTable(["result", "state", "time"], rows) + "\n");
  processConsole.out(`\nTime left: ${formatEstimate(estimateSeconds(todo, known, assumed))}\n`);
}

async function writePage(places: Places): Promise<void> {
  const page = await resultsPage(await readResults(places));
  // The page of a smoke run stays with its results.
  const docs = places.results === "results" ? "docs" : places.results;
  await Deno.mkdir(docs, { recursive: true });
  await writeFileAtomic(`${docs}/results.md`, page.markdown);
  for (const [name, svg] of Object.entries(page.plots)) await writeFileAtomic(`${docs}/${name}`, svg);
}

function select(only: readonly string[] | undefined): readonly Experiment[] {
  if (only === undefined) return experiments;
  const idsOf = (e: Experiment) => [e.environment, e.name, `${e.environment}/${e.name}`, e.group];
  const known = [...new Set(experiments.flatMap(idsOf))];
  for (const id of only) {
    if (known.includes(id)) continue;
    throw new UsageError(`Unknown experiment ${shown(id)}${suggestion(id, known)}`);
  }
  return experiments.filter((experiment) => idsOf(experiment).some((id) => only.includes(id)));
}

/**
 * The first experiment of each table and command of a task, and those that train what it evaluates: a smoke run need not see all
 * that differ in a number.
 */
export function oneOfEach(chosen: readonly Experiment[]): readonly Experiment[] {
  // Policies without a model take no time.
  const kind = ({ environment, group, command, name }: Experiment) =>
    [environment, group, command, ...command === "policy" ? [name] : []].join();
  const firsts = [...Map.groupBy(chosen, kind).values()].map(([first]) => first);
  const needed = new Set([...firsts, ...firsts.map(trainedBy)]);
  return experiments.filter((experiment) => needed.has(experiment));
}

function readSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= 1000) return seed;
  throw new UsageError(`--seeds needs integers from 0 to 1000, got ${shown(text)}`);
}

function flags(text: string): string[] {
  return text.split(" ");
}

if (import.meta.main) {
  Deno.exit(await runCommand(reproduceCommand, Deno.args, { debug: debugLevel > 0 }));
}
