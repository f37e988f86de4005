/**
 * `baseline`: trains the baseline without language, a small convolutional network on the same pixels.
 *
 * @module
 */
import { debugLevel } from "../kernels/gpu/mod.ts";
import { runCommand } from "../rl/cli/mod.ts";
import { trainCommand } from "./train.ts";

/** The `baseline` command: `train --policy cnn`. */
export const baselineCommand: typeof trainCommand = {
  ...trainCommand,
  command: "./ponder baseline",
  summary: "Train the paper's baseline, a small CNN on the same pixels: `train --policy cnn`.",
  examples: [
    "./ponder baseline",
    "./ponder baseline --env Blackjack --seed 1",
    "./ponder baseline --demonstrations 2000 --out runs/cnn-cloned",
  ],
  run: ({ given, values, ...parsed }) =>
    trainCommand.run({ ...parsed, given: { policy: "cnn", ...given }, values: { ...values, policy: "cnn" } }),
};

if (import.meta.main) Deno.exit(await runCommand(baselineCommand, Deno.args, { debug: debugLevel > 0 }));
