/**
 * Numbers for people.
 *
 * @module
 */

/** An environment or an algorithm as a list says it: of a file of one's own its name, without the folders. */
export const shortName = (name: string): string => name.split(/[\\/]/).at(-1) || name;

/** A share in percent: 0.9512 becomes `95.1%`. */
export const percent = (share: number | null | undefined): string =>
  share === null || share === undefined || !isFinite(share) ? "–" : `${(100 * share).toFixed(1)}%`;

/** The probability of a choice in percent, whose small ones differ too: `99.7%`, `0.013%`, `< 0.001%`. */
export function chance(probability: number): string {
  if (probability >= 1e-3 || probability === 0) return percent(probability);
  return probability < 1e-5 ? "< 0.001%" : `${Number((100 * probability).toPrecision(2))}%`;
}

/** A number in three digits, a whole one in all. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (!isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e7 || size !== 0 && size < 1e-3) {
    return minus(value.toExponential(1).replace("e+", "e"));
  }
  if (size >= 1000) return minus(Math.round(value).toLocaleString("en"));
  return minus(String(Number.isInteger(value) ? value : Number(value.toPrecision(3))));
}

/** A number with its sign. */
export const signed = (value: number | null | undefined): string =>
  value !== null && value !== undefined && value > 0 ? `+${number(value)}` : number(value);

/** A count: `950`, `12.3k`. */
export function count(value: number): string {
  if (value < 1000) return String(value);
  if (value < 1e6) return `${Number((value / 1e3).toPrecision(3))}k`;
  return `${Number((value / 1e6).toPrecision(3))}M`;
}

/** Ticks of an axis in as few digits as tell them apart, but three if they are not very small: `3.728`, `3.73`. */
export function tickLabels(ticks: readonly number[]): string[] {
  const most = Math.max(...ticks.map(Math.abs));
  for (let digits = 1;; digits++) {
    const labels = ticks.map((tick) => {
      if (most >= 1000 && digits === 1) return count(Math.round(tick));
      const isSmall = tick !== 0 && most < 1e-3;
      return isSmall ? tick.toExponential(digits - 1) : String(Number(tick.toPrecision(digits + 2)));
    });
    if (digits > 7 || new Set(labels).size === labels.length) return labels.map(minus);
  }
}

/** Seconds: `0.4 s`, `12 s`, `4 m 05 s`. */
export function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(value < 1 ? 2 : 1)} s`;
  if (value < 60) return `${Math.round(value)} s`;
  return `${Math.floor(value / 60)} m ${String(Math.round(value % 60)).padStart(2, "0")} s`;
}

/** How long ago: `now`, `5 minutes ago`. */
export function ago(ms: number, nowMs = Date.now()): string {
  const passed = Math.max(0, nowMs - ms) / 1000;
  if (passed < 60) return "now";
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]] as const) {
    const units = Math.floor(passed / size);
    if (units >= 1) return `${units} ${unit}${units === 1 ? "" : "s"} ago`;
  }
  return "now";
}

/** The sign as printers have it; an action that is a sign too. */
export const minus = (text: string): string => text.replace(/-/g, "−");

/** `thoughtDiversity` as words: `thought diversity`. */
export const words = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
