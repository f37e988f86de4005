/** Colours of the pages: text and what is meaningful beside it stand out from every surface, as WCAG 2.2 asks at level AA. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { COLORS } from "../../web/playground/chart.ts";

type Rgb = readonly number[];
type Theme = "light" | "dark";

const rgb = (hex: string): Rgb => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** Source: WCAG 2.2, "relative luminance" and "contrast ratio". */
function contrast(a: Rgb, b: Rgb): number {
  const luminance = (color: Rgb) => {
    const [red, green, blue] = color.map((byte) =>
      byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4
    );
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

/** As `color-mix(in srgb, a share, b)`. */
const mix = (a: Rgb, b: Rgb, share: number): Rgb => a.map((value, i) => share * value + (1 - share) * b[i]);

/** Colours by name, of a style sheet that writes each as `--name: light-dark(#..., #...)`. */
function readColors(path: string, theme: Theme): (name: string) => Rgb {
  const text = Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
  const found = new Map(
    [...text.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);/g)].map(([, name, light, dark]) =>
      [name, rgb(theme === "light" ? light : dark)] as const
    ),
  );
  return (name) => {
    const color = found.get(name);
    assert(color !== undefined, `${path} has no colour --${name}`);
    return color;
  };
}

/** Fails with every pair that is too close. */
function assertContrasts(
  least: number,
  pairs: readonly (readonly [told: string, front: Rgb, back: Rgb])[],
): void {
  const close = pairs.map(([told, front, back]) => [told, contrast(front, back)] as const)
    .filter(([, ratio]) => ratio < least)
    .map(([told, ratio]) => `${told}: ${ratio.toFixed(2)}, needs ${least}`);
  assertEquals(close, []);
}

/** Names in front of names. */
function pairsOf(of: (name: string) => Rgb, fronts: readonly string[], backs: readonly string[]) {
  return fronts.flatMap((front) =>
    backs.map((back) => [`${front} on ${back}`, of(front), of(back)] as const)
  );
}

Deno.test("black on white is 21 to 1, and the darkest grey that passes for text is #767676", () => {
  assertAlmostEquals(contrast(rgb("#000000"), rgb("#ffffff")), 21, 1e-9);
  assert(contrast(rgb("#767676"), rgb("#ffffff")) >= 4.5);
  assert(contrast(rgb("#777777"), rgb("#ffffff")) < 4.5);
});

for (const theme of ["light", "dark"] as const) {
  Deno.test(`text of the watch page is readable on every surface, ${theme}`, () => {
    const of = readColors("web/watch/style.css", theme);
    const surfaces = ["paper", "raised", "sunk"];
    const texts = ["ink", "soft", "faint", "accent", "good", "bad"];
    const chosenRow = mix(of("accent"), of("raised"), 0.12);
    const chosenRun = mix(of("accent"), of("paper"), 0.07);
    const pills = [chosenRun, of("paper"), of("sunk")].flatMap((back) => [
      ["training", of("good"), mix(of("good"), back, 0.14)] as const,
      ["damaged", of("bad"), mix(of("bad"), back, 0.12)] as const,
    ]);
    assertContrasts(4.5, [
      ...pairsOf(of, texts, surfaces),
      ...texts.map((name) => [`${name} on a chosen episode`, of(name), chosenRow] as const),
      ...texts.map((name) => [`${name} on a chosen run`, of(name), chosenRun] as const),
      ...pills,
      ...["plus", "minus"].map((tint) =>
        [`a token that is all ${tint}`, of("ink"), mix(of(tint), of("raised"), 0.62)] as const
      ),
      ["a button", of("accent-ink"), of("accent")],
      ["a tooltip", of("paper"), of("ink")],
    ]);
  });

  Deno.test(`lines, bars, edges and the focus of the watch page stand out, ${theme}`, () => {
    const of = readColors("web/watch/style.css", theme);
    const runs = Array.from({ length: 8 }, (_, i) => `run-${i + 1}`);
    const drawn = ["plus", "minus", "accent", "faint", "edge"];
    assertContrasts(3, [
      ...pairsOf(of, [...runs, ...drawn], ["paper", "raised", "sunk"]),
      ["a bar", mix(of("accent"), of("raised"), 0.85), of("raised")],
    ]);
  });

  Deno.test(`text, curves and edges of the playground stand out, ${theme}`, () => {
    const of = readColors("web/style.css", theme);
    const surfaces = ["paper", "card"];
    assertContrasts(4.5, [
      ...pairsOf(of, ["ink", "muted", "accent", "good", "bad"], surfaces),
      ["a button", of("on-accent"), of("accent")],
      ["text of which the model was unsure", of("ink"), of("warm")],
    ]);
    assertContrasts(3, [
      ...pairsOf(of, ["accent", "edge"], surfaces),
      ...COLORS.map((color) => [`curve ${color}`, rgb(color), of("card")] as const),
    ]);
  });
}
