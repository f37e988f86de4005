/**
 * Makes `docs/performance.md` from saved runs.
 *
 * @module
 */
import { formatBytes, formatMarkdown, formatShare } from "../../rl/cli/mod.ts";
import { type BenchRow, type BenchRun, shapeKey } from "../types.ts";
import { compareToGpuTargets } from "./gpu_targets.ts";
import { besidePytorch, type PytorchRun } from "./pytorch.ts";
import { formatRatio, formatSpread, formatUs, rateOf } from "./table.ts";
import { compareToTargets, fastestRows } from "./targets.ts";

/** A saved run with the files that belong to it. */
export interface SavedRun {
  /** Name of the files, without extension; charts are `<name>.svg` and `<name>_peers.svg`. */
  readonly name: string;
  readonly run: BenchRun;
  readonly pytorch: PytorchRun | null;
  /** File names of its charts. */
  readonly charts: readonly string[];
}

/** Makes the text of the page. */
export function performancePage(saved: readonly SavedRun[]): string {
  const blocks = [
    "# Performance",
    [
      "Written by `./ponder bench --report` from the files in [results/bench](../results/bench), which",
      "`scripts/performance.sh` measures. Times are medians with half the distance of the quartiles; ratios are taken",
      "between neighbouring measurements of one run, in which all contenders take turns and agree on the result.",
      "[Lab notes](performance_notes.md): what was tried, and what it gave.",
    ].join("\n"),
    ...saved.flatMap(sectionsOf),
  ];
  return blocks.join("\n\n") + "\n";
}

function sectionsOf({ name, run, pytorch, charts }: SavedRun): string[] {
  const hasBusy = run.rows.some(({ busyUs }) => busyUs !== null);
  const { copy, update, multiplyAdd } = run.ceiling;
  const rate = ({ wall, busy }: { wall: number; busy: number | null }) =>
    `${wall.toFixed(1)}${busy === null ? "" : ` (CPU ${busy.toFixed(1)})`}`;
  const facts = [
    `\`${run.command}\`, ${run.startedAt.slice(0, 10)}, Deno ${run.deno}, ${run.threads} threads` +
    (run.peers.length > 0 ? `, beside ${run.peers.join(", ")}` : "") +
    (run.peakBytes === undefined ? "" : `, peak memory ${formatBytes(run.peakBytes)}`) + ".",
    `Ceilings measured in the same run: copy ${rate(copy)} GB/s, update in place ${
      rate(update)
    } GB/s, multiply-add ${rate(multiplyAdd)} GFLOP/s.`,
    ...(hasBusy
      ? [
        "CPU numbers use the CPU time of the threads that play the GPU, divided by their number. Other work moves it least, so " +
        "the ratios use it. It halves work that one of two threads does alone, such as copying to a texture. That copy is in " +
        'every time except those of matmul without "A new each launch", whose operands are textures already.',
      ]
      : []),
  ].join("\n");
  const kernels = run.rows.filter(({ suite }) => suite === "headline" || suite === "large");
  const steps = run.rows.filter(({ suite }) => suite === "steps");
  return [
    `## ${name}: ${run.adapter}${run.rows.length === 1 ? `, ${run.rows[0].name} alone` : ""}`,
    facts,
    ...targetTable(run, pytorch),
    ...(kernels.length > 0 ? ["### Kernels", kernelTable(run, kernels)] : []),
    ...charts.map((chart) => `![${chart}](../results/bench/${chart})`),
    ...(steps.length > 0 ? ["### Whole steps", stepTable(run, steps, pytorch)] : []),
    ...(pytorch === null ? [] : [
      `PyTorch ${pytorch.torch} eager on ${pytorch.device}: \`${pytorch.command}\`, saved as ${name}-pytorch.json.`,
    ]),
    ...(run.failures?.length
      ? [
        run.failures.map((row) => `- Failed: ${row.kernel} ${row.name} (${row.variant}): ${row.reason}`).join(
          "\n",
        ),
      ]
      : []),
    ...(run.warnings.length > 0 ? [run.warnings.map((warning) => `- ${warning}`).join("\n")] : []),
  ];
}

