/** `./ponder test`, which runs several processes of `deno test` and prints what one would have printed. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { readOutcome, summary } from "../scripts/test_outcome.ts";
import { runDeno } from "./outside_folder.ts";
import { TempFolder } from "./rl/tiny_run.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Runs the tests of these files; `$` is their folder. */
async function runTests(files: Record<string, string>, args: readonly string[]) {
  using temp = new TempFolder();
  for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${temp.path}/${name}`, text);
  const words = args.map((arg) => arg.replace("$", temp.path));
  return await runDeno(ROOT, ["run", "-A", "scripts/test.ts", ...words], { DENO_JOBS: "2" });
}

const PASSING = 'Deno.test("a sum", () => {}); Deno.test.ignore("later", () => {});';
const FAILING = 'Deno.test("a fault", () => { throw new RangeError("too far"); });';

Deno.test("two processes print one report: every file whole, then errors, then one closing line", async () => {
  const passed = await runTests({ "a_test.ts": PASSING, "b_test.ts": PASSING, "c.ts": FAILING }, ["$"]);
  assertEquals(passed.code, 0, passed.err);
  assertEquals(passed.out.match(/^a sum \.\.\. ok/gm)?.length, 2, passed.out);
  assertEquals(passed.out.match(/^(ok|FAILED) \|.*$/gm)?.length, 1);
  assert(/\nok \| 2 passed \| 0 failed \| 2 ignored \([^)]*\)\n$/.test(passed.out), passed.out);

  const failed = await runTests({ "a_test.ts": PASSING, "b_test.ts": FAILING }, [
    "$/a_test.ts",
    "$/b_test.ts",
  ]);
  assertEquals(failed.code, 1);
  const [report, errors, failures] = failed.out.split(/^ (?:ERRORS|FAILURES) $/m);
  assertStringIncludes(report!, "a fault ... FAILED");
  assertStringIncludes(errors!, "RangeError: too far");
  assert(
    /a fault => .*b_test\.ts:1:6\n\nFAILED \| 1 passed \| 1 failed \| 1 ignored \(/.test(failures!),
    failures,
  );
});

Deno.test("a fault of types ends the tests, in any file", async () => {
  const typed = 'const n: number = "one"; Deno.test("typed", () => void n);';
  const { code, out, err } = await runTests({ "a_test.ts": PASSING, "b_test.ts": typed }, ["$"]);
  assertEquals(code, 1);
  assertStringIncludes(err, "Type 'string' is not assignable to type 'number'");
  assert(!/^(ok|FAILED) \|/m.test(out), out);
});

Deno.test("flags go to deno test as they are", async () => {
  const { code, out } = await runTests({ "a_test.ts": PASSING, "b_test.ts": FAILING }, [
    "--filter",
    "sum",
    "$",
  ]);
  assertEquals(code, 0, out);
  assert(/^ok \| 1 passed \| 0 failed \| 2 filtered out/m.test(out), out);
});

Deno.test("what follows -- goes to the tests, in several processes too", async () => {
  const told = 'Deno.test("told", () => { if (!Deno.args.includes("--all")) throw new Error("not told"); });';
  const files = { "a_test.ts": told, "b_test.ts": told };
  const { code, out } = await runTests(files, ["$", "--", "--all"]);
  assertEquals(code, 0, out);
  assert(/^ok \| 2 passed \| 0 failed \(/m.test(out), out);
  assertEquals((await runTests(files, ["$"])).code, 1);
});

Deno.test("a process that ends early counts as a failure of its files, one that crashes after the last test does not", () => {
  const closing = "\nok | 3 passed | 0 failed (1ms)\n";
  const early = readOutcome("running 9 tests from ./tests/a_test.ts\nx ...", 137, ["tests/a_test.ts"]);
  assertEquals(early.counts, { passed: 0, failed: 1, ignored: 0, "filtered out": 0 });
  assertStringIncludes(early.failures, "ended with 137 before its last test: tests/a_test.ts");
  assertStringIncludes(early.report, "x ...");
  const late = readOutcome(`x ... ok (1ms)\n${closing}`, 139, ["tests/b_test.ts"]);
  assertEquals([late.counts.passed, late.counts.failed, late.report], [3, 0, "x ... ok (1ms)"]);
  // Deno refuses `only` after tests that passed.
  assertEquals(readOutcome(closing, 1, []).counts.failed, 1);
  assertEquals(
    summary([early, late], "1 s"),
    ` FAILURES \n\n${early.failures}\n\nFAILED | 3 passed | 1 failed (1 s)`,
  );
  // As terminals show it.
  const coloured = readOutcome(
    "\x1b[0m\x1b[32mok\x1b[0m | 4 passed (2 steps) | 0 failed \x1b[0m(5ms)\x1b[0m\n",
    0,
    [],
  );
  assertEquals([coloured.counts.passed, coloured.report], [4, ""]);
});
