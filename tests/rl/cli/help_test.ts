import { assertEquals, assertStringIncludes } from "@std/assert";
import { defineOptions, formatHelp } from "../../../rl/cli/mod.ts";

const options = defineOptions({
  env: { type: "string", default: "NumberLine", short: "e", meaning: "environment" },
  envSteps: {
    type: "integer",
    unit: "steps",
    default: 512,
    group: "Reinforcement learning",
    meaning: "how long",
  },
  cot: { type: "boolean", default: true, meaning: "the thought before the action" },
  json: { type: "boolean", default: false, meaning: "machine-readable output" },
});

Deno.test("help lists every option by group with type, meaning, unit and default", () => {
  const help = formatHelp(
    {
      command: "./ponder train",
      summary: "Trains.",
      positional: "[RUN]",
      examples: ["./ponder train --json"],
    },
    options,
  );
  assertEquals(
    help,
    `Usage: ./ponder train [OPTION...] [RUN]

Trains.

Options:
  -e, --env TEXT       environment (default NumberLine)
  --no-cot             turn off: the thought before the action
  --json               machine-readable output
  --config FILE        settings from a JSON object by name; flags win
  -h, --help           show this text
  --version            show the versions of ponder and Deno

Reinforcement learning:
  --env-steps INTEGER  how long (steps, default 512)

Examples:
  ./ponder train --json
`,
  );
});

Deno.test("a flag too long for its column puts its meaning on the next line", () => {
  const long = defineOptions({
    aVeryLongSettingNameIndeed: { type: "string", choices: ["one", "two"], meaning: "what it is" },
  });
  const help = formatHelp({ command: "x", summary: "X." }, long);
  assertStringIncludes(help, "  --a-very-long-setting-name-indeed one|two\n                 what it is\n");
});
