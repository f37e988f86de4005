/**
 * `eval`: evaluates a trained policy on held-out seeds, sampled and greedy.
 *
 * @module
 */
import { modelPlace } from "../rl/pretrained/run_base.ts";
import { debugLevel } from "../kernels/gpu/mod.ts";
import {
  type Command,
  defineOptions,
  formatDuration,
  type Given,
  Progress,
  runCommand,
  toFlag,
  UsageError,
} from "../rl/cli/mod.ts";
import { agentOptions } from "../rl/agent.ts";
import { commonOptions } from "../rl/config.ts";
import { readEnvSettings } from "../rl/env_settings.ts";
import { loadEnvironment } from "../rl/run/load_environment.ts";
import { evaluate, evaluateBoth } from "../rl/evaluation.ts";
import { sampledDeals } from "../rl/pass_at.ts";
import { dealTable, evaluationReport, evaluationTable, successMeaning } from "../rl/report/evaluation.ts";
import { SCRIPTED_POLICIES, type ScriptedPolicy, scriptedPolicy } from "../rl/scripted_policy.ts";
import { withTrainedPolicy } from "./trained_policy.ts";

const { temperature, maxNewTokens } = agentOptions;

const options = defineOptions({
  run: { type: "path", isRun: true, meaning: "run folder; the latest one under runs/ when absent" },
  checkpoint: { type: "path", meaning: "checkpoint folder to evaluate instead of a run's" },
  policy: {
    type: "string",
    default: "trained",
    choices: ["trained", ...SCRIPTED_POLICIES],
    meaning: "trained weights, uniformly random legal actions, or the environment's solver",
  },
  episodes: {
    type: "integer",
    default: 512,
    min: 1,
    max: 1_000_000,
    unit: "episodes",
    meaning: "held-out episodes, sampled and greedy each",
  },
  seed: {
    type: "integer",
    default: 0,
    min: 0,
    max: 1000,
    meaning: "which held-out episodes; 0 are those of train",
  },
  samples: {
    type: "integer",
    default: 1,
    min: 1,
    max: 256,
    unit: "episodes",
    meaning: "sampled episodes of each held-out deal; 2 or more give pass@k and the mean by deal",
  },
  env: { type: "string", meaning: "environment, by name or file; the run's when absent" },
  model: { type: "string", meaning: "where the run's pretrained model is now; where it was when absent" },
  envSettings: {
    type: "list",
    meaning: "settings of the environment as key=value, such as target=30; the run's when absent",
  },
  temperature: {
    type: "number",
    min: temperature.min,
    max: temperature.max,
    meaning: "divides the logits when sampling; the run's when absent",
  },
  maxNewTokens: {
    type: "integer",
    min: maxNewTokens.min,
    unit: "tokens",
    meaning: "longest response; the run's when absent",
  },
  json: { type: "boolean", default: false, meaning: "print the result as JSON on stdout" },
});

/** The `eval` command. */
export const evalCommand: Command<typeof options> = {
  command: "./ponder eval",
  summary: "Evaluate a trained policy on held-out seeds, sampled and greedy, with 95% intervals.",
  examples: [
    "./ponder eval",
    "./ponder eval --run runs/NumberLine-s0 --seed 2",
    "./ponder eval --run runs/NumberLine-s0 --temperature 1 --json",
    "./ponder eval --run runs/Points24-s0 --temperature 1 --samples 32 --episodes 256",
    "./ponder eval --run runs/NumberLine-s0 --env-settings maxPosition=20",
    "./ponder eval --policy random --env Blackjack --episodes 10000",
  ],
  options,
  async run({ given, values: { run, checkpoint, policy, episodes, seed, samples, json } }) {
    if (policy !== "trained") return await evaluateScripted(policy as ScriptedPolicy, given);
    const { env, envSettings, temperature, maxNewTokens } = given;
    const model = modelPlace(given.model);
    const request = { run, checkpoint, given: { env, envSettings, model, temperature, maxNewTokens } };
    const progress = new Progress();
    try {
      await withTrainedPolicy(
        request,
        async ({ gpu, policy, environment, envSettings, config, ...trained }) => {
          progress.note(`Evaluating ${trained.label} on ${gpu.adapterName}`);
          const startMs = performance.now();
          const { sampled, greedy } = await evaluateBoth(policy, {
            environment,
            envSettings,
            episodes,
            seed,
            samples,
            temperature: config.temperature,
            maxNewTokens: config.maxNewTokens,
            onProgress: (step) =>
              progress.update({ stage: "evaluation", step, total: (samples + 1) * episodes }),
          });
          // Faults of the GPU are known only now.
          await gpu.settle();
          progress.close();
          const byDeal = samples > 1 ? sampledDeals(sampled.outcomes, samples) : null;
          // Samples of one deal are no independent trials.
          const told = { sampled: byDeal === null ? sampled : { ...sampled, ci95: byDeal.ci95 }, greedy };
          const table = [
            evaluationTable(told),
            ...byDeal === null ? [] : [dealTable(byDeal)],
          ].join("\n\n");
          const title =
            `${environment.name}, ${episodes} held-out episodes, success = ${successMeaning(environment)}, ` +
            `temperature ${config.temperature}, panel ${sampled.panel}`;
          // With --json stdout holds the JSON alone, and the table is a message.
          (json ? console.error : console.log)(`\n${title}\n${table}\n`);
          console.error(`Took ${formatDuration(performance.now() - startMs)}`);
          if (json) {
            const result = {
              run: trained.run,
              checkpoint: trained.checkpoint,
              adapter: gpu.adapterName,
              temperature: config.temperature,
              evaluation: evaluationReport(told, {
                environment: environment.name,
                episodes,
                seed,
              }),
              ...byDeal !== null && { by_deal: byDeal },
            };
            console.log(JSON.stringify(result, null, 2));
          }
        },
      );
    } finally {
      progress.close();
    }
  },
};

/** Evaluates a policy without a model. It needs no GPU and draws no pictures. */
async function evaluateScripted(policy: ScriptedPolicy, given: Given<typeof options>): Promise<void> {
  for (const name of ["run", "checkpoint", "model", "temperature", "maxNewTokens", "samples"] as const) {
    if (given[name] === undefined) continue;
    throw new UsageError(`Cannot use --${toFlag(name)} with --policy ${policy}: it has no model`);
  }
  const environment = await loadEnvironment(given.env ?? commonOptions.env.default);
  const { episodes = options.episodes.default, seed = options.seed.default } = given;
  const progress = new Progress();
  const result = await evaluate(scriptedPolicy(policy, seed), {
    environment,
    envSettings: readEnvSettings(environment, given.envSettings ?? []),
    episodes,
    seed,
    greedy: false,
    temperature: 1,
    maxNewTokens: 1,
    onProgress: (step) => progress.update({ stage: policy, step, total: episodes }),
  });
  progress.close();
  const title = `${environment.name}, ${episodes} held-out episodes, success = ${
    successMeaning(environment)
  }, panel ${result.panel}`;
  (given.json ? console.error : console.log)(`\n${title}\n${evaluationTable({ [policy]: result })}\n`);
  const evaluation = { environment: environment.name, episodes, seed, sampled: result };
  if (given.json) console.log(JSON.stringify({ policy, evaluation }, null, 2));
}

if (import.meta.main) Deno.exit(await runCommand(evalCommand, Deno.args, { debug: debugLevel > 0 }));
