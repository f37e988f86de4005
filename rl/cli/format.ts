import { outputColumns } from "./terminal.ts";

/** Formats a duration in milliseconds for people: `0.4 s`, `12 s`, `4 m 05 s`, `2 h 03 m`. */
export function formatDuration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return "?";
  const ms = Math.max(0, durationMs);
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
}

const scaled = (value: number, base: number, suffixes: readonly string[]): string => {
  let size = Math.abs(value), power = 0;
  // 999.95 would print as 1000.0: step up before rounding reaches the base.
  while (size >= base * (1 - 5e-5) && power < suffixes.length - 1) [size, power] = [size / base, power + 1];
  const digits = power === 0 ? (Number.isInteger(size) ? 0 : 1) : size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return `${value < 0 ? "-" : ""}${size.toFixed(digits)}${suffixes[power]}`;
};

/** Formats a count for people: `950`, `12.3k`, `4.56M`, `1.20G`. */
export function formatCount(count: number): string {
  return Number.isFinite(count) ? scaled(count, 1000, ["", "k", "M", "G", "T"]) : "?";
}

/** Formats bytes for people: `512 B`, `1.50 MiB`. */
export function formatBytes(bytes: number): string {
  return Number.isFinite(bytes) ? scaled(bytes, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]) : "?";
}

/** Formats a share in [0, 1] for people: 0.9512 becomes `95.1%`. */
export function formatShare(share: number): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(1)}%` : "?";
}

// deno-lint-ignore no-control-regex -- a terminal obeys them
const CONTROLS = /[\x00-\x1f\x7f-\x9f]/g;

/**
 * Formats a table as lines, headers first. Columns with numbers are aligned right, the others left, with two spaces between. Columns
 * that do not fit the terminal follow below, with the first again.
 */
export function formatTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number = outputColumns(),
): string {
  // Names come from files and folders too.
  const all = [headers, ...rows].map((row) => row.map((cell) => cell.replace(CONTROLS, "\ufffd")));
  const widths = headers.map((_, c) => Math.max(...all.map((row) => (row[c] ?? "").length)));
  const isText = headers.map((_, c) => {
    const said = all.slice(1).map((row) => row[c] ?? "").filter((cell) => !["", "-"].includes(cell));
    return c === 0 || said.length > 0 && !said.some((cell) => /^[-+<>~]*[\d.]/.test(cell));
  });
  const padded = (row: readonly string[], c: number) =>
    isText[c] ? (row[c] ?? "").padEnd(widths[c]) : (row[c] ?? "").padStart(widths[c]);
  const line = (row: readonly string[], shown: readonly number[]) =>
    shown.map((c) => padded(row, c)).join("  ").trimEnd();
  const parts: number[][] = [[0]];
  for (let c = 1; c < widths.length; c++) {
    const last = parts.at(-1)!;
    const isFitting = [...last, c].reduce((sum, each) => sum + widths[each] + 2, -2) <= columns;
    if (isFitting || last.length === 1) last.push(c);
    else parts.push([0, c]);
  }
  return parts.map((shown) => all.map((row) => line(row, shown)).join("\n")).join("\n\n");
}

/**
 * Breaks lines that are longer than `columns` between words. What follows stands under what follows the last gap of two blanks
 * or more, as in a list of flags and meanings. A longer word, such as a path, stays whole.
 */
export function foldLines(text: string, columns: number): string {
  return text.split("\n").map((line) => {
    const folded: string[] = [];
    const gap = /^ *\S.*?\S {2,}(?=\S)/.exec(line)?.[0].length ?? /^ */.exec(line)![0].length;
    const indent = gap > columns / 2 ? 4 : gap;
    for (let rest = line;;) {
      const at = rest.lastIndexOf(" ", columns);
      const before = rest.length <= columns ? -1 : at > indent ? at : rest.indexOf(" ", indent + 1);
      if (before === -1) return [...folded, rest].join("\n");
      folded.push(rest.slice(0, before).trimEnd());
      rest = " ".repeat(indent) + rest.slice(before).trimStart();
    }
  }).join("\n");
}

/**
 * Breaks a text into lines of at most `columns` characters, between words: a blank becomes a line feed, so that no character
 * moves. A longer word stays whole.
 */
export function wrapWords(text: string, columns: number): string {
  let wrapped = "", start = 0;
  while (text.length - start > columns) {
    const feed = text.indexOf("\n", start);
    const isShort = feed !== -1 && feed - start <= columns;
    const before = isShort ? feed : text.lastIndexOf(" ", start + columns);
    const at = before > start || isShort ? before : text.slice(start).search(/[ \n]/) + start;
    if (at < start) break;
    wrapped += text.slice(start, at) + "\n";
    start = at + 1;
  }
  return wrapped + text.slice(start);
}

/** Formats a Markdown table as `deno fmt` does: columns of at least three characters, padded to the widest cell. */
export function formatMarkdown(
  headers: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const widths = headers.map((header, c) =>
    Math.max(3, header.length, ...rows.map((row) => String(row[c]).length))
  );
  const line = (row: readonly (string | number)[]) =>
    `| ${row.map((cell, c) => String(cell).padEnd(widths[c])).join(" | ")} |`;
  return [line(headers), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
