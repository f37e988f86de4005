/**
 * The targets of kernels and steps on a real GPU, beside what a run measured, by wall time.
 *
 * @module
 */
import type { BenchRow, BenchRun } from "../types.ts";
import { besidePytorch, type PytorchRun } from "./pytorch.ts";
import { fastestRows, formatRange, isStep, percent, type TargetResult } from "./targets.ts";

/** Peaks that the maker of a card states: f32 without tensor cores in GFLOP/s, memory in GB/s. WebGPU does not tell them. */
interface Card {
  readonly adapter: RegExp;
  readonly gigaflops: number;
  readonly gigabytes: number;
}

const CARDS: readonly Card[] = [{ adapter: /H100 80GB HBM3/, gigaflops: 66_900, gigabytes: 3350 }];

interface GpuTarget {
  readonly text: string;
  readonly matches: (row: BenchRow) => boolean;
  /** The number to compare; null if it is not known. */
  readonly value: (row: BenchRow, beside: { card?: Card; pytorch: PytorchRun | null }) => number | null;
  readonly least: number;
  readonly format: (value: number) => string;
}

const times = (value: number) => `${value.toFixed(2)}x`;

const shareOfPeak: GpuTarget["value"] = ({ flops, wallUs }, { card }) =>
  card === undefined ? null : flops / wallUs.median / 1e3 / card.gigaflops;
const shareOfBandwidth: GpuTarget["value"] = ({ bytes, wallUs }, { card }) =>
  card === undefined ? null : bytes / wallUs.median / 1e3 / card.gigabytes;
const overPytorch: GpuTarget["value"] = (row, { pytorch }) =>
  pytorch && (besidePytorch(row, pytorch)?.ratio ?? null);

const isLarge = (kernel: string, part = "") => (row: BenchRow) =>
  row.suite === "large" && row.kernel === kernel && `${row.name};`.includes(part);

const targets: readonly GpuTarget[] = [
  {
    text: "f32 matmul at 4096, all transposes: 40% of the card's peak without tensor cores",
    ...{ matches: isLarge("matmul", "4096x4096x4096"), value: shareOfPeak, least: 0.4, format: percent },
  },
  {
    text: "causal attention forward, head size 64: 35% of that peak",
    ...{ matches: isLarge("attention", "D64;"), value: shareOfPeak, least: 0.35, format: percent },
  },
  {
    text: "elementwise: 70% of the card's bandwidth",
    ...{ matches: isLarge("elementwise"), value: shareOfBandwidth, least: 0.7, format: percent },
  },
  {
    text: "AdamW: 70% of the card's bandwidth",
    ...{ matches: isLarge("adamw"), value: shareOfBandwidth, least: 0.7, format: percent },
  },
  {
    text: "PPO minibatch of nano: 2x PyTorch eager on the card",
    ...{ matches: isStep("PPO minibatch nano"), value: overPytorch, least: 2, format: times },
  },
  {
    text: "rollout of nano: 2x PyTorch eager on the card",
    ...{ matches: isStep("rollout nano"), value: overPytorch, least: 2, format: times },
  },
];

/** Compares a run on a real GPU with each target. */
export function compareToGpuTargets(
  run: Pick<BenchRun, "rows" | "adapter">,
  pytorch: PytorchRun | null,
): TargetResult[] {
  const rows = fastestRows(run);
  const card = CARDS.find(({ adapter }) => adapter.test(run.adapter));
  return targets.map(({ text, matches, value, least, format }) => {
    const values = rows.filter(matches).flatMap((row) => value(row, { card, pytorch }) ?? []);
    return {
      text,
      measured: { cpu: null, wall: formatRange(values, format) },
      isMet: values.length === 0 ? null : Math.min(...values) >= least,
    };
  });
}
