/**
 * The one gate, `./ponder ok`: formatting, lint, types, import arrows, doc examples, tests. Every stage runs and prints a line.
 * The output of a failing stage follows its line. The exit code is 1 if a stage failed.
 */
import { formatDuration } from "../rl/cli/format.ts";
import { TEST } from "./test_arguments.ts";

if (Deno.args.length > 0) {
  const isHelp = Deno.args.every((arg) => arg === "--help" || arg === "-h");
  console.log(
    "Usage: ./ponder ok\n\nThe gate for changes: fmt, lint, types, import arrows, doc examples, tests.",
  );
  Deno.exit(isHelp ? 0 : 2);
}

const ARROWS = "tests/imports_test.ts";

const exists = (path: string): boolean => {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
};

/** Everything with public docs. The examples in it have to run. */
const documented = ["mod.ts", "kernels", "model", "rl", "envs", "bench", "compat"].filter(exists);

const stages: readonly (readonly [name: string, args: readonly string[]])[] = [
  ["fmt", ["fmt", "--check"]],
  ["lint", ["lint"]],
  ["check", ["check", "."]],
  ["import arrows", [...TEST, ARROWS]],
  ["doc examples", [...TEST, "--doc", "--permit-no-files", ...documented]],
  ["tests", ["run", "--frozen", "--no-prompt", "-R", "-E", "--allow-run", "scripts/test.ts"]],
];

/** Deno's own closing line if there is one, else an empty text. */
const summary = (output: string): string => {
  const closing = output.match(/^(?:ok|FAILED) \| (.+?)(?: \([^)]*\))?$/gm)?.at(-1);
  return closing?.replace(/^\w+ \| /, "").replace(/ \([\dms.]+\)$/, "") ?? "";
};

let failures = 0;
for (const [name, args] of stages) {
  const startMs = performance.now();
  // A stage may take minutes. A terminal shows which one it is, until its line replaces that.
  if (Deno.stdout.isTerminal()) Deno.stdout.writeSync(new TextEncoder().encode(`...     ${name}\r`));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const output = new TextDecoder().decode(stdout), messages = new TextDecoder().decode(stderr);
  const took = formatDuration(performance.now() - startMs);
  console.log(
    `${success ? "ok    " : "FAILED"}  ${name.padEnd(14)} ${took.padStart(8)}  ${summary(output)}`.trimEnd(),
  );
  if (success) continue;
  failures++;
  console.log(`${output}${messages}`.trimEnd());
}
console.log(failures === 0 ? "ok      everything" : `FAILED  ${failures} of ${stages.length} stages`);
Deno.exit(failures === 0 ? 0 : 1);
