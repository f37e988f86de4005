/**
 * The charts of a run.
 *
 * @module
 */
import { writeFileAtomic } from "../../model/files.ts";
import type { BenchRun } from "../types.ts";
import { type Bar, barChart, type BarSettings } from "./chart.ts";
import { fastestRows } from "./targets.ts";

/** Draws the charts of a run as `<path>.svg` and `<path>_peers.svg`. Returns the files that it wrote. */
export async function drawCharts(run: BenchRun, path: string): Promise<string[]> {
  const drawn: string[] = [];
  const draw = async (file: string, bars: readonly Bar[], settings: BarSettings) => {
    if (bars.length < 2) return; // one bar compares nothing
    await writeFileAtomic(file, await barChart(bars, settings));
    drawn.push(file);
  };
  await draw(`${path}.svg`, barsOf(run), {
    title: `Share of the ceiling on ${run.adapter}`,
    xLabel: "of copy or multiply-add rate",
    xFormat: "%",
  });
  await draw(`${path}_peers.svg`, peerBarsOf(run), {
    title: `Speed over ${run.peers.join(", ")} on ${run.adapter}`,
    xLabel: "times as fast, median and quartiles",
  });
  return drawn;
}

/** How many times faster our fastest variant is than each peer. */
function peerBarsOf(run: BenchRun): Bar[] {
  return fastestRows(run).flatMap(({ kernel, name, overPeers }) =>
    Object.entries(overPeers).map(([peer, { median, low, high }]) => ({
      group: kernel === "steps" ? name : `${kernel} ${name}`,
      series: `over ${peer}`,
      value: median,
      low,
      high,
    }))
  );
}

/** The bars of large shapes and steps; if none ran, those of all rows. */
function barsOf({ rows }: BenchRun): Bar[] {
  const large = rows.filter(({ suite }) => suite !== "cases");
  return (large.length > 0 ? large : rows).flatMap(({ kernel, name, variant, share }) =>
    share === null ? [] : [{
      group: kernel === "steps" ? name : `${kernel} ${name}`,
      series: kernel === "steps" && variant === "ponder" ? "whole step" : variant,
      value: share,
    }]
  );
}
