/** Tokenizers of others against what Hugging Face's `tokenizers` says of them: ids, offsets, decoded text. */
import { assert, assertEquals } from "@std/assert";
import { Tokenizer } from "../../model/tokenizer.ts";
import foreign from "./data/foreign_tokenizers.json" with { type: "json" };

for (const { name, tokenizer: json, cases } of foreign) {
  Deno.test(`ids, offsets and text are those of the reference implementation: ${name}`, () => {
    const tokenizer = Tokenizer.fromJson(json);
    for (const { text, ids, offsets, decoded } of cases) {
      const encoding = tokenizer.encode(text);
      assertEquals(encoding.ids, ids, `ids of ${JSON.stringify(text)}`);
      const found = encoding.starts.map((start, i) => [start, encoding.ends[i]]);
      // Behind dropped text the reference implementation's own are those of other characters.
      if (!name.includes("dropped")) assertEquals(found, offsets, `offsets of ${JSON.stringify(text)}`);
      const decoding = tokenizer.decodeWithOffsets(ids);
      assertEquals(decoding.text, decoded, `text of ${ids}`);
      const written = decoding.starts.map((start, i) => decoding.text.slice(start, decoding.ends[i]));
      assertEquals(written.join(""), decoded);
    }
  });
}

Deno.test("byte-level tokenizers cover any text, others what they have words for", () => {
  const covers = Object.fromEntries(foreign.map(({ name, tokenizer: json }) => {
    const tokenizer = Tokenizer.fromJson(json);
    return [name, [
      tokenizer.covers("naïve 日本語 😀\n"),
      tokenizer.covers("the dealer"),
      tokenizer.covers("qqq"),
    ]];
  }));
  for (const [name, [any, , unheard]] of Object.entries(covers)) {
    if (name.startsWith("byte-level")) assert(any && unheard, name);
    else assert(!unheard, name);
  }
  assert(covers["BPE, unknown characters"][1]);
});
