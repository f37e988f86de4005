/// <reference lib="dom" />
/**
 * The learning curves of the runs in this page.
 *
 * @module
 */
import uPlot from "uplot";
import type { Point } from "./protocol.ts";

/** Colours of the runs in turn: told apart in light and dark, and by those who see few colours. */
export const COLORS = ["#2f7de1", "#e0782a", "#1a9f77", "#b455c8", "#a08010"] as const;

const HEIGHT = 220;

/** Draws the curves into an element, anew whenever something changes. */
export class Chart {
  readonly #element: HTMLElement;
  #curves: readonly (readonly Point[])[] = [];
  #plot: uPlot | null = null;

  constructor(element: HTMLElement) {
    this.#element = element;
    new ResizeObserver(() => {
      const { clientWidth: width } = element;
      if (this.#plot !== null && width > 0 && width !== this.#plot.width) {
        this.#plot.setSize({ width, height: HEIGHT });
      }
    }).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.show(this.#curves));
  }

  /** Replaces the curves. */
  show(curves: readonly (readonly Point[])[]): void {
    this.#curves = curves;
    const steps = [...new Set(curves.flatMap((curve) => curve.map(({ envSteps }) => envSteps)))].sort((
      a,
      b,
    ) => a - b);
    const series = curves.map((curve) => {
      const byStep = new Map(curve.map(({ envSteps, success }) => [envSteps, success]));
      return steps.map((step) => {
        const success = byStep.get(step);
        return success === null || success === undefined ? null : 100 * success;
      });
    });
    this.#plot?.destroy();
    this.#plot = null;
    this.#element.replaceChildren();
    if (steps.length === 0) {
      const empty = document.createElement("p");
      empty.className = "empty muted";
      empty.textContent = "The curve appears when reward begins.";
      this.#element.append(empty);
      return;
    }
    const style = getComputedStyle(this.#element);
    const [ink, line] = [style.getPropertyValue("color"), "rgb(128 128 128 / 25%)"];
    const axis = {
      stroke: ink,
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
      font: "12px system-ui",
    };
    this.#plot = new uPlot(
      {
        width: Math.max(this.#element.clientWidth, 200),
        height: HEIGHT,
        cursor: { show: false },
        legend: { show: false },
        scales: {
          x: { time: false, range: (_, low, high) => [Math.min(low ?? 0, 0), Math.max(high ?? 0, 256)] },
          y: { range: [0, 101] },
        },
        axes: [{ ...axis, space: 60 }, { ...axis, size: 40 }],
        series: [
          {},
          ...curves.map((_, i) => ({
            stroke: COLORS[i % COLORS.length],
            width: 2.5,
            spanGaps: true,
            points: { show: steps.length < 2 },
          })),
        ],
      },
      [steps, ...series],
      this.#element,
    );
  }
}
