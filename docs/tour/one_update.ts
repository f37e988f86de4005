/**
 * One update of PPO, token by token: a short warm start, 32 environments x 8 turns, one iteration of learning. Prints how
 * the probability of each token of one response changed, and draws it beside all 256 turns.
 *
 *     ./ponder run docs/tour/one_update.ts [FOLDER]      also writes one_update_light.svg and one_update_dark.svg there
 *
 * @module
 */
import { findEnvironment } from "../../envs/mod.ts";
import { openGpu } from "../../kernels/gpu/mod.ts";
import { Tape } from "../../model/mod.ts";
import { learn, ppo } from "../../rl/algorithms/mod.ts";
import { turnAdvantages } from "../../rl/advantages.ts";
import { resolveConfig } from "../../rl/config.ts";
import type { Policy } from "../../rl/policy.ts";
import { learnContext } from "../../rl/reference.ts";
import { collectRollout, type Transition, VectorEnv } from "../../rl/rollout.ts";
import { train } from "../../rl/run/training.ts";
import { rlOptimizer } from "../../rl/optimizers.ts";
import { drawUpdate, ratioOf, signless, type Turn } from "./one_update_picture.ts";

const [folder] = Deno.args;
const environment = findEnvironment("NumberLine");
const settings = {
  demonstrations: 1000,
  sftSteps: 120,
  sftBatch: 16,
  // A third of the usual one: the usual one moves further in a picture of one iteration than the eye can follow.
  learningRate: 3e-5,
  sftWarmup: 20,
  perceptionGate: 0,
  envSteps: 0,
  evalEpisodes: 1,
};
const config = resolveConfig(settings, environment, ppo);
const gpu = await openGpu();

for await (const event of train({ environment, settings, gpu })) {
  if (event.stage === "sft" && event.update === config.sftSteps) {
    console.log(`warm start   ${config.sftSteps} updates, loss ${Number(event.sftLoss).toFixed(3)}`);
  }
  if (event.stage !== "done") continue;
  const { policy } = event;
  const optimizer = rlOptimizer(policy, config);

  // Act: the behaviour log-probability of every token is kept with the turn.
  const vectorEnv = new VectorEnv(environment, config.envs, config.seed);
  const steps = config.rolloutSteps;
  const rollout = await collectRollout(policy, vectorEnv, { ...config, steps, stepsBefore: 0 });
  const { samples } = turnAdvantages(rollout, config);

  // Learn: epochs of minibatches, until the KL stop.
  const { learningRate } = config;
  const metrics = await learn(ppo, rollout, config, learnContext(policy, optimizer, { learningRate }));
  console.log(
    `one update   ${metrics.updates} steps of Adam, KL ${metrics.kl!.toFixed(4)} nats a weighted token`,
  );
  console.log(`first ratios within ${metrics.firstRatioError!.toExponential(1)} of 1\n`);

  // Look: the same tokens under the new weights.
  const logprobs = await presentLogprobs(policy, rollout.transitions);
  const turns = rollout.transitions.map(({ response, logprobs: before, weights }, i): Turn => {
    const { text, starts, ends } = policy.decode(response);
    return {
      advantage: Number(samples[i].advantage),
      tokens: response.map((_, t) => ({
        text: starts[t] === ends[t] ? "(end)" : text.slice(starts[t], ends[t]),
        before: before[t],
        after: logprobs[i][t],
        weight: weights[t],
      })),
    };
  });
  const shown = turns.reduce((best, turn) => farFromClip(turn) < farFromClip(best) ? turn : best);
  print(shown);
  if (folder !== undefined) await drawUpdate(turns, shown, config.clip, folder);
  optimizer.dispose();
}
gpu.destroy();

/** Log-probability of each response token under the present weights, a row for each turn. */
async function presentLogprobs(policy: Policy, transitions: readonly Transition[]): Promise<Float32Array[]> {
  const { temperature } = config;
  const batch = policy.batch(transitions);
  using tape = new Tape(policy.gpu, { record: false });
  const { logprob } = policy.forward(tape, batch, { temperature, values: "none" }); // (B, R)
  const [words] = await policy.gpu.read(logprob.data);
  return transitions.map(({ response }, b) => words.slice(b * batch.R, b * batch.R + response.length));
}

/** A turn that did well and was raised a little beyond the clip shows most. */
function farFromClip(turn: Turn): number {
  return turn.advantage > 0.3 ? Math.abs(ratioOf(turn) - 1.05 - config.clip) : Infinity;
}

function print(turn: Turn): void {
  console.log("token                     weight  log p before   after");
  for (const { text, before, after, weight } of turn.tokens) {
    const numbers = [
      weight.toFixed(1).padStart(6),
      signless(before, 4).padStart(13),
      signless(after, 4).padStart(8),
    ];
    console.log(text.trim().padEnd(25), ...numbers);
  }
  const ratio = ratioOf(turn);
  const clipped = Math.max(1 - config.clip, Math.min(1 + config.clip, ratio));
  const { advantage } = turn;
  console.log(
    `\nratio ${ratio.toFixed(3)}, clipped ${clipped.toFixed(3)}, advantage ${advantage.toFixed(3)}`,
  );
  console.log(`loss  ${(-Math.min(ratio * advantage, clipped * advantage)).toFixed(3)}`);
}
