/** Demonstrations of the warm start: their returns, their mistakes, and thoughts beside actions. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { numberLine, Random } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { demonstrate } from "../../rl/demonstrations.ts";
import { TRAINING_SEEDS } from "../../rl/rollout.ts";
import { newAgent } from "../../rl/setup.ts";
import { sftOptimizer } from "../../rl/optimizers.ts";
import { sftUpdate } from "../../rl/sft.ts";
import { gpuTest } from "../gpu.ts";
import { tinyConfig } from "./tiny_run.ts";

gpuTest(
  "a return goes on after the step limit as that of an average step, and ends where the rules end it",
  async (gpu) => {
    const config = tinyConfig({ demonstrations: 200 });
    const agent = newAgent(gpu, numberLine, config);
    const all = await demonstrate(agent, numberLine, config);
    const average = all.reduce((sum, { discountedReturn }) => sum + discountedReturn, 0) / all.length;
    // The same episodes, played again.
    const env = numberLine.make(), random = new Random(config.seed, "demonstrations");
    let [step, cut, ended] = [0, 0, 0];
    for (let seed = (config.seed + 1) * TRAINING_SEEDS - 1; step < all.length; seed--) {
      env.reset({ seed });
      const rewards: number[] = [];
      let isCut = false;
      for (let isOver = false; !isOver;) {
        const text = env.demonstrate!(random, { cot: agent.cot });
        const { reward, terminated, truncated } = env.step(env.parse(text).action ?? env.randomAction());
        rewards.push(reward);
        isCut = truncated;
        isOver = terminated || truncated;
      }
      rewards.forEach((_, t) => {
        if (step === all.length) return;
        if (isCut) cut++;
        else ended++;
        const later = isCut ? average : 0;
        const expected = rewards.slice(t).reduceRight((sum, reward) => reward + config.gamma * sum, later);
        assertAlmostEquals(all[step++].discountedReturn, expected, 1e-9);
      });
    }
    // About a third of the episodes and half of the steps are cut.
    assert(cut > 60 && ended > 60, `${cut} and ${ended}`);
  },
);

gpuTest("the warm start learns the values of all demonstrated steps", async (gpu) => {
  const config = tinyConfig({ demonstrations: 16 });
  const agent = newAgent(gpu, numberLine, config);
  const all = await demonstrate(agent, numberLine, config);
  const values = await agent.values(all.map(({ prompt }) => prompt));
  const optimizer = sftOptimizer(agent, config);
  const { valueLoss } = await sftUpdate(agent, optimizer, all, 0);
  optimizer.dispose();
  const errors = all.map(({ discountedReturn }, i) => (values[i] - discountedReturn) ** 2 / 2);
  assertAlmostEquals(valueLoss, errors.reduce((sum, error) => sum + error, 0) / errors.length, 1e-4);
});

gpuTest("mistakes are the demonstrator's own, those that are given, or none", async (gpu) => {
  const perfect = (await demonstrated(gpu, ["none"])).filter(({ perception, faithful }) =>
    perception === 1 && faithful
  );
  assertEquals(perfect.length, 300);
  const own = (await demonstrated(gpu, [])).filter(({ perception }) => perception === 1).length;
  const misread = (await demonstrated(gpu, ["misread=0.9"])).filter(({ perception }) =>
    perception === 1
  ).length;
  // Each of two digits is misread in 10% and 90%: 81% and 1% of the thoughts are right.
  assert(own > 210 && own < 270 && misread < 15, `${own} and ${misread}`);
});

/** Judgements of 300 demonstrations; the number line's solver makes mistakes by itself. */
async function demonstrated(gpu: Gpu, mistakes: readonly string[]) {
  const config = tinyConfig({ demonstrations: 300, mistakes });
  const agent = newAgent(gpu, numberLine, config);
  const env = numberLine.make();
  const all = await demonstrate(agent, numberLine, config);
  let step = 0, seed = (config.seed + 1) * TRAINING_SEEDS;
  const judgements = [];
  while (step < all.length) {
    env.reset({ seed: --seed });
    for (let isOver = false; !isOver && step < all.length;) {
      const { text } = agent.decode(all[step++].response);
      judgements.push(env.judge!(text));
      const { terminated, truncated } = env.step(env.parse(text).action!);
      isOver = terminated || truncated;
    }
  }
  return judgements;
}

gpuTest(
  "with --sft-thoughts each step is shown without a thought and with one, with the same return",
  async (gpu) => {
    const config = tinyConfig({ demonstrations: 40, cot: false, sftThoughts: true });
    const agent = newAgent(gpu, numberLine, config);
    const all = await demonstrate(agent, numberLine, config);
    assertEquals(all.length, 80);
    for (let step = 0; step < 80; step += 2) {
      const [plain, thought] = [all[step], all[step + 1]];
      assertEquals(plain.discountedReturn, thought.discountedReturn);
      assert(!agent.decode(plain.response).text.includes("thoughts"));
      assert(agent.decode(thought.response).text.includes("thoughts"));
      const pictures = [plain, thought].map(({ prompt }) =>
        prompt.map((part) => part.kind === "image" ? part.picture.id : "")
      );
      assertEquals(pictures[0], pictures[1]);
    }
    assertEquals(agent.cot, false);
  },
);
