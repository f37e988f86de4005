/**
 * The targets of kernels and steps on two CPU cores with software Vulkan, beside what a run measured.
 *
 * @module
 */
import { formatBytes } from "../../rl/cli/mod.ts";
import { type BenchRow, type BenchRun, shapeKey } from "../types.ts";

/** The clock of a number: CPU time of the threads that play the GPU, or wall time. */
export type Clock = "cpu" | "wall";

/** A target: a lower bound for a number of some rows. */
export interface Target {
  readonly text: string;
  readonly matches: (row: BenchRow) => boolean;
  /** The number to compare. Null if the run has none, or if the target does not use that clock. */
  readonly value: (row: BenchRow, run: MeasuredRun, clock: Clock) => number | null;
  readonly least: number;
  readonly format: (value: number) => string;
}

type MeasuredRun = Pick<BenchRun, "rows" | "ceiling">;

/** A target with the numbers of its rows. */
export interface TargetResult {
  readonly text: string;
  /** Least and largest by each clock, formatted; null if nothing was measured. */
  readonly measured: Readonly<Record<Clock, string | null>>;
  /**
   * Is it reached by both clocks? CPU time halves what one thread does alone, such as a copy to a texture. Wall time includes
   * other work on the machine. Null if nothing was measured.
   */
  readonly isMet: boolean | null;
}

const times = (value: number) => `${value < 10 ? value.toFixed(2) : value.toFixed(1)}x`;
const gigaflops = (value: number) => `${value.toPrecision(3)} GFLOP/s`;
/** Formats a share as a percentage. */
export const percent = (value: number) => `${(100 * value).toFixed(0)}%`;

/** Microseconds of one launch; CPU time is per worker thread. */
const microsecondsOf = ({ busyUs, wallUs }: BenchRow, clock: Clock) =>
  (clock === "cpu" ? busyUs ?? wallUs : wallUs).median;
/** A rate by CPU time: targets in GFLOP/s use that clock alone. */
const gigaflopsOf: Target["value"] = (row, _, clock) =>
  clock === "cpu" ? row.flops / microsecondsOf(row, clock) / 1e3 : null;
/** The ratio over the closest of the named peers. */
const over = (...names: string[]): Target["value"] => (row, { rows }, clock) => {
  const ratios = names.map((name) => {
    if (clock === "cpu") return row.overPeers[name]?.median;
    const peer = rows.find((each) =>
      each.isPeer && each.variant.startsWith(name) && shapeKey(each) === shapeKey(row)
    );
    return peer && peer.wallUs.median / row.wallUs.median;
  });
  return ratios.some((ratio) => ratio === undefined) ? null : Math.min(...ratios as number[]);
};
const overJax = over("jax-js");
const overBoth = over("jax-js", "tfjs-webgpu");
const copyShare: Target["value"] = (row, run, clock) => {
  const { copy } = row.ceiling ?? run.ceiling;
  const rate = clock === "wall" || row.busyUs === null ? copy.wall : copy.busy;
  return rate === null ? null : row.bytes / microsecondsOf(row, clock) / 1e3 / rate;
};

const isMatmul = ({ kernel }: BenchRow) => kernel === "matmul";
const copiesA = ({ name }: BenchRow) => name.includes("A new each launch");
const isForward = (D: number) => ({ kernel, name }: BenchRow) =>
  kernel === "attention" && name.endsWith(` D${D}`);
/** Makes a test for whole steps whose name begins with a text. */
export const isStep = (text: string) => ({ kernel, name }: BenchRow) =>
  kernel === "steps" && name.startsWith(text);

const least = (least: number, format: Target["format"]) => ({ least, format });

