/**
 * Formats a benchmark run as text.
 *
 * @module
 */
import type { Spread } from "../../kernels/measure.ts";
import { formatBytes, formatCount, formatShare, formatTable } from "../../rl/cli/mod.ts";
import type { TuningTime } from "../tune.ts";
import type { BenchRow, BenchRun, Ceiling, FailedRow, KernelShare } from "../types.ts";
import type { compareRuns } from "./compare.ts";

/** Formats microseconds: `12.3 us`, `4.56 ms`. */
export function formatUs(us: number): string {
  if (us < 999.5) return `${us.toPrecision(3)} us`;
  if (us < 999_500) return `${(us / 1e3).toPrecision(3)} ms`;
  return `${(us / 1e6).toPrecision(3)} s`;
}

/** Formats a spread: half the distance of the quartiles over the median, `±3%`. */
export function formatSpread({ median, low, high }: Spread): string {
  const percent = (high - low) / 2 / median * 100;
  return `±${percent < 9.5 ? percent.toFixed(1) : percent.toFixed(0)}%`;
}

/** Formats a ratio with its spread: `10.9x ±2.0%`. */
export function formatRatio(ratio: Spread): string {
  const { median } = ratio;
  return `${median < 10 ? median.toFixed(2) : median.toFixed(1)}x ${formatSpread(ratio)}`;
}

/** Formats the rate of a row: in tokens, or in arithmetic or bytes, whichever limits it. */
export function rateOf(row: BenchRow, us: number, ceiling: Ceiling): string {
  if (row.tokens !== undefined && row.name.startsWith("rollout")) {
    return `${formatCount(row.tokens / us * 1e6)} tokens/s`;
  }
  const flopsShare = row.flops / ceiling.multiplyAdd.wall;
  const bytesShare = row.bytes / ceiling.copy.wall;
  if (flopsShare === 0 && bytesShare === 0) return "";
  return flopsShare >= bytesShare
    ? `${(row.flops / us / 1e3).toPrecision(3)} GFLOP/s`
    : `${(row.bytes / us / 1e3).toPrecision(3)} GB/s`;
}

/** Formats all rows by suite, with the machine's ceilings above. */
export function formatRun(run: BenchRun): string {
  const { ceiling, rows, failures = [] } = run;
  const peers = [...new Set(rows.flatMap(({ overPeers }) => Object.keys(overPeers)))];
  const hasBusy = rows.some(({ busyUs }) => busyUs !== null);
  const headers = [
    "case",
    "variant",
    "wall",
    "spread",
    "rate",
    ...(hasBusy ? ["CPU time", "spread", "CPU rate"] : []),
    "of ceiling",
    "over naive",
    ...peers.map((name) => `over ${name}`),
  ];
  const line = (row: BenchRow): string[] => [
    titleOf(row),
    row.variant,
    formatUs(row.wallUs.median),
    formatSpread(row.wallUs),
    rateOf(row, row.wallUs.median, ceiling),
    ...(hasBusy ? busyColumns(row, ceiling) : []),
    row.share === null ? "" : formatShare(row.share),
    row.overNaive === null ? "" : formatRatio(row.overNaive),
    ...peers.map((name) => row.overPeers[name] === undefined ? "" : formatRatio(row.overPeers[name])),
  ];
  const rate = (value: { wall: number; busy: number | null }, unit: string) =>
    `${value.wall.toFixed(1)} ${unit}` + (value.busy === null ? "" : ` (CPU ${value.busy.toFixed(1)})`);
  const sections = (["cases", "headline", "large", "steps"] as const)
    .map((suite) => ({
      suite,
      lines: [
        ...rows.filter((row) => row.suite === suite).map(line),
        ...failures.filter((row) => row.suite === suite).map((row) => [titleOf(row), row.variant, "failed"]),
      ],
    }))
    .filter(({ lines }) => lines.length > 0)
    .map(({ suite, lines }) => `${suite}\n${formatTable(headers, lines)}`);
  return [
    `${run.adapter}, ${run.threads} threads, Deno ${run.deno}${
      run.peakBytes === undefined ? "" : `, peak memory ${formatBytes(run.peakBytes)}`
    }`,
    `ceilings: copy ${rate(ceiling.copy, "GB/s")}, in-place update ${
      rate(ceiling.update, "GB/s")
    }, multiply-add ${rate(ceiling.multiplyAdd, "GFLOP/s")}`,
    ...(hasBusy
      ? [
        "CPU time and rate: per worker thread of software Vulkan; other work moves them less than wall time, not never",
      ]
      : []),
    "",
    [...sections, ...failures.length > 0 ? [formatFailures(failures)] : []].join("\n\n"),
  ].join("\n");
}

