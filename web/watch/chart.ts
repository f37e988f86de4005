/// <reference lib="dom" />
/**
 * Charts: lines over steps by uPlot, and histograms and bars as drawings.
 *
 * @module
 */
import uPlot from "uplot";
import { h, svg } from "./dom.ts";
import { count, number, percent, tickLabels } from "./format.ts";

/** A line of a chart. */
export interface Line {
  readonly label: string;
  readonly color: string;
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
  /** Drawn faintly: the values that another line is a mean of. */
  readonly isFaint?: boolean;
  /** Lowest and highest of several runs at each x. */
  readonly band?: { readonly low: readonly (number | null)[]; readonly high: readonly (number | null)[] };
}

/** A level across a chart. */
export interface Level {
  readonly label: string;
  readonly y: number;
}

/** What a chart shows. */
export interface ChartData {
  readonly lines: readonly Line[];
  readonly levels?: readonly Level[];
  readonly isShare?: boolean;
  /** Told of the x under the pointer; null when it leaves. */
  readonly onHover?: (x: number | null) => void;
  /** Told of the x that was clicked. */
  readonly onPick?: (x: number) => void;
}

/** From this width on, in pixels, labels of levels stand beside the plot. */
const MIN_GUTTER_WIDTH = 600;

const resolved = new Map<string, string>();

/** A colour of the style sheet, such as `var(--line)`, as a canvas takes it. */
export function color(named: string): string {
  let known = resolved.get(named);
  if (known === undefined) {
    const probe = document.createElement("i");
    probe.style.color = named;
    document.body.append(probe);
    resolved.set(named, known = getComputedStyle(probe).color);
    probe.remove();
  }
  return known;
}

/** Forgets all colours, after a change between dark and light. */
export const forgetColors = (): void => resolved.clear();

/** A colour that lets some of the ground through. */
const faded = (named: string, percent: number): string =>
  color(`color-mix(in srgb, ${named} ${percent}%, transparent)`);

/** A chart of lines in an element, which it fills in width. */
export class LineChart {
  readonly #element: HTMLElement;
  readonly #height: number;
  #plot: uPlot | null = null;
  #lines: readonly Line[] = [];
  #levels: readonly Level[] = [];
  #x: number[] = [];
  #isShare = false;
  readonly #resize: ResizeObserver;

