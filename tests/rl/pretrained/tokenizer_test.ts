/** A folder's tokenizer against its model. */
import { assertEquals, assertThrows } from "@std/assert";
import { buildTokenizer } from "../../../model/mod.ts";
import { readPretrainedTokenizer } from "../../../rl/pretrained/tokenizer.ts";

/** 32 tokens: `<pad>` 0, `<image>` 1, `<end_of_utterance>` 2, `<eos>` 3, then pieces. */
const tokenizer = JSON.parse(
  JSON.stringify(buildTokenizer(["a", "b"])).replaceAll("<|pad|>", "<pad>").replaceAll("<|image|>", "<image>")
    .replaceAll("<|end|>", "<end_of_utterance>").replaceAll("<|unknown|>", "<eos>"),
);
const files = { tokenizer, config: { text_config: { eos_token_id: 3 } } };
const fit = { rows: 64, imageTokenId: 1 };

Deno.test("roles come from the chat form, then the generation's config, the tokenizer's, the model's", () => {
  const read = (more: object, afterAnswer?: string) => {
    const { padId, imageId, endId, unknownId } = readPretrainedTokenizer({ ...files, ...more }, {
      ...fit,
      afterAnswer,
    });
    return [padId, imageId, endId, unknownId];
  };
  assertEquals(read({}), [3, 1, 3, null]);
  assertEquals(read({}, "<end_of_utterance>\n"), [2, 1, 2, null]);
  assertEquals(read({ generationConfig: { eos_token_id: [2, 3] } }), [2, 1, 2, null]);
  const tokenizerConfig = { eos_token: { content: "<end_of_utterance>" }, pad_token: "<pad>" };
  assertEquals(read({ tokenizerConfig }), [0, 1, 2, null]);
});

Deno.test("a tokenizer of another model is refused by what does not fit", () => {
  const cases: [object, Partial<typeof fit>, RegExp][] = [
    [{}, { rows: 31 }, /it has 32 tokens, the model's embedding 31 rows/],
    [{}, { rows: 128256 }, /it has 32 tokens, the model's embedding 128256 rows/],
    [{}, { imageTokenId: 4 }, /image token is 4, there it has "a"/],
    [{}, { imageTokenId: 60 }, /image token is 60, it has no such id/],
    [
      { tokenizerConfig: { eos_token: "<\/s>" } },
      {},
      /it has no "<\/s>", the eos_token|nothing says which token ends/,
    ],
    [{ tokenizerConfig: { eos_token: "<image>", bos_token: "<s>" } }, {}, /it has no "<s>", the bos_token/],
    [{ config: {} }, {}, /nothing says which token ends a response/],
  ];
  for (const [more, change, message] of cases) {
    const error = assertThrows(() =>
      readPretrainedTokenizer({ ...files, ...more }, { ...fit, ...change })
    ) as Error;
    assertEquals(message.test(error.message), true, error.message);
  }
});
