import { assert, assertEquals, assertStringIncludes } from "@std/assert";
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

Deno.test("on a terminal no meaning runs over its edge, and every line of it stands in its column", () => {
  const options = defineOptions({
    steps: { type: "integer", default: 3, meaning: "word ".repeat(40).trim() },
    aVeryLongSettingNameIndeed: { type: "string", choices: ["one", "two"], meaning: "what it is ".repeat(9) },
  });
  const help = formatHelp({ command: "x", summary: "It does what it does. ".repeat(9).trim() }, options, 80);
  for (const line of help.split("\n")) assert(line.length <= 80, line);
  assert(help.split("\n").filter((line) => /^ {19}word/.test(line)).length > 2, help);
});
