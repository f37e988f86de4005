/**
 * `fuzz`: the properties of `tests/fuzz/` with many cases instead of a few.
 *
 * @module
 */
import { type Command, defineOptions, runCommand } from "../rl/cli/mod.ts";
import { runTests } from "./test_arguments.ts";

const options = defineOptions({
  runs: {
    type: "integer",
    default: 100_000,
    min: 1,
    meaning: "cases a property; fewer for those that write files",
  },
  filter: { type: "string", meaning: "only properties with this text in their name" },
});

/** The `fuzz` command. */
export const fuzzCommand: Command<typeof options> = {
  command: "./ponder fuzz",
  summary: "Feed every reader and parser with hostile input. None may crash, take a second or 500 MB.",
  examples: ["./ponder fuzz", "./ponder fuzz --runs 1000 --filter tokenizer"],
  options,
  run: ({ values: { runs, filter } }) =>
    runTests(["tests/fuzz/", ...filter === undefined ? [] : ["--filter", filter]], [`--runs=${runs}`]),
};

if (import.meta.main) Deno.exit(await runCommand(fuzzCommand, Deno.args));
