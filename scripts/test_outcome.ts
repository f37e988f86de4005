/** What processes of `deno test` printed, put together as if there had been one. */

/** What a process of tests came to. */
export interface Outcome {
  /** Its report of each file. */
  readonly report: string;
  /** What Deno prints of failures after that: stacks, and a list of names. Empty if there are none. */
  readonly errors: string;
  readonly failures: string;
  readonly counts: Counts;
}

/** What Deno's closing line counts. */
export type Counts = Readonly<Record<"passed" | "failed" | "ignored" | "filtered out", number>>;

// deno-lint-ignore no-control-regex -- colours
const COLOURS = /\x1b\[[\d;]*m/g;
const CLOSING = /^(ok|FAILED) \| \d+ passed/;
const SECTION = /^ (ERRORS|FAILURES) $/;

/** Reads the output of `deno test`. Output without its closing line counts as a failure of all its files. */
export function readOutcome(out: string, code: number, files: readonly string[]): Outcome {
  const parts = { report: [] as string[], ERRORS: [] as string[], FAILURES: [] as string[] };
  let into = parts.report;
  let closing: string | null = null;
  for (const line of out.split("\n")) {
    const plain = line.replace(COLOURS, "");
    const section = plain.match(SECTION)?.[1] as "ERRORS" | "FAILURES" | undefined;
    if (section !== undefined) into = parts[section];
    else if (CLOSING.test(plain)) {
      closing = plain;
      into = parts.report;
    } else into.push(line);
  }
  const join = (lines: readonly string[]) => lines.join("\n").replace(/^\n+|\s+$/g, "");
  const count = (what: string) => Number(closing?.match(new RegExp(`(\\d+) ${what}`))?.[1] ?? 0);
  const counts = {
    passed: count("passed"),
    failed: count("failed"),
    ignored: count("ignored"),
    "filtered out": count("filtered out"),
  };
  const outcome = {
    report: join(parts.report),
    errors: join(parts.ERRORS),
    failures: join(parts.FAILURES),
    counts,
  };
  // The driver of a GPU may end a process as it unloads, after every test has passed: that is told by the code alone.
  if (closing !== null && (code === 0 || counts.failed > 0 || closing.startsWith("ok") && code >= 128)) {
    return outcome;
  }
  const failure = `the process ended with ${code} ${
    closing === null ? "before its last test" : "for no test"
  }: ${files.join(" ")}`;
  return {
    ...outcome,
    failures: [outcome.failures, failure].filter(Boolean).join("\n"),
    counts: { ...counts, failed: counts.failed + 1 },
  };
}

/** What Deno prints after the last test: all errors, the names of the tests that failed, and the closing line. */
export function summary(outcomes: readonly Outcome[], elapsed: string): string {
  const sum = (what: keyof Counts) => outcomes.reduce((total, { counts }) => total + counts[what], 0);
  const list = (title: string, part: "errors" | "failures", gap: string) => {
    const parts = outcomes.map((outcome) => outcome[part]).filter(Boolean);
    return parts.length === 0 ? "" : ` ${title} \n\n${parts.join(gap)}\n\n`;
  };
  const more = (["ignored", "filtered out"] as const).filter((what) => sum(what) > 0).map((what) =>
    ` | ${sum(what)} ${what}`
  );
  const failed = sum("failed");
  return list("ERRORS", "errors", "\n\n") + list("FAILURES", "failures", "\n") +
    `${failed === 0 ? "ok" : "FAILED"} | ${sum("passed")} passed | ${failed} failed${
      more.join("")
    } (${elapsed})`;
}
