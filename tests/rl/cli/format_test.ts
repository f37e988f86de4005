import { assertEquals } from "@std/assert";
import {
  foldLines,
  formatBytes,
  formatCount,
  formatDuration,
  formatMarkdown,
  formatShare,
  formatTable,
  wrapWords,
} from "../../../rl/cli/mod.ts";

const table = <T>(
  name: string,
  format: (value: T) => string,
  rows: readonly (readonly [T, string])[],
): void => {
  for (const [value, expected] of rows) {
    Deno.test(`${name} of ${value} is ${expected}`, () => assertEquals(format(value), expected));
  }
};

table("duration", formatDuration, [
  [0, "0.0 s"],
  [449, "0.4 s"],
  [9_949, "9.9 s"],
  [9_950, "10 s"],
  [59_400, "59 s"],
  [59_600, "1 m 00 s"],
  [245_000, "4 m 05 s"],
  [3_599_600, "1 h 00 m"],
  [7_380_000, "2 h 03 m"],
  [-5, "0.0 s"],
  [NaN, "?"],
  [Infinity, "?"],
]);

table("count", formatCount, [
  [0, "0"],
  [0.25, "0.3"],
  [950, "950"],
  [1000, "1.00k"],
  [12_345, "12.3k"],
  [999_499, "999k"],
  [999_999, "1.00M"],
  [4_560_000, "4.56M"],
  [-1500, "-1.50k"],
  [NaN, "?"],
]);

table("size", formatBytes, [[512, "512 B"], [1536, "1.50 KiB"], [2 ** 31, "2.00 GiB"]]);

table("share", formatShare, [[0, "0.0%"], [0.9512, "95.1%"], [1, "100.0%"], [NaN, "?"]]);

Deno.test("a table aligns numbers right, and text left", () => {
  assertEquals(
    formatTable(["policy", "success"], [["sampled", "95.1%"], ["greedy", "100.0%"]]),
    "policy   success\nsampled    95.1%\ngreedy    100.0%",
  );
  assertEquals(
    formatTable(["run", "state", "left"], [["a", "done", "-"], ["b", "-", "-"], ["c", "trains", "3 s"]]),
    "run  state   left\na    done       -\nb    -          -\nc    trains   3 s",
  );
});

Deno.test("a Markdown table is padded to its widest cells, three characters at least", () => {
  assertEquals(
    formatMarkdown(["n", "policy"], [[1, "sampled"], [20, "-"]]),
    "| n   | policy  |\n| --- | ------- |\n| 1   | sampled |\n| 20  | -       |",
  );
});

Deno.test("text breaks between words, keeps its own line feeds, and no character moves", () => {
  const text = "a short line\none two three four five six, anunbreakablylongword end";
  const wrapped = wrapWords(text, 14);
  assertEquals(wrapped, "a short line\none two three\nfour five six,\nanunbreakablylongword\nend");
  assertEquals(wrapped.replaceAll("\n", " "), text.replaceAll("\n", " "));
  assertEquals(wrapWords(text, Infinity), text);
  assertEquals(wrapWords("", 5), "");
});

Deno.test("a table that is wider than the terminal goes on below, with its first column again", () => {
  const headers = ["policy", "success", "95% interval", "goal"];
  const rows = [["sampled", "95.1%", "90.0% to 97.0%", "97.5%"]];
  const lines = formatTable(headers, rows, 36).split("\n");
  assertEquals(lines, [
    "policy   success    95% interval",
    "sampled    95.1%  90.0% to 97.0%",
    "",
    "policy    goal",
    "sampled  97.5%",
  ]);
  assertEquals(formatTable(headers, rows, Infinity).split("\n").length, 2);
  // A column that fits nowhere is there all the same.
  assertEquals(formatTable(["a", "b".repeat(50)], [["x", "y"]], 20).split("\n").length, 2);
});

Deno.test("lines break between words and keep their margin; a path stays whole", () => {
  const path = "/a/path/that/is/longer/than/the/line";
  assertEquals(foldLines(`  --out PATH   where the run is kept, a folder`, 30).split("\n"), [
    "  --out PATH   where the run",
    "               is kept, a",
    "               folder",
  ]);
  assertEquals(foldLines(`Saved in ${path} at last`, 20).split("\n"), ["Saved in", path, "at last"]);
  assertEquals(foldLines("short\n\n  short too", 40), "short\n\n  short too");
  for (const columns of [10, 20, 40, 80]) {
    const text = "a list of words of which none may be torn apart   and a gap in them";
    assertEquals(foldLines(text, columns).split(/\s+/), text.split(/\s+/));
  }
});
