import { assertEquals } from "@std/assert";
import { estimateLeftMs, formatProgress, Progress } from "../../../rl/cli/mod.ts";

const CLEAR = "\r\x1b[2K";

/** A progress line that writes into a list, at a clock the test sets. */
function recorder(isTerminal: boolean) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const progress = new Progress({
    write: (text) => void written.push(text),
    isTerminal,
    columns: () => 41,
    nowMs: () => clock.ms,
  });
  return { written, clock, progress };
}

Deno.test("the line shows stage, step, fields in order and time left", () => {
  assertEquals(
    formatProgress({
      stage: "rl",
      step: 120,
      total: 1500,
      fields: { success: "83.0%", "tok/s": "1.2k" },
      leftMs: 65_000,
    }),
    "rl  120/1.50k  success 83.0%  tok/s 1.2k  1 m 05 s left",
  );
});

Deno.test("a line too long is cut to the columns", () => {
  assertEquals(formatProgress({ stage: "warm start", step: 1, total: 9 }, 8), "warm st…");
});

Deno.test("time left follows the pace, and is unknown before the first step", () => {
  assertEquals(estimateLeftMs(0, 10, 500), undefined);
  assertEquals(estimateLeftMs(2, 10, 500), 2000);
  assertEquals(estimateLeftMs(12, 10, 500), 0);
});

Deno.test("a terminal sees one line rewritten at most every 100 ms", () => {
  const { written, clock, progress } = recorder(true);
  progress.update({ stage: "sft", step: 0, total: 4 });
  clock.ms = 50;
  progress.update({ stage: "sft", step: 1, total: 4 });
  clock.ms = 1000;
  progress.update({ stage: "sft", step: 2, total: 4 });
  assertEquals(written, [`${CLEAR}sft  0/4`, `${CLEAR}sft  2/4  1.0 s left`]);
});

Deno.test("a new stage starts a new line with its own pace, the last step always shows", () => {
  const { written, clock, progress } = recorder(true);
  progress.update({ stage: "sft", step: 3, total: 4 });
  clock.ms = 1;
  progress.update({ stage: "sft", step: 4, total: 4 });
  clock.ms = 2;
  progress.update({ stage: "rl", step: 0, total: 2 });
  progress.close();
  assertEquals(written, [`${CLEAR}sft  3/4`, `${CLEAR}sft  4/4`, "\n", `${CLEAR}rl  0/2`, "\n"]);
});

Deno.test("a resumed stage measures its pace from where it resumed", () => {
  const { written, clock, progress } = recorder(true);
  progress.update({ stage: "rl", step: 50, total: 100 });
  clock.ms = 1000;
  progress.update({ stage: "rl", step: 60, total: 100 });
  assertEquals(written.at(-1), `${CLEAR}rl  60/100  4.0 s left`);
});

Deno.test("a log gets a plain line at the start, every ten seconds and at the end", () => {
  const { written, clock, progress } = recorder(false);
  for (let step = 0; step <= 25; step++) {
    clock.ms = step * 1000;
    progress.update({ stage: "rl", step, total: 25 });
  }
  progress.close();
  assertEquals(written, ["rl  0/25\n", "rl  10/25  15 s left\n", "rl  20/25  5.0 s left\n", "rl  25/25\n"]);
});

Deno.test("a note clears the live line first", () => {
  const { written, progress } = recorder(true);
  progress.note("adapter: llvmpipe");
  progress.update({ stage: "rl", step: 0, total: 2 });
  progress.note("saved");
  assertEquals(written, ["adapter: llvmpipe\n", `${CLEAR}rl  0/2`, `${CLEAR}saved\n`]);
});

for (const isTerminal of [true, false]) {
  const where = isTerminal ? "a terminal" : "a log";
  Deno.test(`${where} keeps the last state of a stage, also if it came too soon to be drawn`, () => {
    const { written, clock, progress } = recorder(isTerminal);
    progress.update({ stage: "sft", step: 0, total: 400 });
    clock.ms = 1;
    progress.update({ stage: "sft", step: 399, total: 400 });
    progress.update({ stage: "rl", step: 0, total: 2 });
    progress.update({ stage: "rl", step: 1, total: 2 });
    progress.close();
    progress.close();
    const lines = written.join("").split("\n").map((line) => line.split(CLEAR).at(-1)!.slice(0, 12));
    const [first, ...rest] = isTerminal ? ["", ...lines] : lines;
    assertEquals(first, isTerminal ? "" : "sft  0/400");
    assertEquals(rest.map((line) => line.trim()).filter((line) => line !== "rl  0/2"), [
      "sft  399/400",
      "rl  1/2  0.0",
      "",
    ]);
  });
}

Deno.test("a note leaves the line of a stage that is done, and that of one cut short comes again at its end", () => {
  const { written, progress } = recorder(true);
  progress.update({ stage: "sft", step: 4, total: 4 });
  progress.note("perception 99%");
  progress.update({ stage: "rl", step: 1, total: 2 });
  progress.note("stopped");
  progress.close();
  assertEquals(written, [
    `${CLEAR}sft  4/4`,
    "\nperception 99%\n",
    `${CLEAR}rl  1/2`,
    `${CLEAR}stopped\n`,
    `${CLEAR}rl  1/2`,
    "\n",
  ]);
});
