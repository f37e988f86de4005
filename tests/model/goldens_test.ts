/** The model against PyTorch in f64: forward, losses, gradients and ten training steps (see goldens/). */
import { assert, assertEquals } from "@std/assert";
import { projectImages } from "../../model/projector.ts";
import { encodeImages } from "../../model/vision.ts";
import { AdamW, linear, Tape, type Vlm } from "../../model/mod.ts";
import { Agent } from "../../rl/agent.ts";
import { ppo as ppoAlgorithm } from "../../rl/algorithms/mod.ts";
import { policyLosses, type PolicyPart } from "../../rl/objective.ts";
import { tinyConfig } from "../rl/tiny_run.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { type GoldenGradients, loadGoldens, sampleGradient } from "./goldens/load.ts";
import {
  assertClose,
  goldenCells,
  goldenLayout,
  goldenVlm,
  sftLoss,
  spread,
  valueLoss,
} from "./goldens/model.ts";

const goldens = loadGoldens();
const { batch, config, forward, ppo, sft, training, value } = goldens;
const { B } = goldenLayout;

// Largest errors measured on llvmpipe: forward 4e-7 (ratios 9e-7), gradients 2e-6, ten steps 7e-7.
const FORWARD_TOLERANCE = 1e-5;
const GRADIENT_TOLERANCE = 2e-5;

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ...onGpu });
}

const pick = (cells: ArrayLike<number>) => goldenCells.map((cell) => cells[cell]);

async function assertGradients(vlm: Vlm, wanted: GoldenGradients): Promise<void> {
  const [words] = await vlm.gpu.read(vlm.parameters.gradients!);
  const gradients = vlm.parameters.split(words);
  for (const [name, golden] of Object.entries(wanted)) {
    const { shape, data } = gradients.get(name)!;
    assertEquals(shape, [...golden.shape], name);
    const { samples, norm } = sampleGradient(data, golden);
    assertClose(samples, golden.samples, GRADIENT_TOLERANCE, `d${name}`);
    assertClose([norm], [golden.norm], GRADIENT_TOLERANCE, `norm of d${name}`);
  }
}

/** The goldens' batch as PPO sees it. */
function goldenPart(): Omit<PolicyPart, "settings"> {
  const weights = batch.isAction.map((isAction) => isAction ? 1 : ppo.lambda);
  const logPi = new Float32Array(B);
  ppo.behaviourLogProbs.forEach((logprob, r) => logPi[batch.rows[r]] += weights[r] * logprob);
  return {
    batch: goldenLayout,
    weights: spread(weights),
    logPi,
    advantages: Float32Array.from(batch.advantages),
    returns: Float32Array.from(batch.returns),
    values: Float32Array.from(ppo.oldValues),
    entropyWeights: new Float32Array(goldenLayout.mask.length),
    steps: B,
  };
}

for (const imageNormalization of ["per-image", "fixed"] as const) {
  test(`image tokens with ${imageNormalization} normalisation are PyTorch's`, async () => {
    const vlm = goldenVlm(await testGpu(), { imageNormalization });
    using tape = new Tape(vlm.gpu, { record: false });
    const vision = encodeImages(tape, vlm.parameters, vlm.config, goldenLayout);
    const tokens = projectImages(tape, vlm.parameters, vlm.config, vision);
    const [got] = await vlm.gpu.read(tokens.data);
    const want = imageNormalization === "fixed" ? forward.imageTokensFixed : forward.imageTokens;
    assertClose(got, want, FORWARD_TOLERANCE, "image tokens");
  });
}

test("logits before response tokens and values of prompts are PyTorch's", async () => {
  const vlm = goldenVlm(await testGpu());
  using tape = new Tape(vlm.gpu, { record: false });
  const hidden = vlm.hidden(tape, goldenLayout);
  const logits = linear(tape, hidden, {
    weight: vlm.parameters.get("language.head.weight"),
    bias: null,
  });
  const values = vlm.values(tape, tape.detach(hidden), goldenLayout);
  const [gotLogits, gotValues] = await vlm.gpu.read(logits.data, values.data);
  const V = config.vocabularySize;
  const rows = goldenCells.flatMap((cell) => Array.from(gotLogits.subarray(cell * V, (cell + 1) * V)));
  assertClose(rows, forward.logits, FORWARD_TOLERANCE, "logits");
  assertClose(gotValues, forward.values, FORWARD_TOLERANCE, "values");
});