/** All targets, in the order of the page. */
export const targets: readonly Target[] = [
  {
    text: "matmul: 10x jax-js and tfjs-webgpu",
    matches: (row) => isMatmul(row) && !copiesA(row),
    value: overBoth,
    ...least(10, times),
  },
  {
    text: "matmul, activations copied each launch: 5x both",
    matches: (row) => isMatmul(row) && copiesA(row),
    value: overBoth,
    ...least(5, times),
  },
  {
    text: "matmul, all transposes: 60 GFLOP/s",
    matches: (row) => isMatmul(row) && !copiesA(row),
    value: gigaflopsOf,
    ...least(60, gigaflops),
  },
  {
    text: "causal attention forward, head size 32: 20x both",
    matches: isForward(32),
    value: overBoth,
    ...least(20, times),
  },
  {
    text: "causal attention forward, head size 64: 15x both",
    matches: isForward(64),
    value: overBoth,
    ...least(15, times),
  },
  {
    text: "attention forward and backward: 8x jax-js",
    matches: ({ kernel, name }) => kernel === "attention" && name.endsWith("backward"),
    value: overJax,
    ...least(8, times),
  },
  {
    text: "linear + log-prob, V 512 to 32768: 60 GFLOP/s",
    matches: ({ kernel }) => kernel === "softmax_logprob",
    value: gigaflopsOf,
    ...least(60, gigaflops),
  },
  {
    text: "log-softmax: 15x jax-js and tfjs-webgpu",
    matches: ({ kernel }) => kernel === "log_softmax",
    value: overBoth,
    ...least(15, times),
  },
  {
    text: "layernorm: 85% of the copy rate",
    matches: ({ kernel }) => kernel === "layernorm",
    value: copyShare,
    ...least(0.85, percent),
  },
  {
    text: "AdamW: 85% of the copy rate",
    matches: ({ kernel }) => kernel === "adamw",
    value: copyShare,
    ...least(0.85, percent),
  },
  {
    text: "SFT step of nano: 10x jax-js",
    matches: isStep("SFT step nano"),
    value: overJax,
    ...least(10, times),
  },
  {
    text: "PPO minibatch of nano: 10x jax-js",
    matches: isStep("PPO minibatch nano"),
    value: overJax,
    ...least(10, times),
  },
  {
    text: "SFT step of mini: 10x jax-js",
    matches: isStep("SFT step mini"),
    value: overJax,
    ...least(10, times),
  },
  {
    text: "rollout: 10000 tokens/s",
    matches: isStep("rollout"),
    value: ({ tokens, wallUs }, _, clock) => clock === "wall" ? (tokens ?? 0) / wallUs.median * 1e6 : null,
    ...least(10_000, (value) => `${value.toFixed(0)} tokens/s`),
  },
];

/** Finds our fastest variant at every shape, except those of the tests. */
export function fastestRows({ rows }: Pick<BenchRun, "rows">): BenchRow[] {
  const fastest = new Map<string, BenchRow>();
  for (const row of rows) {
    if (row.isPeer || row.suite === "cases") continue;
    const best = fastest.get(shapeKey(row));
    if (best === undefined || microsecondsOf(row, "cpu") < microsecondsOf(best, "cpu")) {
      fastest.set(shapeKey(row), row);
    }
  }
  return [...fastest.values()];
}

/** The most memory that a process may take if it runs only PPO minibatches of `mini`, in bytes. */
const MINI_PEAK_BYTES = 2e9;

/** Compares a run with each target. */
export function compareToTargets(run: Pick<BenchRun, "rows" | "ceiling" | "peakBytes">): TargetResult[] {
  return [...targetsOfRows(run), memoryTarget(run)];
}

/** The memory target. Memory is the whole process's, so that only a run of this step alone can tell. */
function memoryTarget({ rows, peakBytes }: Pick<BenchRun, "rows" | "peakBytes">): TargetResult {
  const isAlone = rows.length === 1 && isStep("PPO minibatch mini")(rows[0]);
  const measured = isAlone && peakBytes !== undefined ? peakBytes : null;
  return {
    text: `PPO minibatch of mini, alone: at most ${formatBytes(MINI_PEAK_BYTES)} (2 GB)`,
    measured: { cpu: null, wall: measured === null ? null : formatBytes(measured) },
    isMet: measured === null ? null : measured <= MINI_PEAK_BYTES,
  };
}

/** Formats the least and the most of some numbers; null if there are none. */
export function formatRange(values: readonly number[], format: (value: number) => string): string | null {
  if (values.length === 0) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return values.length === 1 ? format(low) : `${format(low)} to ${format(high)}`;
}

function targetsOfRows(run: MeasuredRun): TargetResult[] {
  const rows = fastestRows(run);
  return targets.map(({ text, matches, value, least, format }) => {
    const valuesOf = (clock: Clock) =>
      rows.filter(matches).map((row) => value(row, run, clock)).filter((each) => each !== null);
    const [cpu, wall] = [valuesOf("cpu"), valuesOf("wall")];
    const all = [...cpu, ...wall];
    return {
      text,
      measured: { cpu: formatRange(cpu, format), wall: formatRange(wall, format) },
      isMet: all.length === 0 ? null : Math.min(...all) >= least,
    };
  });
}
