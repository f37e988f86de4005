/**
 * A run of every algorithm, and with whatever else lives from one iteration to the next, resumes to the same bytes. Some
 * algorithms keep what another one keeps; `-- --all` runs them too.
 */
import { assert } from "@std/assert";
import { numberLine } from "../../../envs/mod.ts";
import { algorithms, findAlgorithm } from "../../../rl/algorithms/mod.ts";
import { type GivenSettings, optionsOf, resolveConfig, type TrainConfig } from "../../../rl/config.ts";
import { gpuTest } from "../../gpu.ts";
import { metricsOf, TempFolder, TINY, trainHere } from "../tiny_run.ts";

/** The run is stopped after the first. */
const ITERATIONS = 2;

/**
 * They remember nothing and collect as `ppo` does, or as `grpo` and `rloo`, which run below with settings that keep more. A
 * new algorithm is not among them, and runs.
 */
const ALIKE = ["token-ppo", "vl-dac", "grpo", "rloo", "reinforce++"];

/** What lives from one iteration to the next, beside weights and moments. */
const scenarios: Readonly<Record<string, GivenSettings>> = {
  ...Object.fromEntries(
    Object.keys(algorithms).filter((name) => Deno.args.includes("--all") || !ALIKE.includes(name))
      .map((algorithm) => [algorithm, { algorithm }]),
  ),
  "a divergence from the warm start": { algorithm: "ppo", klCoefficient: 0.1 },
  "corrections by the solver": { algorithm: "ppo", correctionCoefficient: 0.1 },
  "deals in place of equal ones": { algorithm: "grpo", extraGroups: 2 },
  "deals that are dealt again": { algorithm: "rloo", dealAgain: 0.5 },
  "a convolutional network": { policy: "cnn" },
};

function configOf(given: GivenSettings): TrainConfig {
  const algorithm = findAlgorithm(given.algorithm ?? "ppo");
  const { preset, maxNewTokens, perceptionGate, ...common } = TINY;
  const settings: GivenSettings = {
    ...common,
    // From noise: warm starts are resumed elsewhere.
    demonstrations: 0,
    evalEpisodes: 1,
    ...given.policy !== "cnn" && { preset, maxNewTokens, perceptionGate, cot: false },
    ...Object.hasOwn(algorithm.options, "groups")
      // Episodes have eight steps at most.
      ? { groups: 2, groupSize: 2, envSteps: 4 * 8 * ITERATIONS }
      : { envSteps: 16 * ITERATIONS },
    ...given,
  };
  const known = Object.entries(settings).filter(([name]) => Object.hasOwn(optionsOf(algorithm), name));
  return resolveConfig(Object.fromEntries(known), numberLine, algorithm) as TrainConfig;
}

/** The files that must be equal. */
function contentOf(run: string): Record<string, string> {
  const content: Record<string, string> = { "metrics.jsonl": metricsOf(run) };
  for (const checkpoint of ["checkpoint", "warm_start"]) {
    for (const file of ["model", "optimizer"]) {
      const bytes = Deno.readFileSync(`${run}/${checkpoint}/${file}.safetensors`);
      content[`${checkpoint}/${file}`] = new TextDecoder("latin1").decode(bytes);
    }
  }
  const { memory, slots, episodes } = JSON.parse(Deno.readTextFileSync(`${run}/checkpoint/trainer.json`));
  content["trainer.json"] = JSON.stringify({ memory, slots, episodes });
  return content;
}

gpuTest("whatever an algorithm keeps, a stopped run of it resumes to the same bytes", async () => {
  for (const [name, given] of Object.entries(scenarios)) {
    using temp = new TempFolder();
    const [whole, stopped] = [`${temp.path}/whole`, `${temp.path}/stopped`];
    const config = configOf(given);
    await trainHere(whole, config);
    await trainHere(stopped, config, (_, metrics) => metrics.includes('"iteration":1,'));
    assert(
      !metricsOf(stopped).includes('"iteration":2,') && metricsOf(whole).includes('"iteration":2,'),
      name,
    );
    if (name === "deals that are dealt again") {
      assert(contentOf(whole)["trainer.json"].includes('"splitDeals":['), name);
    }
    if (name === "expert-iteration") assert(contentOf(stopped)["trainer.json"].includes('"pool":[{'), name);
    await trainHere(stopped, { ...config, resume: true });
    const [want, got] = [contentOf(whole), contentOf(stopped)];
    for (const file of Object.keys(want)) assert(want[file] === got[file], `${name}: ${file} differs`);
  }
});
