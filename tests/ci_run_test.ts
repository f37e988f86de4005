/** `.ci/run`, which closes with the counts of the tests. */
import { assertEquals } from "@std/assert";
import { noWindows, Sandbox } from "./sandbox.ts";

const testRuns: [name: string, output: string, status: number, closing: string, code: number][] = [
  ["all passed", "ok | 12 passed | 0 failed (2s)", 0, "12 passed, 0 failed", 0],
  ["steps and ignored", "ok | 3 passed (7 steps) | 0 failed | 2 ignored (5ms)", 0, "3 passed, 0 failed", 0],
  ["failures", "FAILED | 3 passed | 1 failed (5ms)", 1, "3 passed, 1 failed", 1],
  ["failed steps", "FAILED | 3 passed (2 steps) | 1 failed (1 step) (5ms)", 1, "3 passed, 1 failed", 1],
  [
    "a broken test file beside passing ones",
    "FAILED | 3 passed | 0 failed (5ms)",
    1,
    "3 passed, 0 failed",
    1,
  ],
  [
    "another line like it before",
    "ok | 1 passed | 0 failed (1ms)\nok | 2 passed | 0 failed (1ms)",
    0,
    "2 passed, 0 failed",
    0,
  ],
  ["a driver that crashes after all passed", "ok | 3 passed | 0 failed (5ms)", 134, "3 passed, 0 failed", 0],
  ["a crash after a broken file", "FAILED | 3 passed | 0 failed (5ms)", 134, "3 passed, 0 failed", 134],
  ["a crash before the end", "double free or corruption", 134, "0 passed, 0 failed", 134],
  ["no closing line", "killed", 0, "0 passed, 0 failed", 1],
  ["no closing line and an exit code", "error: Type checking failed.", 7, "0 passed, 0 failed", 7],
];

for (const [name, output, status, closing, code] of testRuns) {
  Deno.test(`.ci/run closes with the counts and keeps the exit code: ${name}`, noWindows, () => {
    using sandbox = new Sandbox();
    const script =
      `#!/bin/sh\necho "args: $* gpu: $REQUIRE_GPU color: $NO_COLOR"\ncat <<'E'\n${output}\nE\nexit ${status}\n`;
    Deno.writeTextFileSync(`${sandbox.folder}/repository/ponder`, script);
    const result = sandbox.run(".ci/run");
    const lines = result.out.trimEnd().split("\n");
    assertEquals(lines[0], "args: test gpu: 1 color: 1");
    assertEquals([lines.at(-1), result.code], [closing, code]);
  });
}