function targetTable(run: BenchRun, pytorch: PytorchRun | null): string[] {
  const hasBusy = run.rows.some(({ busyUs }) => busyUs !== null);
  const results = hasBusy ? compareToTargets(run) : compareToGpuTargets(run, pytorch);
  // A run of a single step shows that step's targets. A run on a GPU shows those of the rows that it has.
  const isPartial = run.rows.length === 1 || !hasBusy;
  const shown = isPartial ? results.filter(({ isMet }) => isMet !== null) : results;
  if (shown.length === 0) return [];
  const rows = shown.map(({ text, measured: { cpu, wall }, isMet }) => [
    text,
    ...(hasBusy ? [cpu ?? ""] : []),
    wall ?? (isMet === null ? "not measured" : ""),
    isMet === null ? "" : isMet ? "yes" : "no",
  ]);
  return [
    "### Targets",
    `Each target shows the least and the most of its rows.${
      hasBusy ? " It is reached if both clocks say so." : ""
    }`,
    formatMarkdown(["target", ...(hasBusy ? ["by CPU time"] : []), "by wall time", "reached"], rows),
  ];
}

function kernelTable(run: BenchRun, rows: readonly BenchRow[]): string {
  const peers = peersOf(rows);
  const hasBusy = rows.some(({ busyUs }) => busyUs !== null);
  return formatMarkdown(
    [
      "kernel",
      "variant",
      "time",
      "rate",
      ...(hasBusy ? ["CPU rate"] : []),
      "of ceiling",
      "over naive",
      ...peers.map((name) => `over ${name}`),
    ],
    rows.filter(({ isPeer }) => !isPeer).map((row) => [
      `${row.kernel} ${row.name}`,
      row.variant,
      `${formatUs(row.wallUs.median)} ${formatSpread(row.wallUs)}`,
      rateOf(row, row.wallUs.median, run.ceiling),
      ...(hasBusy ? [row.busyUs === null ? "" : rateOf(row, row.busyUs.median, run.ceiling)] : []),
      row.share === null ? "" : formatShare(row.share),
      row.overNaive === null ? "" : formatRatio(row.overNaive),
      ...peers.map((name) => row.overPeers[name] === undefined ? "" : formatRatio(row.overPeers[name])),
    ]),
  );
}

function stepTable(run: BenchRun, rows: readonly BenchRow[], pytorch: PytorchRun | null): string {
  const peers = peersOf(rows);
  const hasBusy = rows.some(({ busyUs }) => busyUs !== null);
  const peerTime = (own: BenchRow, name: string) =>
    rows.find((row) => row.isPeer && shapeKey(row) === shapeKey(own) && row.variant.startsWith(name));
  return formatMarkdown(
    [
      "step",
      "time",
      "rate",
      ...(hasBusy ? ["CPU time"] : []),
      ...peers.flatMap((name) => [name, `over ${name}`]),
      ...(pytorch === null ? [] : ["PyTorch", "over PyTorch"]),
    ],
    fastestRows({ rows }).map((row) => {
      const other = pytorch && besidePytorch(row, pytorch);
      return [
        row.name,
        `${formatUs(row.wallUs.median)} ${formatSpread(row.wallUs)}`,
        rateOf(row, row.wallUs.median, run.ceiling),
        ...(hasBusy ? [row.busyUs === null ? "" : formatUs(row.busyUs.median)] : []),
        ...peers.flatMap((name) => {
          const theirs = peerTime(row, name);
          return [
            theirs === undefined ? "" : formatUs(theirs.wallUs.median),
            row.overPeers[name] === undefined ? "" : formatRatio(row.overPeers[name]),
          ];
        }),
        ...(pytorch === null ? [] : other === null ? ["", ""] : [
          `${formatUs(other.us)} at ${other.threads} thread${other.threads === 1 ? "" : "s"}`,
          `${other.ratio.toFixed(2)}x`,
        ]),
      ];
    }),
  );
}

const peersOf = (rows: readonly BenchRow[]) => [
  ...new Set(rows.flatMap(({ overPeers }) => Object.keys(overPeers))),
];
