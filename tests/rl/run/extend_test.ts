/** A finished run that is trained for longer. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { trainCommand } from "../../../commands/train.ts";
import type { MetricsLine } from "../../../rl/metrics.ts";
import { checkRun } from "../../../rl/run/check.ts";
import { readManifest } from "../../../rl/run/manifest.ts";
import { onGpu } from "../../gpu.ts";
import { metricsOf, runHere, TempFolder, TINY_FLAGS } from "../tiny_run.ts";

const linesOf = (run: string): MetricsLine[] =>
  metricsOf(run).trimEnd().split("\n").map((line) => JSON.parse(line));
const train = (...args: string[]) => runHere(trainCommand, ...args);

Deno.test({
  name:
    "--extend trains a finished run for longer, keeps what it was, and is refused without a larger number",
  ...onGpu,
  fn: async () => {
    using temp = new TempFolder();
    const run = `${temp.path}/run`;
    const first = await train(...TINY_FLAGS, "--no-cot", "--out", run);
    assertEquals(first.code, 0, first.err);
    const before = linesOf(run);
    const summary = JSON.parse(Deno.readTextFileSync(`${run}/summary.json`));
    assertEquals(summary.env_steps, 32);

    for (
      const [args, message] of [
        [["--resume", "--extend"], "Cannot use --extend without --env-steps"],
        [["--resume", "--extend", "--env-steps", "16"], "it is 32 long, use a larger number"],
        [["--extend", "--env-steps", "64"], "Cannot use --extend without --resume"],
        [
          ["--resume", "--extend", "--env-steps", "64", "--seed", "1"],
          "Cannot resume with other settings: seed",
        ],
        [["--resume", "--env-steps", "64"], "Cannot resume with other settings: envSteps"],
      ] as const
    ) {
      const { code, err } = await train(...args, "--out", run);
      assertStringIncludes(err, message);
      assertEquals(code, 2);
    }
    assertEquals(linesOf(run), before, "what is refused changes nothing");
    assertEquals(JSON.parse(Deno.readTextFileSync(`${run}/config.json`)).envSteps, 32);

    const longer = await train("--resume", "--extend", "--env-steps", "64", "--out", run);
    assertEquals(longer.code, 0, longer.err);
    const after = linesOf(run);
    // The evaluation of the shorter run goes, all before it stays.
    assertEquals(after.slice(0, before.length - 1), before.slice(0, -1));
    const stages = after.slice(before.length - 1).map((
      line,
    ) => [line.stage, "iteration" in line && line.iteration]);
    assertEquals(stages, [["rl", 3], ["rl", 4], ["evaluation", false]]);
    assertEquals(JSON.parse(Deno.readTextFileSync(`${run}/summary.json`)).env_steps, 64);
    const [extension] = (await readManifest(`${run}/checkpoint`))!.extensions;
    assertEquals(extension.before, { envSteps: 32 });
    assertEquals(extension.summary, summary);
    assert((await checkRun(run)).isWhole);

    // The same command again finds it as long as asked for.
    const again = await train("--resume", "--extend", "--env-steps", "64", "--out", run);
    assertEquals(again.code, 0, again.err);
    assertEquals(linesOf(run), after);
  },
  sanitizeResources: false,
  sanitizeOps: false,
});
