import { assertEquals, assertMatch, assertNotMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { type CurveSeries, learningCurve } from "../../../rl/report/plot.ts";

const LABELS = { title: "Success & loss", xLabel: "environment steps", yLabel: "success" };
const SERIES: CurveSeries = { name: "seed 0", x: [0, 10, 20, 30], y: Float32Array.of(0, 0.5, 0.25, 1) };

/** The vertices of each line mark in drawing order: one path a series, each of one or more strokes. */
function linesIn(svg: string): string[] {
  const group = /class="mark-line role-mark[^]*?<\/g>/g;
  return [...svg.matchAll(group)].flatMap(([text]) => [...text.matchAll(/ d="([^"]*)"/g)].map(([, d]) => d));
}

Deno.test("a curve is an SVG on white with its title, labels and one vertex a point", async () => {
  const svg = await learningCurve([SERIES], { ...LABELS, width: 300, height: 100, yDomain: [0, 1] });
  assertMatch(svg, /^<svg [^>]*>\s*<rect [^>]*fill="white"/);
  for (const text of ["Success &amp; loss", "environment steps", "success"]) assertStringIncludes(svg, text);
  assertEquals(linesIn(svg), ["M0,100L100,50L200,75L300,0"]);
  assertNotMatch(svg, /role-legend/);
});

Deno.test("several series have a legend and colours of their own", async () => {
  const svg = await learningCurve([SERIES, { ...SERIES, name: "no CoT" }], LABELS);
  assertMatch(svg, /role-legend/);
  assertStringIncludes(svg, "seed 0");
  assertStringIncludes(svg, "no CoT");
  const colors = [...svg.matchAll(/aria-roledescription="line mark"[^>]*stroke="(#[^"]+)"/g)].map((
    [, color],
  ) => color);
  assertEquals(colors, ["#0072B2", "#D55E00"]);
});

Deno.test("a point that is not finite leaves a gap in its line", async () => {
  const svg = await learningCurve([{ ...SERIES, y: [0, 1, NaN, 1] }], { ...LABELS, yDomain: [0, 1] });
  assertEquals(linesIn(svg)[0].match(/M/g)?.length, 2);
});

Deno.test("a band is drawn where it is given", async () => {
  assertNotMatch(await learningCurve([SERIES], LABELS), /area mark/);
  assertMatch(await learningCurve([{ ...SERIES, lo: [0, 0, 0, 0], hi: [1, 1, 1, 1] }], LABELS), /area mark/);
});

Deno.test("the same data gives the same file", async () => {
  assertEquals(await learningCurve([SERIES], LABELS), await learningCurve([SERIES], LABELS));
});

Deno.test("no series, ragged arrays and half a band are refused", async () => {
  await assertRejects(() => learningCurve([], LABELS), RangeError, "there is no series");
  await assertRejects(
    () => learningCurve([{ ...SERIES, y: [1] }], LABELS),
    RangeError,
    "Cannot plot seed 0: y has 1 values and x has 4",
  );
  await assertRejects(
    () => learningCurve([{ ...SERIES, hi: [1, 1, 1, 1] }], LABELS),
    RangeError,
    "only one end",
  );
});
