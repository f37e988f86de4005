/**
 * Bar charts as SVG, drawn by Vega-Lite.
 *
 * @module
 */

import { parse, resetSVGDefIds, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** One bar. */
export interface Bar {
  /** Name of its group on the axis. */
  readonly group: string;
  /** Name of its series in the legend. */
  readonly series: string;
  readonly value: number;
  /** Lower end of a line over the bar's end, such as an interval. It needs `high`. */
  readonly low?: number;
  /** Upper end of that line. */
  readonly high?: number;
}

/** How a chart looks. */
export interface BarSettings {
  readonly title: string;
  readonly xLabel: string;
  /** Number format of the axis, as in d3-format. */
  readonly xFormat?: string;
  /** Width of the plotting area in pixels. Default 560. */
  readonly width?: number;
}

/** Okabe and Ito's colours for every kind of colour vision (https://jfly.uni-koeln.de/color/), grey, and one of Paul Tol's. */
const COLORS = [
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#E69F00",
  "#56B4E9",
  "#F0E442",
  "#8c8c8c",
  "#332288",
];
const INK = "#24292f";
const GRID = "#e6e8eb";
const BAR_PX = 11;

/**
 * Draws groups of horizontal bars in the given order, with a colour for each series. Returns the text of an SVG file. The same
 * data gives the same text.
 *
 * @throws {RangeError} when there are no bars or a value is not finite.
 */
export async function barChart(bars: readonly Bar[], settings: BarSettings): Promise<string> {
  if (bars.length === 0) throw new RangeError("Cannot draw bars: there are none, give at least one");
  for (const { group, series, value } of bars) {
    if (!Number.isFinite(value)) {
      throw new RangeError(`Cannot draw ${series} at ${group}: ${value} is no length, leave it out`);
    }
  }
  const view = new View(parse(compile(barSpec(bars, settings)).spec), { renderer: "none" });
  try {
    resetSVGDefIds(); // without this, clip paths continue the numbers of the last chart
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

function barSpec(bars: readonly Bar[], { title, xLabel, xFormat, width = 560 }: BarSettings): TopLevelSpec {
  const series = [...new Set(bars.map((bar) => bar.series))];
  const groups = [...new Set(bars.map((bar) => bar.group))];
  const y = {
    field: "group",
    type: "nominal",
    sort: groups,
    title: null,
    axis: { labelLimit: 640, ticks: false, domain: false },
    scale: { paddingInner: 0.25 },
  } as const;
  const yOffset = { field: "series", sort: series } as const;
  const x = {
    type: "quantitative",
    title: xLabel,
    axis: xFormat === undefined ? {} : { format: xFormat },
  } as const;
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width,
    height: groups.length * (series.length * BAR_PX + 8),
    background: "white",
    padding: 16,
    title: { text: title, anchor: "start", fontSize: 16, fontWeight: 600, color: INK, offset: 14 },
    data: { values: bars.map((bar) => ({ low: null, high: null, ...bar })) },
    layer: [
      {
        mark: { type: "bar" },
        encoding: {
          y,
          yOffset,
          x: { ...x, field: "value" },
          color: {
            field: "series",
            type: "nominal",
            scale: { domain: series, range: series.map((_, i) => COLORS[i % COLORS.length]) },
            legend: series.length > 1 ? { title: null, orient: "bottom" } : null,
          },
        },
      },
      {
        transform: [{ filter: "isValid(datum.low) && isValid(datum.high)" }],
        mark: { type: "rule", color: INK },
        encoding: { y, yOffset, x: { ...x, field: "low" }, x2: { field: "high" } },
      },
    ],
    config: {
      font: "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif",
      view: { stroke: null },
      axis: {
        labelColor: INK,
        titleColor: INK,
        titleFontWeight: "normal",
        gridColor: GRID,
        labelFontSize: 11,
      },
      legend: { labelColor: INK, labelFontSize: 12, labelLimit: 320 },
    },
  };
}