for (const { temperature, logProbs, entropy } of forward.temperatures) {
  test(`log-probabilities and entropies at temperature ${temperature} are PyTorch's`, async () => {
    const vlm = goldenVlm(await testGpu());
    using tape = new Tape(vlm.gpu, { record: false });
    const got = vlm.responseLogprobs(tape, vlm.hidden(tape, goldenLayout), goldenLayout, temperature);
    const [gotLogProbs, gotEntropy] = await vlm.gpu.read(got.logprob.data, got.entropy.data);
    assertClose(pick(gotLogProbs), logProbs, FORWARD_TOLERANCE, "log-probabilities");
    assertClose(pick(gotEntropy), entropy, FORWARD_TOLERANCE, "entropies");
  });
}

test("the SFT loss and its gradients are PyTorch's", async () => {
  const vlm = goldenVlm(await testGpu());
  vlm.parameters.train(() => true);
  using tape = new Tape(vlm.gpu, { record: true });
  const loss = sftLoss(tape, vlm, vlm.hidden(tape, goldenLayout));
  tape.backward(loss);
  const [got] = await vlm.gpu.read(loss.data);
  assertClose(got, [sft.loss], FORWARD_TOLERANCE, "loss");
  await assertGradients(vlm, sft.gradients);
});

test("the value loss and its gradients are PyTorch's, and none leaves the value head", async () => {
  const vlm = goldenVlm(await testGpu());
  vlm.parameters.train(() => true);
  using tape = new Tape(vlm.gpu, { record: true });
  const loss = valueLoss(tape, vlm, vlm.hidden(tape, goldenLayout));
  tape.backward(loss);
  const [got, words] = await vlm.gpu.read(loss.data, vlm.parameters.gradients!);
  assertClose(got, [value.loss], FORWARD_TOLERANCE, "loss");
  await assertGradients(vlm, value.gradients);
  for (const [name, { data }] of vlm.parameters.split(words)) {
    assertEquals(data.some((x) => x !== 0), name.startsWith("value_head."), name);
  }
});

test("PPO's clipped losses, ratios and gradients are PyTorch's", async () => {
  const vlm = goldenVlm(await testGpu());
  vlm.parameters.train(() => true);
  using tape = new Tape(vlm.gpu, { record: true });
  const { temperature, clip } = ppo;
  const config = tinyConfig({ temperature, clip, valueClip: clip, ratioGuard: 1e6 });
  // The tokenizer and the environments have no part in the losses.
  const agent = new Agent(vlm, null as never, { cot: true });
  const part = { ...goldenPart(), settings: ppoAlgorithm.objective(config) };
  const { losses: { policyLoss, valueLoss }, readouts } = policyLosses(tape, agent, part);
  const kept = [readouts!.logRatio, policyLoss[0], valueLoss[0]].map((tensor) => tape.keep(tensor));
  tape.backward(policyLoss[0], valueLoss[0]);
  const [logRatios, [policy], [value]] = await vlm.gpu.read(...kept.map(({ data }) => data));
  assertClose(logRatios.map(Math.exp), ppo.ratios, FORWARD_TOLERANCE, "ratios");
  assertClose([policy], [ppo.policyLoss], FORWARD_TOLERANCE, "policy loss");
  assertClose([value], [ppo.valueLoss], FORWARD_TOLERANCE, "value loss");
  await assertGradients(vlm, { ...ppo.gradients, ...ppo.valueGradients });
});

test("ten steps of AdamW follow PyTorch's losses and gradient norms", async () => {
  const vlm = goldenVlm(await testGpu());
  const { lr, beta1, beta2, epsilon, clip, weightDecay, steps } = training;
  const optimizer = new AdamW(vlm.gpu, vlm.parameters, ({ kind, part }) => ({
    learningRateScale: 1,
    weightDecay: kind === "matrix" || kind === "head" ? weightDecay : 0,
    clipGroup: part === "value_head" ? "value" : "policy",
  }));
  const settings = { learningRate: lr, beta1, beta2, epsilon, policyClip: clip, valueClip: clip };
  for (const [index, want] of steps.entries()) {
    using tape = new Tape(vlm.gpu, { record: true });
    const hidden = vlm.hidden(tape, goldenLayout);
    const losses = [sftLoss(tape, vlm, hidden), valueLoss(tape, vlm, hidden)];
    tape.backward(...losses);
    optimizer.update(settings);
    const [[sft], [value], norms] = await vlm.gpu.read(losses[0].data, losses[1].data, optimizer.norms);
    assertClose([sft], [want.sftLoss], 1e-5, `SFT loss before step ${index + 1}`);
    assertClose([value], [want.valueLoss], 1e-5, `value loss before step ${index + 1}`);
    assertClose([norms[0]], [want.policyNorm], 2e-5, `policy norm of step ${index + 1}`);
    assertClose([norms[1]], [want.valueNorm], 2e-5, `value norm of step ${index + 1}`);
  }
  assert(steps[9].sftLoss < steps[0].sftLoss, "the goldens' curve falls");
  optimizer.dispose();
});
