/** Multi-line rendering of any value, stable enough to diff and to read in a failure. */
export function format(value: unknown): string {
  return Deno.inspect(value, {
    depth: Infinity,
    sorted: true,
    trailingComma: true,
    compact: false,
    iterableLimit: Infinity,
    strAbbreviateSize: Infinity,
    getters: true,
  });
}

/** The optional message as the published package appends it. */
export const suffix = (message?: string): string => message ? `: ${message}` : ".";

const MAX_DIFF_LINES = 400;

/** Line diff of two renderings: `-` is actual, `+` is expected, as in the published package. */
export function diffLines(actual: string, expected: string): string {
  const a = actual.split("\n"), b = expected.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const lines = [
    ...a.slice(Math.max(0, head - 3), head).map((line) => `    ${line}`),
    ...a.slice(head, a.length - tail).map((line) => `-   ${line}`),
    ...b.slice(head, b.length - tail).map((line) => `+   ${line}`),
    ...a.slice(a.length - tail).slice(0, 3).map((line) => `    ${line}`),
  ];
  const cut = lines.length > MAX_DIFF_LINES ? [...lines.slice(0, MAX_DIFF_LINES), "    ..."] : lines;
  return ["", "    [Diff] Actual / Expected", "", ...cut, ""].join("\n");
}
