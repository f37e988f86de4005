/**
 * The experiments of the results table, each with its command and its flags, and the seeds of all.
 *
 * @module
 */
import {
  ablation,
  byAlgorithm,
  common,
  controlled,
  credits,
  type Experiment,
  faithful,
  hands,
  heldOut,
  lambdas,
  mistakes,
  seen,
  solver,
  variant,
  warmStart,
} from "./experiment_rows.ts";

export { DEFAULT, type Experiment, type Group } from "./experiment_rows.ts";

/** What a run holds out of NumberLine, and how it does there. */
const numberLineParts: readonly Experiment[] = [
  seen("NumberLine", "pairs", "pairs held out, on those seen", "--env-settings", "pairs=seen"),
  heldOut("NumberLine", "pairs", "pairs held out, on these", "pairs=held-out"),
  seen(
    ...["NumberLine", "targets", "targets in the prompt, two held out, on those seen"] as const,
    ...["--env-settings", "maxPosition=9,targetIn=prompt,targets=seen", "--demonstrations", "8000"],
    ...["--sft-steps", "800"],
  ),
  heldOut(
    ...["NumberLine", "targets", "targets in the prompt, on the two held out"] as const,
    "maxPosition=9,targetIn=prompt,targets=held-out",
  ),
  seen(
    ...["NumberLine", "looks", "typefaces, sizes and places vary"] as const,
    ...["--env-settings", "look=varied", "--demonstrations", "8000", "--sft-steps", "1200"],
  ),
  heldOut("NumberLine", "looks", "the same, with a typeface never seen", "look=held-out"),
  heldOut("NumberLine", "looks", "the same, as published", "look=published", "published"),
  {
    ...seen("NumberLine", "fresh", "as the default, with seeds that nothing was tuned on"),
    seeds: [10, 11, 12],
  },
];

/** A warm start on Points24 that leaves RL room, and one that leaves little. */
const WEAK = ["--demonstrations", "24000", "--sft-steps", "1600"];
const WHOLE = ["--env-settings", "thought=whole", "--max-new-tokens", "44"];
const ALONE = ["--env-steps", "0"];
const EVENLY = ["--sft-draw", "deals"];

/** What supervision reaches on Points24, and what RL alone adds to a weaker warm start. */
const points24WarmStarts: readonly Experiment[] = [
  warmStart("Points24", "weak", "weak: 1,600 updates on 24,000 steps, no RL", ...WEAK, ...ALONE),
  warmStart("Points24", "weak-whole", "weak, thoughts state whole plans, no RL", ...WEAK, ...WHOLE, ...ALONE),
  warmStart("Points24", "weak-even", "weak, drawn evenly over hands, no RL", ...WEAK, ...EVENLY, ...ALONE),
  warmStart(
    ...["Points24", "weak-expert", "weak, then expert iteration at temperature 1"] as const,
    ...[
      ...WEAK,
      "--algorithm",
      "expert-iteration",
      "--temperature",
      "1",
      "--groups",
      "1440",
      "--group-size",
      "8",
    ],
    ...[
      "--per-key",
      "3",
      "--pool-size",
      "12000",
      "--env-steps",
      "200000",
      "--epochs",
      "4",
      "--learning-rate",
      "0.0004",
    ],
  ),
  warmStart(
    ...[
      "Points24",
      "weak-rloo",
      "weak, then rloo at temperature 1, half of the deals from those that split",
    ] as const,
    ...[...WEAK, "--algorithm", "rloo", "--temperature", "1", "--groups", "16", "--group-size", "8"],
    ...["--deal-again", "0.5", "--learning-rate", "0.0001"],
  ),
  {
    ...warmStart(
      ...["Points24", "corrected", "the default, with the solver's thoughts in the update (DAgger)"] as const,
      ...["--correction-coefficient", "1"],
    ),
    sharesWarmStart: true,
  },
  warmStart(
    ...["Points24", "whole", "long: 10,000 updates, whole plans, drawn evenly, no RL"] as const,
    ...["--sft-steps", "10000", ...WHOLE, ...EVENLY, ...ALONE],
  ),
  warmStart(
    ...["Points24", "published-plans", "plans by the published rules, no RL"] as const,
    ...["--env-settings", "plans=published", "--sft-steps", "5000", ...ALONE],
  ),
];

/** All experiments, in the order of the report. Variants come after the experiment whose policy they evaluate. */
export const experiments: readonly Experiment[] = [
  ...common("NumberLine"),
  { ...ablation("NumberLine", "unfrozen", "nothing frozen", "--freeze", "none"), sharesWarmStart: true },
  ...controlled("NumberLine"),
  ...mistakes("NumberLine", "flipMinus", ["0", "0.3", "0.45", "0.7"]),
  ...lambdas("NumberLine"),
  ...byAlgorithm("NumberLine"),
  ...credits("NumberLine", "2048"),
  ...numberLineParts,
  ...[10, 20, 50].map((n) =>
    variant("NumberLine", `max-${n}`, `numbers to ${n}`, "--env-settings", `maxPosition=${n}`)
  ),

  ...common("EZPoints"),
  ...controlled("EZPoints"),
  ...mistakes("EZPoints", "close", ["0", "0.3", "0.45", "0.7"]),
  ...lambdas("EZPoints"),
  ...byAlgorithm("EZPoints"),
  ...hands("EZPoints"),

  ...common("Points24"),
  solver("Points24", "optimal-joined", "optimal with joined digits (solver)", "plans=joined"),
  solver("Points24", "optimal-published", "optimal by the published rules (solver)", "plans=published"),
  ...points24WarmStarts,
  ...hands("Points24"),
  ...[12, 36].map((n) => variant("Points24", `target-${n}`, `target ${n}`, "--env-settings", `target=${n}`)),
  variant("Points24", "faces", "faces count 11 to 13", "--env-settings", "faceValue=11-13"),

  ...common("Blackjack"),
  ...mistakes("Blackjack", "flipStand", ["0", "0.3", "0.55", "0.7"]),
  ...byAlgorithm("Blackjack"),
  ...credits("Blackjack", "4096"),
  faithful(
    "Blackjack",
    "faithful-corrected",
    "with the solver's thoughts in the update",
    "--correction-coefficient",
    "0.1",
  ),
  faithful("Blackjack", "faithful-kl", "held to the warm start by KL", "--kl-coefficient", "0.1"),

  ...common("Household"),
  ablation("Household", "image-only", "image only", "--env-settings", "mode=image-only"),
  ...controlled("Household"),
  ...mistakes("Household", "haste", ["0", "0.3", "0.45", "0.7"]),
  ...mistakes("Household", "haste", ["0.45"], "long", "--env-steps", "98304"),
  variant("Household", "unseen", "unseen rooms", "--env-settings", "split=unseen", "--episodes", "256"),
];

/** The tasks, in the order of the report. */
export const tasks: readonly string[] = [...new Set(experiments.map(({ environment }) => environment))];
