/**
 * The picture of `5_one_update.md`: a response token by token, and the ratios of all turns.
 *
 * @module
 */

/** A turn before and after an update. */
export interface Turn {
  /** Scaled and limited, as the loss has it. */
  readonly advantage: number;
  readonly tokens: readonly {
    readonly text: string;
    /** Log-probability when it was sampled. */
    readonly before: number;
    /** Log-probability after the update. */
    readonly after: number;
    /** lambda for the thought, 1 for the action. */
    readonly weight: number;
  }[];
}

/** exp(sum of weight * change of log p). */
export function ratioOf({ tokens }: Turn): number {
  return Math.exp(tokens.reduce((sum, { before, after, weight }) => sum + weight * (after - before), 0));
}

/** With so many digits, and no sign before a zero. */
export function signless(value: number, digits: number): string {
  return value.toFixed(digits).replace(/^-(0\.0*)$/, "$1");
}

interface Colors {
  readonly page: string;
  readonly ink: string;
  readonly faint: string;
  readonly band: string;
  readonly thought: string;
  readonly action: string;
}

const THEMES: Readonly<Record<string, Colors>> = {
  light: {
    page: "#ffffff",
    ink: "#24292f",
    faint: "#8c959f",
    band: "#eaeef2",
    thought: "#0072b2",
    action: "#d55e00",
  },
  dark: {
    page: "#0d1117",
    ink: "#e6edf3",
    faint: "#7d8590",
    band: "#21262d",
    thought: "#56b4e9",
    action: "#e69f00",
  },
};

const WIDTH = 1000, HEIGHT = 420, ROW = 22, TOP = 96;
/** Horizontal places: token, weight, before, after, and the middle of the bars. */
const AT = { token: 20, weight: 230, before: 300, after: 370, bars: 480 } as const;
const BARS = { half: 80 } as const;
const PLOT = { left: 650, right: 970, top: 72, bottom: 350 } as const;

/** Writes `one_update_light.svg` and `one_update_dark.svg` into a folder. */
export async function drawUpdate(
  turns: readonly Turn[],
  shown: Turn,
  clip: number,
  folder: string,
): Promise<void> {
  for (const [theme, colors] of Object.entries(THEMES)) {
    await Deno.writeTextFile(`${folder}/one_update_${theme}.svg`, draw(turns, shown, clip, colors));
  }
}

function draw(turns: readonly Turn[], shown: Turn, clip: number, colors: Colors): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="${colors.page}"/>`,
    ...drawResponse(shown, clip, colors),
    ...drawRatios(turns, shown, clip, colors),
    "</svg>",
    "",
  ].join("\n");
}

/** A row a token: its text, its weight, its log-probabilities, and what it adds to the log-ratio. */
function drawResponse(turn: Turn, clip: number, colors: Colors): string[] {
  const { ink, faint, thought, action } = colors;
  const parts = turn.tokens.map(({ before, after, weight }) => weight * (after - before));
  const longest = Math.max(...parts.map(Math.abs), 1e-6);
  const lines = [
    text(AT.token, 30, "One response", ink, "start", 'font-size="16" font-weight="bold"'),
    text(
      AT.token,
      54,
      `advantage ${turn.advantage.toFixed(2)}: it did better than the value expected`,
      faint,
    ),
    text(AT.token, 78, "token", faint),
    text(AT.weight, 78, "weight", faint, "end"),
    text(AT.before, 78, "log p", faint, "end"),
    text(AT.after, 78, "after", faint, "end"),
    text(AT.bars, 78, "weight × change", faint, "middle"),
    `<path d="M${AT.bars} ${TOP - 10}V${TOP + turn.tokens.length * ROW - 10}" stroke="${faint}"/>`,
  ];
  turn.tokens.forEach(({ text: token, before, after, weight }, t) => {
    const y = TOP + t * ROW;
    const color = weight === 1 ? action : thought;
    const length = Math.abs(parts[t]) / longest * BARS.half;
    const x = parts[t] < 0 ? AT.bars - length : AT.bars;
    lines.push(
      text(
        AT.token,
        y + 5,
        token,
        color,
        "start",
        'font-family="monospace" font-size="12" xml:space="preserve"',
      ),
      text(AT.weight, y + 5, weight === 1 ? "1" : `λ = ${weight}`, ink, "end"),
      text(AT.before, y + 5, signless(before, 3), ink, "end"),
      text(AT.after, y + 5, signless(after, 3), ink, "end"),
      `<rect x="${round(x)}" y="${y - 6}" width="${round(length)}" height="13" fill="${color}"/>`,
    );
  });
  const ratio = ratioOf(turn);
  const y = TOP + turn.tokens.length * ROW + 16;
  const sum = `sum ${signed(Math.log(ratio))}, so ratio = exp(sum) = ${ratio.toFixed(2)}`;
  const end = ratio > 1 + clip ? `clipped to ${1 + clip}: more of it earns nothing` : "within the clip";
  return [...lines, text(AT.token, y, sum, ink), text(AT.token, y + 22, end, ink)];
}

/** Ratio over advantage of all turns; the shaded corners have no gradient. */
function drawRatios(turns: readonly Turn[], shown: Turn, clip: number, colors: Colors): string[] {
  const { ink, faint, band, thought, action } = colors;
  const { left, right, top, bottom } = PLOT;
  const ratios = turns.map(ratioOf);
  const reach = Math.max(clip * 1.8, ...ratios.map((ratio) => Math.abs(Math.log(ratio)))) * 1.05;
  const x = (advantage: number) => round(left + (advantage + 3) / 6 * (right - left));
  const y = (ratio: number) => round((top + bottom) / 2 - Math.log(ratio) / reach * (bottom - top) / 2);
  const corner = (x0: number, y0: number, x1: number, y1: number) =>
    `<rect x="${x0}" y="${y0}" width="${round(x1 - x0)}" height="${round(y1 - y0)}" fill="${band}"/>`;
  const line = (ratio: number, dash: string) =>
    `<path d="M${left} ${y(ratio)}H${right}" stroke="${faint}" stroke-dasharray="${dash}"/>` +
    text(left - 8, y(ratio) + 4, ratio.toFixed(1), faint, "end");
  return [
    text(left, 30, `All ${turns.length} turns`, ink, "start", 'font-size="16" font-weight="bold"'),
    text(left, 54, "ratio (log scale); shaded: clipped, no gradient", faint),
    corner(x(0), top, right, y(1 + clip)),
    corner(left, y(1 - clip), x(0), bottom),
    line(1 + clip, "4 3"),
    line(1, "none"),
    line(1 - clip, "4 3"),
    `<path d="M${x(0)} ${top}V${bottom}" stroke="${faint}"/>`,
    ...turns.map((turn, i) =>
      `<circle cx="${x(turn.advantage)}" cy="${y(ratios[i])}" r="3" fill="${thought}" fill-opacity="0.6"/>`
    ),
    `<circle cx="${x(shown.advantage)}" cy="${
      y(ratioOf(shown))
    }" r="5" fill="none" stroke="${action}" stroke-width="2"/>`,
    ...[-3, 0, 3].map((value) => text(x(value), bottom + 18, String(value), faint, "middle")),
    text((left + right) / 2, bottom + 38, "advantage (ringed: the response on the left)", faint, "middle"),
  ];
}

function text(x: number, y: number, content: string, fill: string, anchor = "start", more = ""): string {
  const escaped = content.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]!);
  return `<text x="${x}" y="${round(y)}" fill="${fill}" text-anchor="${anchor}" ${more}>${escaped}</text>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
