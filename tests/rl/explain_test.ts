/** What explanations tell, against sums over what they read. */
import { assert, assertAlmostEquals } from "@std/assert";
import {
  deriveSizes,
  layOut,
  modelPresets,
  Tape,
  type Tensor,
  Vlm,
  type VlmConfig,
} from "../../model/mod.ts";
import { Agent } from "../../rl/agent.ts";
import { explain } from "../../rl/explain.ts";
import { onGpu, testGpu } from "../gpu.ts";

Deno.test({
  name: "where a model looked is right for heads of any size that share keys",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const [H, K, D] = [4, 2, 32]; // width / H is 24
    const config: VlmConfig = { ...modelPresets["nano-llama"], vocabularySize: 64, headSize: D };
    const vlm = new Vlm(gpu, config);
    vlm.parameters.initialize(7);
    const { imageTokens: P } = deriveSizes(config);
    const side = config.imageSize;
    const pixels = Uint8Array.from({ length: 3 * side ** 2 }, (_, i) => (i * 37) % 251);
    const prompt = [
      { kind: "image", picture: { pixels, id: "stripes" } },
      { kind: "text", ids: [3, 4, 5] },
    ] as const;
    const sequences = [{ prompt, response: [6, 7, 8] }];
    const settings = { temperature: 1, alternatives: 2 };
    const [{ attention }] = await explain(new Agent(vlm, null as never, { cot: true }), sequences, settings);
    assert(attention !== null);

    const layout = layOut(sequences, config);
    using tape = new Tape(gpu, { record: false });
    const QKVs: Tensor[] = [];
    vlm.hidden(tape, layout, (_, QKV) => QKVs.push(QKV));
    const layers = await gpu.read(...QKVs.map(({ data }) => data));
    const W = (H + 2 * K) * D;
    for (let r = 0; r < 3; r++) {
      const query = layout.prefix[0] + r - 1;
      for (let p = 0; p < P; p++) {
        let expected = 0;
        for (const QKV of layers) {
          const vector = (t: number, head: number) => QKV.subarray(t * W + head * D, t * W + (head + 1) * D);
          for (let h = 0; h < H; h++) {
            // Heads 0 and 1 read keys 4, heads 2 and 3 keys 5 of a row's eight vectors.
            const key = [4, 4, 5, 5][h];
            const scores = Array.from({ length: query + 1 }, (_, t) => {
              const k = vector(t, key);
              return Math.exp(vector(query, h).reduce((sum, q, d) => sum + q * k[d], 0) / Math.sqrt(D));
            });
            expected += scores[p] / scores.reduce((sum, score) => sum + score) / H / layers.length;
          }
        }
        assertAlmostEquals(attention.shares[r][p], expected, 1e-6);
      }
    }
  },
});
