/** A command that is killed while it writes; 100 kills of all of them with `./ponder kills`. */
import { assertEquals } from "@std/assert";
import { killScenario, scenarios } from "../../../scripts/kills.ts";
import { onGpu } from "../../gpu.ts";

Deno.test({
  name: "a baseline that is killed at a random moment ends in the same bytes",
  ...onGpu,
  ignore: onGpu.ignore || Deno.build.os !== "linux",
  fn: async () => {
    const baseline = scenarios.find(({ name }) => name === "baseline")!;
    const { kills, same, differences } = await killScenario(baseline, 1, 1);
    assertEquals([kills, same, differences], [1, 1, []]);
  },
});
