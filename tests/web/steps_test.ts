/** Training and acting in the browser, against the same code in Deno. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { onGpu } from "../gpu.ts";
import { inBrowser, type ModulePage, openModule } from "../browser.ts";
import { closeGpu, greedyResponses, type Steps, trainingSteps, type trainToSuccess } from "./steps_page.ts";

const DEMO = new URL("../../web/playground/demo/", import.meta.url);
const NAMES = ["config.json", "tokenizer.json", "model.safetensors"];
const demo = Object.fromEntries(NAMES.map((name) => [name, Deno.readFileSync(new URL(name, DEMO))]));

let shared: Promise<ModulePage> | null = null;
/** The page of this test file. */
const page = () => shared ??= openModule("tests/web/steps_page.ts", demo);
if (!inBrowser.ignore) {
  Deno.test.afterAll(async () => {
    await closeGpu();
    await (await shared)?.[Symbol.asyncDispose]();
  });
}

const inBoth = { ...inBrowser, ignore: inBrowser.ignore || onGpu.ignore } as const;

Deno.test({
  name: "SFT and PPO steps in the browser measure what they do in Deno",
  ...inBoth,
  fn: async () => {
    const module = await page();
    const [got, want] = [await module.call<Steps>("trainingSteps"), await trainingSteps()];
    got.sft.forEach((step, i) => {
      for (const name of ["sftLoss", "valueLoss", "gradientNorm"] as const) {
        assertAlmostEquals(
          step[name],
          want.sft[i][name],
          1e-4 * (1 + Math.abs(want.sft[i][name])),
          `${name} ${i}`,
        );
      }
    });
    assertEquals(got.responses, want.responses);
    assert("policyLoss" in want.ppo);
    for (const [name, value] of Object.entries(want.ppo)) {
      if (typeof value !== "number") continue;
      assertAlmostEquals(got.ppo[name] as number, value, 1e-3 * (1 + Math.abs(value)), name);
    }
  },
});

Deno.test({
  name: "a trained policy writes the same of all 30 states of NumberLine in the browser and in Deno",
  ...inBoth,
  fn: async () => {
    const module = await page();
    type Greedy = Awaited<ReturnType<typeof greedyResponses>>;
    const got = await module.call<Greedy>("greedyResponses");
    const want = await greedyResponses((name) => Promise.resolve(demo[name]));
    assertEquals(got.texts, want.texts);
    const differences = got.logprobs.flatMap((row, i) =>
      row.map((v, j) => Math.abs(v - want.logprobs[i][j]))
    );
    const most = Math.max(...differences);
    assert(most < 1e-3, `log-probabilities differ by up to ${most}`);
  },
});

/**
 * Numbers 0 and 1 alone: the policy can read after few updates of a high rate. The teacher reads right and often does the
 * opposite, so that imitation alone succeeds by chance.
 */
const SHORT = {
  envSettings: ["maxPosition=1"],
  mistakes: ["misread=0", "comparison=0", "flipPlus=0.4", "flipMinus=0.45"],
  demonstrations: 256,
  sftSteps: 80,
  sftBatch: 8,
  sftLearningRate: 3e-3,
  sftWarmup: 10,
  envSteps: 256,
  learningRate: 1e-3,
  klStop: 100,
  envs: 16,
  rolloutSteps: 4,
  minibatch: 64,
  evalEpisodes: 32,
  perceptionGate: 0,
  perceptionExtraSteps: 0,
};

Deno.test({
  name: "train() in the page takes NumberLine from nothing to success, most of it by RL",
  ...inBrowser,
  fn: async () => {
    const module = await page();
    type Trained = Awaited<ReturnType<typeof trainToSuccess>>;
    const { success, iterations } = await module.call<Trained>("trainToSuccess", SHORT);
    assertEquals(iterations, 4);
    assert(success.sft <= 0.75, `success after imitation ${success.sft}`);
    assert(success.rl >= 0.9, `success after RL ${success.rl}`);
  },
});
