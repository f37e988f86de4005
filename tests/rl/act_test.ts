/** Acting on an environment's present state, and on pictures. */
import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { encode } from "fast-png";
import { defineEnvironment, makeEnv, numberLine, type Observation } from "../../envs/mod.ts";
import { loadAgent, loadPolicy } from "../../rl/run/checkpoint.ts";
import { newPolicy } from "../../rl/policies/mod.ts";
import { newAgent } from "../../rl/setup.ts";
import { gpuTest } from "../gpu.ts";
import { TempFolder, tinyConfig, untrainedRun } from "./tiny_run.ts";

const png = ({ width, height, data }: Observation) => encode({ width, height, channels: 3, data });

gpuTest(
  "the present state, its picture with its prompt, and that picture's PNG get the same response",
  async (gpu) => {
    const config = tinyConfig();
    for (
      const policy of [
        newAgent(gpu, numberLine, config),
        newPolicy(gpu, numberLine, { ...config, policy: "cnn" }),
      ]
    ) {
      const env = makeEnv("NumberLine");
      await assertRejects(() => policy.act(env), Error, "no episode has begun, call reset first");
      const { observation, info } = env.reset({ seed: 7 });
      const prompt = env.prompt(info, { cot: policy.cot });
      const greedy = { greedy: true };
      const ofState = await policy.act(env, greedy);
      assertEquals(ofState.response.ids.length, policy.sampling.maxNewTokens > 1 && policy.cot ? 6 : 1);
      for (const picture of [observation, png(observation)]) {
        const ofPicture = await policy.act(picture, prompt, greedy);
        assertEquals(ofPicture.decoding, ofState.decoding);
        if (!policy.cot) assertEquals(ofPicture.action, ofState.action);
      }
      assert(env.current().observation === observation, "acting does not step");
    }
  },
);

gpuTest("acting follows the environment from state to state, and names the action", async (gpu) => {
  const policy = newPolicy(gpu, numberLine, { ...tinyConfig(), policy: "cnn" });
  const env = makeEnv("NumberLine");
  env.reset({ seed: 3 });
  for (let i = 0; i < 3; i++) {
    const { action, parse } = await policy.act(env);
    assertEquals(action, env.actions[parse.action!]);
    if (env.step(parse.action!).terminated) env.reset();
  }
});

gpuTest("calls go on in the stream of draws, and a seed gives another", async (gpu) => {
  const env = makeEnv("NumberLine");
  env.reset({ seed: 7 });
  const texts = async (seed: number) => {
    const agent = newAgent(gpu, numberLine, tinyConfig());
    const texts = [];
    for (let i = 0; i < 3; i++) texts.push((await agent.act(env, { seed, temperature: 5 })).decoding.text);
    return texts;
  };
  const first = await texts(0);
  assertEquals(new Set(first).size, 3);
  assertEquals(await texts(0), first);
  assertNotEquals(await texts(1), first);
});

gpuTest(
  "a checkpoint keeps how its policy writes; one from before that was kept writes by default",
  async (gpu) => {
    using temp = new TempFolder();
    await untrainedRun(`${temp.path}/run`);
    const path = `${temp.path}/run/checkpoint`;
    const kept = await loadAgent(gpu, path);
    assertEquals(kept.sampling, { temperature: 0.4, maxNewTokens: 6 });
    assertEquals(kept.actions, ["-", "+"]);

    Deno.removeSync(`${path}/manifest.json`); // else every edit is damage
    const { sampling: _, actionNames: __, ...old } = JSON.parse(Deno.readTextFileSync(`${path}/config.json`));
    const write = (config: unknown) => Deno.writeTextFileSync(`${path}/config.json`, JSON.stringify(config));
    write(old);
    const agent = await loadAgent(gpu, path);
    assertEquals([agent.sampling, agent.actions], [{ temperature: 0.4, maxNewTokens: 14 }, []]);
    const env = makeEnv("NumberLine");
    const { observation, info } = env.reset({ seed: 7 });
    const prompt = env.prompt(info, { cot: true });
    await assertRejects(() => agent.act(observation, prompt), TypeError, "pass `actions` as a setting");
    await agent.act(observation, prompt, { actions: env.actions, maxNewTokens: 2 });

    const odd = [null, [], 1, "x", { temperature: 1e308 }, { temperature: 1e-300 }, { maxNewTokens: 0 }];
    for (const sampling of [{ temperature: 0 }, { temperature: "hot" }, { maxNewTokens: 1.5 }, ...odd]) {
      write({ ...old, sampling });
      await assertRejects(() => loadPolicy(gpu, path, env), SyntaxError, '"sampling"');
    }
    for (const policy of [null, true, "vlm", {}]) {
      write({ ...old, policy });
      await assertRejects(() => loadPolicy(gpu, path, env), SyntaxError, '"policy"');
    }
    write({ ...old, actionNames: [1] });
    await assertRejects(() => loadAgent(gpu, path), SyntaxError, '"actionNames"');
  },
);

gpuTest("pictures and prompts that cannot be read are refused", async (gpu) => {
  const agent = newAgent(gpu, numberLine, tinyConfig());
  const prompt = numberLine.make().prompt(numberLine.make().reset({ seed: 0 }).info, { cot: true });
  await assertRejects(() => agent.act(Uint8Array.of(1, 2, 3), prompt), SyntaxError, "it is no PNG file");
  const small = { width: 2, height: 2, data: new Uint8Array(3) };
  await assertRejects(
    () => agent.act(small, prompt),
    RangeError,
    "observation.data has 3 bytes, expected 2 x 2 x 3 = 12",
  );
  const black = { width: 2, height: 2, data: new Uint8Array(12) };
  await assertRejects(() => agent.act(black, "漢字"), RangeError, "Cannot read the prompt");
});

Deno.test("an environment whose own current is no function is refused", () => {
  const odd = defineEnvironment({
    name: "Odd",
    make: () => ({
      actions: ["a", "b"],
      current: 1 as never,
      reset: () => ({
        observation: { width: 1, height: 1, data: new Uint8Array(3) },
        info: { goalReached: false },
      }),
      step: () => {
        throw new Error("never");
      },
    }),
  });
  assertThrows(() => odd.make(), TypeError, "Cannot make Odd: current is 1, expected a function");
});