/** Names a row for people. */
export const titleOf = ({ kernel, name }: Pick<BenchRow, "kernel" | "name">): string =>
  kernel === "steps" ? name : `${kernel} ${name}`;

/** Formats what failed and why, a line each. */
export function formatFailures(failures: readonly FailedRow[]): string {
  const lines = failures.map((row) => `${titleOf(row)} (${row.variant}): ${row.reason}`);
  return ["failed", ...lines].join("\n");
}

const busyColumns = (row: BenchRow, ceiling: Ceiling): string[] =>
  row.busyUs === null ? ["", "", ""] : [
    formatUs(row.busyUs.median),
    formatSpread(row.busyUs),
    rateOf(row, row.busyUs.median, ceiling),
  ];

/** Formats the GPU time by kernel of the rows that were profiled. */
export function formatProfiles(rows: readonly BenchRow[]): string {
  return rows.flatMap(({ kernel, name, variant, profile }) =>
    profile === undefined ? [] : [`${kernel} ${name} (${variant})\n${formatProfile(profile)}`]
  ).join("\n\n");
}

function formatProfile(profile: readonly KernelShare[]): string {
  const totalUs = profile.reduce((sum, row) => sum + row.totalUs, 0);
  return formatTable(
    ["kernel", "dispatches", "GPU time", "share"],
    profile.map((row) => [
      row.kernel,
      String(row.count),
      formatUs(row.totalUs),
      formatShare(row.totalUs / totalUs),
    ]),
  );
}

/** Formats what tuning measured. The launch that names no variant is the adapter's usual one. */
export function formatTuning(times: readonly TuningTime[]): string {
  return formatTable(
    ["kernel", "variant", "time"],
    times.map(({ kernelCase: { kernel, name }, variant, elapsedUs }) => [
      `${kernel} ${name}`,
      variant ?? "(usual)",
      elapsedUs === Infinity ? "far behind" : formatUs(elapsedUs),
    ]),
  );
}

/** Formats the comparison of two runs. A difference that is noise is marked as such. */
export function formatComparison(
  { by, changes }: ReturnType<typeof compareRuns>,
  before: BenchRun,
  after: BenchRun,
): string {
  const counts = new Map<string, number>();
  for (const { verdict } of changes) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  const moved = (key: "copy" | "multiplyAdd") => {
    const [a, b] = [before.ceiling[key], after.ceiling[key]];
    const ratio = a.busy !== null && b.busy !== null ? b.busy / a.busy : b.wall / a.wall;
    return `${ratio.toFixed(2)}x`;
  };
  const side = (spread: Spread | null) =>
    spread === null ? "" : `${formatUs(spread.median)} ${formatSpread(spread)}`;
  const table = formatTable(
    ["case", "variant", "before", "after", "speedup", "verdict"],
    changes.map(({ key, variant, beforeUs, afterUs, speedup, verdict }) => [
      key,
      variant,
      side(beforeUs),
      side(afterUs),
      speedup === null ? "" : `${speedup.toFixed(2)}x`,
      verdict,
    ]),
  );
  return [
    table,
    "",
    `By ${by === "busy" ? "CPU time of the worker threads" : "wall time"}: ${
      [...counts].map(([verdict, count]) => `${count} ${verdict}`).join(", ")
    }.`,
    `Ceilings of the second run over the first: copy ${moved("copy")}, multiply-add ${moved("multiplyAdd")}.`,
    "Verdicts know the spread within each run: if the machine's load changed in between, that counts as change too.",
    ...(before.adapter === after.adapter
      ? []
      : [`The adapters differ: ${before.adapter} and ${after.adapter}.`]),
  ].join("\n");
}
