/** Weights of which nothing sensible comes: never evaluated, never kept, refused by whatever uses them. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { findEnvironment, numberLine } from "../../../envs/mod.ts";
import { NotFiniteError } from "../../../kernels/gpu/mod.ts";
import { evaluateBoth } from "../../../rl/evaluation.ts";
import { assess } from "../../../model/mod.ts";
import { Agent } from "../../../rl/agent.ts";
import { CnnPolicy } from "../../../rl/policies/cnn.ts";
import { newAgent } from "../../../rl/setup.ts";
import { gpuTest } from "../../gpu.ts";
import { metricsOf, TempFolder, tinyConfig, trainHere } from "../tiny_run.ts";

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

gpuTest("the last update of the warm start at rate 1e30 is neither evaluated nor kept", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const settings = { sftSteps: 1, sftWarmup: 0, sftLearningRate: 1e30, envSteps: 0 };
  // With a thought the look at perception comes first.
  for (
    const [cot, message] of [[false, "Cannot keep the weights of SFT update 1: "], [
      true,
      "Cannot sample: ",
    ]] as const
  ) {
    await assertRejects(
      () => trainHere(`${run}-${cot}`, tinyConfig({ ...settings, cot })),
      NotFiniteError,
      message,
    );
    assertEquals(metricsOf(`${run}-${cot}`).match(/"stage":"\w+"/g), ['"stage":"sft"']);
    assertEquals(await exists(`${run}-${cot}/checkpoint`), false);
  }
});

gpuTest("the last update of RL at rate 1e30 is neither evaluated nor kept", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/run`;
  const config = tinyConfig({ cot: false, learningRate: 1e30, envSteps: 16, minibatch: 16, evalEpisodes: 1 });
  await assertRejects(
    () => trainHere(run, config),
    NotFiniteError,
    "Cannot keep the weights of RL iteration 1: ",
  );
  assert(!metricsOf(run).includes('"after":"rl"'));
  const { stage, iteration } = JSON.parse(Deno.readTextFileSync(`${run}/checkpoint/trainer.json`));
  assertEquals([stage, iteration], ["rl", 0]);
});

gpuTest("whatever acts, values or is evaluated with NaN or infinite weights refuses", async (gpu) => {
  const environment = findEnvironment("NumberLine");
  const env = environment.make();
  const cnn = CnnPolicy.create(gpu, env.actions, { imageNormalization: "per-image" });
  for (const policy of [newAgent(gpu, numberLine, tinyConfig()), cnn]) {
    const { values } = policy.parameters;
    for (const weight of [NaN, Infinity, 1e30]) {
      gpu.write(values, new Float32Array(values.length).fill(weight));
      const prompt = policy.promptOf({ env, ...env.reset({ seed: 1 }) });
      await assertRejects(
        () => policy.values([prompt]),
        NotFiniteError,
        "Cannot estimate values: the value of",
      );
      if (policy instanceof Agent) {
        const options = { temperature: 1 };
        await assertRejects(
          () => assess(policy.vlm, [{ prompt, response: [0] }], options),
          NotFiniteError,
          "Cannot score: the log-probability of token 0 of response 0",
        );
      }
      await assertRejects(
        () =>
          evaluateBoth(policy, {
            environment,
            episodes: 1,
            seed: 0,
            temperature: 1,
            maxNewTokens: 4,
            envs: 2,
          }),
        NotFiniteError,
        "use an earlier checkpoint",
      );
    }
  }
});
