/**
 * Learning curves as SVG, drawn by Vega-Lite. Loading it takes about 0.15 s, so that only the report imports this module.
 *
 * @module
 */

import { parse, resetSVGDefIds, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** One line of a plot. */
export interface CurveSeries {
  /** Name in the legend. A plot of one series has no legend. */
  readonly name: string;
  readonly x: ArrayLike<number>;
  /** Same length as `x`. A point that is not finite leaves a gap. */
  readonly y: ArrayLike<number>;
  /** Lower end of a shaded band around the line, such as an interval; same length as `x`. It needs `hi`. */
  readonly lo?: ArrayLike<number>;
  /** Upper end of the band. */
  readonly hi?: ArrayLike<number>;
}

/** How a plot looks. */
export interface CurveSettings {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Ends of the y axis. Default: the range of the data. */
  readonly yDomain?: readonly [number, number];
  /** Number format of the y axis, as in d3-format: `%` for percentages. */
  readonly yFormat?: string;
  /** Width of the plotting area in pixels. Default 560. */
  readonly width?: number;
  /** Height of the plotting area in pixels. Default 300. */
  readonly height?: number;
}

/** Okabe and Ito's colours for every kind of colour vision (https://jfly.uni-koeln.de/color/), darkest first, black last. */
const COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];

const INK = "#24292f";
const GRID = "#e6e8eb";

/**
 * Draws series over a common x axis, on white so that it can be read on any page. Returns the text of an SVG file. The same
 * data gives the same text.
 *
 * @throws {RangeError} when there is no series, or an array's length is not that of `x`.
 */
export async function learningCurve(
  series: readonly CurveSeries[],
  settings: CurveSettings,
): Promise<string> {
  const spec = compile(curveSpec(series, settings)).spec;
  const view = new View(parse(spec), { renderer: "none" });
  try {
    resetSVGDefIds(); // without this, clip paths continue the numbers of the last plot
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

function curveSpec(series: readonly CurveSeries[], settings: CurveSettings): TopLevelSpec {
  const { title, xLabel, yLabel, yDomain, yFormat, width = 560, height = 300 } = settings;
  const names = series.map(({ name }) => name);
  const x = { field: "x", type: "quantitative", title: xLabel, scale: { nice: false } } as const;
  const yScale = yDomain === undefined ? { zero: false } : { domain: [...yDomain], nice: false };
  const yAxis = yFormat === undefined ? {} : { format: yFormat };
  const color = {
    field: "name",
    type: "nominal",
    scale: { domain: names, range: names.map((_, i) => COLORS[i % COLORS.length]) },
    legend: names.length > 1
      ? {
        title: null,
        orient: "bottom",
        symbolType: "stroke",
        symbolStrokeWidth: 3,
        symbolOpacity: 1,
        labelLimit: 320,
      }
      : null,
  } as const;
  const y = { type: "quantitative", title: yLabel, scale: yScale, axis: yAxis } as const;
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width,
    height,
    background: "white",
    padding: 16,
    title: { text: title, anchor: "start", fontSize: 16, fontWeight: 600, color: INK, offset: 14 },
    data: { values: rowsOf(series) },
    layer: [
      {
        transform: [{ filter: "isValid(datum.lo) && isValid(datum.hi)" }],
        mark: { type: "area", opacity: 0.18, clip: true },
        encoding: { x, y: { ...y, field: "lo" }, y2: { field: "hi" }, color },
      },
      {
        mark: {
          type: "line",
          strokeWidth: 2.25,
          strokeJoin: "round",
          clip: true,
          invalid: "break-paths-show-domains",
        },
        encoding: { x, y: { ...y, field: "y" }, color },
      },
    ],
    config: {
      font: "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif",
      view: { stroke: null },
      axis: {
        labelColor: INK,
        labelFontSize: 11,
        titleColor: INK,
        titleFontSize: 12,
        titleFontWeight: "normal",
        titlePadding: 10,
        gridColor: GRID,
        domainColor: INK,
        tickColor: INK,
        tickSize: 4,
      },
      axisX: { grid: false },
      axisY: { domain: false, ticks: false, labelPadding: 8 },
      legend: { labelColor: INK, labelFontSize: 12 },
    },
  };
}

interface Row {
  readonly name: string;
  readonly x: number;
  readonly y: number | null;
  readonly lo: number | null;
  readonly hi: number | null;
}

function rowsOf(series: readonly CurveSeries[]): Row[] {
  if (series.length === 0) throw new RangeError("Cannot plot: there is no series, give at least one");
  return series.flatMap(({ name, x, y, lo, hi }) => {
    if ((lo === undefined) !== (hi === undefined)) {
      throw new RangeError(`Cannot plot ${name}: only one end of its band is given, give lo and hi`);
    }
    for (const [key, values] of Object.entries({ y, lo, hi })) {
      if (values !== undefined && values.length !== x.length) {
        throw new RangeError(
          `Cannot plot ${name}: ${key} has ${values.length} values and x has ${x.length}, give as many`,
        );
      }
    }
    const at = (values: ArrayLike<number> | undefined, i: number) =>
      values !== undefined && Number.isFinite(values[i]) ? values[i] : null;
    return Array.from(x, (position, i) => ({ name, x: position, y: at(y, i), lo: at(lo, i), hi: at(hi, i) }));
  });
}
