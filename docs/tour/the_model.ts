/**
 * From a picture to the log-probability of a response, one part of the model after the other. The weights are random.
 *
 *     ./ponder run docs/tour/the_model.ts
 *
 * @module
 */
import { assert } from "@std/assert";
import { findEnvironment } from "../../envs/mod.ts";
import { openGpu } from "../../kernels/gpu/mod.ts";
import {
  buildTokenizer,
  formatShape,
  forwardFlops,
  layOut,
  modelPresets,
  Tape,
  Tokenizer,
  Vlm,
} from "../../model/mod.ts";
import { projectImages } from "../../model/projector.ts";
import { encodeImages } from "../../model/vision.ts";
import { Agent } from "../../rl/agent.ts";

const gpu = await openGpu();
const env = findEnvironment("NumberLine").make();
const tokenizer = Tokenizer.fromJson(buildTokenizer(env.tokens));
const config = { ...modelPresets.nano, vocabularySize: tokenizer.vocabularySize };
const vlm = new Vlm(gpu, config);
vlm.parameters.initialize(0);
const agent = new Agent(vlm, tokenizer, { cot: true });

// A state, as the model is shown it.
const { observation, info } = env.reset({ seed: 7 });
const prompt = agent.promptOf({ env, observation, info });
const response = agent.encode(env, '{"current number": "2", "target number": "0", "action": "-"}');
say("frame", `${observation.width} x ${observation.height} RGB`);
for (const part of prompt) {
  say(
    part.kind,
    part.kind === "text" ? `${part.ids.length} tokens` : `${config.imageSize} x ${config.imageSize}`,
  );
}
say("response", `${response.length} tokens: ${response.map((id) => tokenizer.decode([id])).join("|")}`);

const layout = layOut([{ prompt, response }], config);
{
  using tape = new Tape(gpu, { record: false });
  const visionTokens = encodeImages(tape, vlm.parameters, config, layout);
  say("vision", formatShape(visionTokens.shape), "(images, patches, vision width)");
  const imageTokens = projectImages(tape, vlm.parameters, config, visionTokens);
  say("projector", formatShape(imageTokens.shape), "(images, P, C)");
  const hidden = vlm.hidden(tape, layout);
  say("language", formatShape(hidden.shape), "(B R, C), at the positions that predict the response");
  const { logprob, entropy } = vlm.responseLogprobs(tape, hidden, layout, 1);
  say("head", formatShape(logprob.shape), "(B, R) log-probabilities, and as many entropies");
  const value = vlm.values(tape, hidden, layout);
  say("value head", formatShape(value.shape), "(B), read at the last prompt position");
  const [logprobs, entropies] = await gpu.read(logprob.data, entropy.data);
  const total = logprobs.subarray(0, response.length).reduce((sum, p) => sum + p, 0);
  say(
    "log p",
    total.toFixed(2),
    `${response.length} tokens x log(1/${config.vocabularySize}) = ${
      (response.length * -Math.log(config.vocabularySize)).toFixed(2)
    }`,
  );
  say(
    "entropy",
    entropies[0].toFixed(2),
    `of the first token; log ${config.vocabularySize} = ${Math.log(config.vocabularySize).toFixed(2)}`,
  );
}

// What writes and what trains agree: that is why PPO's first ratio is 1.
const [decision] = await agent.respond([{ env, observation, info }], {
  temperature: 1,
  greedy: false,
  maxNewTokens: 8,
  random: new Uint32Array([7, 0]),
});
const written = layOut([{ prompt, response: decision.response.ids }], config);
{
  using tape = new Tape(gpu, { record: false });
  const { logprob } = vlm.responseLogprobs(tape, vlm.hidden(tape, written), written, 1);
  const [words] = await gpu.read(logprob.data);
  const difference = decision.response.logprobs.reduce(
    (most, p, r) => Math.max(most, Math.abs(p - words[r])),
    0,
  );
  say(
    "sampled",
    `${decision.response.ids.length} tokens`,
    `log p of writing and of reading differ by at most ${difference.toExponential(0)}`,
  );
  assert(difference < 1e-4);
}
const { images, B, T, R } = layout;
say(
  "work",
  `${(forwardFlops(config, { images, B, T, R }) / 1e6).toFixed(1)} MFLOP`,
  `${(vlm.parameters.values.length / 1e6).toFixed(2)}M parameters`,
);
gpu.destroy();

function say(part: string, size: string, note = ""): void {
  console.log(`${part.padEnd(11)} ${size.padEnd(16)} ${note}`.trimEnd());
}
