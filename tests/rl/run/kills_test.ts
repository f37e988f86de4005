/**
 * A command that is killed while it writes, in a run with a short warm start that saves amid RL; 100 kills of all of them with
 * `./ponder kills`.
 */
import { assert, assertEquals } from "@std/assert";
import { killScenario, scenarios } from "../../../scripts/kills.ts";
import { onGpu } from "../../gpu.ts";

Deno.test({
  name: "a baseline that is killed at a random moment ends in the same bytes",
  ...onGpu,
  ignore: onGpu.ignore || Deno.build.os !== "linux",
  fn: async () => {
    const baseline = scenarios.find(({ name }) => name === "baseline")!;
    const command = baseline.command.replace("--sft-steps 104", "--sft-steps 12")
      .replace("--env-steps 416", "--env-steps 256");
    assert(command.includes(" 12 ") && command.includes(" 256 "));
    const { kills, same, differences } = await killScenario({ ...baseline, command }, 1, 1);
    assertEquals([kills, same, differences], [1, 1, []]);
  },
});