  constructor(element: HTMLElement, height: number) {
    this.#element = element;
    this.#height = height;
    this.#resize = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && this.#plot && this.#plot.width !== width) {
        this.#plot.setSize({ width, height });
      }
    });
    this.#resize.observe(element);
  }

  /** Removes it. */
  dispose(): void {
    this.#resize.disconnect();
    this.#plot?.destroy();
  }

  /** Draws; later calls with lines of the same labels only change the points. */
  draw({ lines, levels = [], isShare = false, onHover, onPick }: ChartData): void {
    const isSame = this.#plot !== null && lines.length === this.#lines.length &&
      lines.every((line, i) =>
        line.label === this.#lines[i].label && line.color === this.#lines[i].color &&
        line.isFaint === this.#lines[i].isFaint && !line.band === !this.#lines[i].band
      );
    [this.#lines, this.#levels, this.#isShare] = [lines, levels, isShare];
    const data = this.#join();
    if (isSame) return this.#plot!.setData(data);
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(onHover, onPick), data, this.#element);
  }

  /** Values of the lines that are not faint at the point nearest to an x, or each line's last if it is null; by label. */
  valuesAt(x: number | null): Map<string, number | null> {
    const at = x === null ? -1 : nearest(this.#x, x);
    const rows = this.#join();
    return new Map(this.#lines.flatMap((line, i) => {
      if (line.isFaint) return [];
      if (x === null) return [[line.label, line.y.findLast((value) => value !== null) ?? null]];
      return [[line.label, at < 0 ? null : (rows[this.#rowOf(i)] as (number | null)[])[at] ?? null]];
    }));
  }

  #rowOf(line: number): number {
    return 1 + this.#lines.slice(0, line).reduce((rows, { band }) => rows + (band ? 3 : 1), 0);
  }

  /** All lines over the steps of all. */
  #join(): uPlot.AlignedData {
    const first = this.#lines[0];
    const isShared = this.#lines.every(({ x }) => x === first.x || sameSteps(x, first.x));
    const x = isShared
      ? first?.x as number[] ?? []
      : [...new Set(this.#lines.flatMap(({ x }) => x as number[]))].sort((a, b) => a - b);
    this.#x = x;
    const spread = (line: Line, y: readonly (number | null)[]) => {
      if (isShared) return y as (number | null)[];
      const at = new Map(line.x.map((step, i) => [step, y[i]]));
      return x.map((step) => at.get(step) ?? (at.has(step) ? null : undefined)) as (number | null)[];
    };
    const rows = this.#lines.flatMap((line) => [
      spread(line, line.y),
      ...line.band ? [spread(line, line.band.high), spread(line, line.band.low)] : [],
    ]);
    return [x, ...rows] as uPlot.AlignedData;
  }

  #options(onHover?: (x: number | null) => void, onPick?: (x: number) => void): uPlot.Options {
    const ink = color("var(--faint)"), grid = color("var(--line)");
    const bands: uPlot.Band[] = [];
    const series: uPlot.Series[] = [{}];
    for (const line of this.#lines) {
      series.push({
        label: line.label,
        stroke: line.isFaint ? faded(line.color, 25) : color(line.color),
        width: line.isFaint ? 1 : 1.75,
        points: { show: line.x.length < 3 },
        spanGaps: true,
      });
      if (!line.band) continue;
      bands.push({ series: [series.length, series.length + 1], fill: faded(line.color, 17) });
      const edge = { stroke: "transparent", width: 0, points: { show: false }, spanGaps: true };
      series.push(edge, edge);
    }
    const font = "11px ui-sans-serif, system-ui, sans-serif";
    const axis = { stroke: ink, font, ticks: { show: false } };
    return {
      width: Math.max(120, this.#element.clientWidth),
      height: this.#height,
      padding: [8, (plot) => this.#gutter(plot.width), 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: "steps", setSeries: false },
        points: { size: 6 },
        drag: { x: false, y: false },
        y: false,
      },
      scales: { x: { time: false }, y: { range: (_, low, high) => this.#range(low, high) } },
      series,
      bands,
      axes: [
        { ...axis, grid: { show: false }, space: 70, size: 24, values: (_, ticks) => ticks.map(count) },
        {
          ...axis,
          grid: { stroke: grid, width: 1 },
          size: (_, labels) =>
            Math.max(46, 12 + 6.5 * Math.max(0, ...(labels ?? []).map(({ length }) => length))),
          space: 34,
          values: (_, ticks) =>
            this.#isShare ? ticks.map((tick) => `${Math.round(100 * tick)}%`) : tickLabels(ticks),
        },
      ],
      hooks: {
        draw: [(plot) => this.#drawLevels(plot)],
        setCursor: [(plot) => {
          const { idx } = plot.cursor;
          onHover?.(idx === null || idx === undefined ? null : plot.data[0][idx]);
        }],
        ready: [(plot) => {
          if (onPick === undefined) return;
          plot.over.addEventListener("click", () => {
            const { idx } = plot.cursor;
            if (idx !== null && idx !== undefined) onPick(plot.data[0][idx]);
          });
        }],
      },
    };
  }

  #range(low: number, high: number): [number, number] {
    if (this.#isShare) return [0, 1.02];
    for (const { y } of this.#levels) [low, high] = [Math.min(low, y), Math.max(high, y)];
    if (!isFinite(low) || !isFinite(high)) return [0, 1];
    // Values that differ by rounding alone leave no room for ticks between them.
    const size = Math.max(Math.abs(low), Math.abs(high));
    if (high - low <= 1e-6 * size) return [low - (size || 1) * 0.1, high + (size || 1) * 0.1];
    const margin = 0.06 * (high - low);
    return [low >= 0 && low < margin * 4 ? 0 : low - margin, high + margin];
  }

  /** Room right of the plot: for labels of levels, if there is any to spare, and for half of the last tick's. */
  #gutter(width: number): number {
    return this.#levels.length > 0 && width >= MIN_GUTTER_WIDTH ? 88 : 16;
  }

  #drawLevels(plot: uPlot): void {
    const { ctx } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * ratio}px ui-sans-serif, system-ui, sans-serif`;
    const isBeside = plot.width >= MIN_GUTTER_WIDTH;
    ctx.textAlign = "left";
    const { left, top, width } = plot.bbox;
    let labelY = -Infinity;
    for (const { label, y } of this.#levels.toSorted((a, b) => b.y - a.y)) {
      const at = Math.round(plot.valToPos(y, "y", true));
      ctx.strokeStyle = color("var(--faint)");
      ctx.globalAlpha = 0.7;
      ctx.lineWidth = ratio;
      ctx.setLineDash([4 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(left, at);
      ctx.lineTo(left + width, at);
      ctx.stroke();
      ctx.globalAlpha = 1;
      ctx.fillStyle = color("var(--faint)");
      if (isBeside) {
        labelY = Math.max(at + 4 * ratio, labelY + 13 * ratio);
        ctx.fillText(label, left + width + 8 * ratio, labelY);
        continue;
      }
      // Over its line; under it at the top, or when another label stands there. On the left, as curves end on the right, and
      // those of success begin below most levels. The ground sets it off from curves.
      const isLow = at - 14 * ratio < top || at - 4 * ratio - labelY < 11 * ratio;
      labelY = Math.max(at + (isLow ? 11 : -4) * ratio, labelY + 11 * ratio);
      ctx.setLineDash([]);
      ctx.strokeStyle = color("var(--raised)");
      ctx.lineWidth = 3 * ratio;
      ctx.strokeText(label, left + 4 * ratio, labelY);
      ctx.fillText(label, left + 4 * ratio, labelY);
    }
    ctx.restore();
  }
}

const sameSteps = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a[0] === b[0] && a.at(-1) === b.at(-1) &&
  a[a.length >> 1] === b[b.length >> 1];

/** Index of the value nearest to x in an ascending list; -1 in an empty one. */
function nearest(values: readonly number[], x: number): number {
  let low = 0, high = values.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] < x) low = middle;
    else high = middle;
  }
  return values.length === 0 ? -1 : x - values[low] <= values[high] - x ? low : high;
}

/** A histogram as a drawing. */
export function histogram(
  { min, max, counts }: { min: number; max: number; counts: readonly number[] },
  { label, note, marks = [] }: { label: string; note: string; marks?: readonly Level[] },
): Node {
  const width = 320, height = 136, base = 114;
  const most = Math.max(...counts, 1);
  // All values alike: one bar in the middle.
  const isOne = max === min;
  const bar = isOne ? 40 : width / counts.length;
  const total = counts.reduce((a, b) => a + b, 0);
  const bars = isOne ? [total] : counts;
  const place = (value: number) => isOne ? width / 2 : width * (value - min) / (max - min);
  const edge = (i: number) => min + (max - min) * i / counts.length;
  const shownMarks = marks.filter(({ y }) => y >= min && y <= max);
  return h(
    "figure",
    { class: "histogram" },
    h("figcaption", {}, label, h("small", {}, note)),
    svg(
      "svg",
      {
        viewBox: `0 0 ${width} ${height}`,
        role: "img",
        "aria-label": `${label}, ${note}: ${total} values from ${number(min)} to ${number(max)}`,
      },
      bars.map((each, i) => {
        const size = each === 0 ? 0 : Math.max(2, (base - 18) * each / Math.max(most, isOne ? total : 0));
        const told = isOne ? `all ${number(min)}` : `from ${number(edge(i))} to ${number(edge(i + 1))}`;
        const x = isOne ? (width - bar) / 2 : i * bar + 1;
        return svg(
          "rect",
          { x, y: base - size, width: Math.max(1, bar - 2), height: size, rx: 1.5, class: "bar" },
          svg("title", {}, `${each} of ${total} (${percent(each / total)}) ${told}`),
        );
      }),
      svg("line", { x1: 0, x2: width, y1: base, y2: base, class: "axis" }),
      shownMarks.map(({ label, y }, i) => {
        const x = place(y);
        const anchor = x < 30 ? "start" : x > width - 30 ? "end" : "middle";
        // Two that are close together share no line of text.
        const isCrowded = i > 0 && x - place(shownMarks[i - 1].y) < 60;
        return svg(
          "g",
          { class: "mark" },
          svg("line", { x1: x, x2: x, y1: 12, y2: base }),
          !isCrowded && svg("text", { x, y: 9, "text-anchor": anchor }, label),
          svg("title", {}, `${label}: ${number(y)}`),
        );
      }),
      svg(
        "text",
        isOne ? { x: width / 2, y: height - 5, "text-anchor": "middle" } : { x: 0, y: height - 5 },
        number(min),
      ),
      !isOne && svg("text", { x: width, y: height - 5, "text-anchor": "end" }, number(max)),
    ),
  );
}
