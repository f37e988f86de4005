/**
 * `faults`: all faults of the GPU in `tests/rl/run/device_faults_test.ts`, of which the suite takes some.
 *
 * @module
 */
import { type Command, runCommand } from "../rl/cli/mod.ts";
import { runTests } from "./test_arguments.ts";

/** The `faults` command. */
export const faultsCommand: Command<Record<string, never>> = {
  command: "./ponder faults",
  summary: "Inject 25 faults of the GPU into runs: each must end in an error and a checkpoint from before, " +
    "and in the same bytes when resumed. It takes about two minutes.",
  examples: ["./ponder faults"],
  options: {},
  run: () => runTests(["tests/rl/run/device_faults_test.ts"], ["--all"]),
};

if (import.meta.main) Deno.exit(await runCommand(faultsCommand, Deno.args));
