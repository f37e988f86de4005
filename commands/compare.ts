/**
 * `compare`: one trained policy against others, over the same seeds and the same held-out episodes.
 *
 * @module
 */
import { type Command, defineOptions, processConsole, runCommand, UsageError } from "../rl/cli/mod.ts";
import { PLACES } from "../rl/report/cells.ts";
import { compare, comparisonLines, findCompared, type Which } from "../rl/report/compared.ts";

const options = defineOptions({
  greedy: { type: "boolean", default: false, meaning: "compare greedy decoding, not sampling" },
  afterSft: { type: "boolean", default: false, meaning: "compare what the warm starts achieved" },
  json: { type: "boolean", default: false, meaning: "print the comparisons as JSON on stdout" },
});

/** The `compare` command. */
export const compareCommand: Command<typeof options> = {
  command: "./ponder compare",
  summary:
    "Compare policies with the first one named, by run folder, result file or experiment: difference, intervals, probability of improvement.",
  examples: [
    "./ponder compare NumberLine/no-cot NumberLine/default",
    "./ponder compare runs/NumberLine-s0 runs/grpo",
    "./ponder compare results/Blackjack/cnn-s0.json results/Blackjack/default-s0.json --greedy",
  ],
  options,
  maxPositional: 64,
  async run({ values: { greedy, afterSft, json }, positional }) {
    if (positional.length < 2) {
      throw new UsageError("Cannot compare fewer than two: name run folders, results or experiments");
    }
    const which = `${afterSft ? "after SFT, " : ""}${greedy ? "greedy" : "sampled"}` as Which;
    const [first, ...others] = await Promise.all(
      positional.map((name) => findCompared(name, which, PLACES)),
    );
    const comparisons = others.map((other) => compare(first, other));
    processConsole.out(
      (json ? JSON.stringify(comparisons, null, 2) : comparisonLines(comparisons)) + "\n",
    );
  },
};

if (import.meta.main) Deno.exit(await runCommand(compareCommand, Deno.args));
