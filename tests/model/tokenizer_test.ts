import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { buildTokenizer, SPECIAL_TOKENS, Tokenizer } from "../../model/tokenizer.ts";
import { processorMs } from "../processor_time.ts";

const PIECES = [
  "{\n",
  '"current number": ',
  '"action": ',
  '"',
  "-",
  "+",
  "1",
  "12",
  "123",
  ", ",
  ",",
  "\n",
  "}",
  " ",
  "a",
  "ab",
  "abcd",
  "a.c",
  "(x|y)*",
  "\\d",
  "\\",
  "[^]",
  "$",
  "é",
  "😀",
  "__proto__",
  "constructor",
];
const tokenizer = Tokenizer.fromJson(buildTokenizer(PIECES));

/** The specification: at every position the longest piece or special token; uncovered stretches are unknown. */
function greedy(text: string): { texts: string[]; ids: number[] } {
  const vocabulary = [...SPECIAL_TOKENS, ...PIECES];
  const texts: string[] = [];
  const ids: number[] = [];
  // Special tokens are cut out first, as the format says.
  for (const section of text.split(/(<\|(?:pad|image|end|unknown)\|>)/u)) {
    let open = false;
    for (let at = 0; at < section.length;) {
      let best = "";
      for (const token of vocabulary) {
        if (token.length > best.length && section.startsWith(token, at)) best = token;
      }
      if (best) {
        texts.push(best);
        ids.push(vocabulary.indexOf(best));
        at += best.length;
        open = false;
      } else {
        if (open) texts[texts.length - 1] += section[at];
        else texts.push(section[at]), ids.push(3);
        at++;
        open = true;
      }
    }
  }
  return { texts, ids };
}

function encodedTexts(text: string): { texts: string[]; ids: number[] } {
  const { ids, starts, ends } = tokenizer.encode(text);
  return { texts: starts.map((start, i) => text.slice(start, ends[i])), ids };
}

Deno.test("a built tokenizer has the special tokens first and a size that is a multiple of 32", () => {
  assertEquals([tokenizer.padId, tokenizer.imageId, tokenizer.endId, tokenizer.unknownId], [0, 1, 2, 3]);
  assertEquals(tokenizer.vocabularySize, 32);
  const sizeWith = (count: number) =>
    Tokenizer.fromJson(buildTokenizer(Array.from({ length: count }, (_, i) => `<${i}>`))).vocabularySize;
  assertEquals([1, 28, 29, 60, 61].map(sizeWith), [32, 32, 64, 64, 96]);
});

Deno.test("pieces take ids in the order given, and a repeated piece takes one", () => {
  const { ids } = Tokenizer.fromJson(buildTokenizer(["7", "a", "7", "0", "b"])).encode("7a0b");
  assertEquals(ids, [4, 5, 6, 7]);
});

Deno.test("encode takes the longest piece at every position and gives its characters", () => {
  const text = '{\n"current number": 123412, abcdabc"action": "+"\n}';
  assertEquals(encodedTexts(text), greedy(text));
  assertEquals(encodedTexts("1231212").texts, ["123", "12", "12"]);
});

Deno.test("pieces made of regular expression syntax match literally", () => {
  const text = "(x|y)*\\d\\[^]$a.c";
  assertEquals(encodedTexts(text).texts, ["(x|y)*", "\\d", "\\", "[^]", "$", "a.c"]);
  assertEquals(tokenizer.decode(tokenizer.encode(text).ids), text);
  assertEquals(encodedTexts("abc").texts, ["ab", "c"]);
});

Deno.test("text that no piece covers becomes one unknown a stretch, with its offsets", () => {
  assertEquals(encodedTexts("zq12zz<|pad|>z<|unknown|>é\u0301"), {
    texts: ["zq", "12", "zz", "<|pad|>", "z", "<|unknown|>", "é", "\u0301"],
    ids: [3, 4 + PIECES.indexOf("12"), 3, 0, 3, 3, 4 + PIECES.indexOf("é"), 3],
  });
  assertEquals(tokenizer.encode(""), { ids: [], starts: [], ends: [] });
});

Deno.test("offsets count UTF-16 code units", () => {
  assertEquals(tokenizer.encode("😀a👍a"), {
    ids: [4 + PIECES.indexOf("😀"), 4 + PIECES.indexOf("a"), 3, 4 + PIECES.indexOf("a")],
    starts: [0, 2, 3, 5],
    ends: [2, 3, 5, 6],
  });
});

Deno.test("any text encodes as the plain greedy loop does", () => {
  const fragment = fc.oneof(
    fc.constantFrom(...PIECES, ...SPECIAL_TOKENS, "<|", "|>", "<|reserved", "z", "\ud83d", "\ude00", "'"),
    fc.string({ unit: "binary", maxLength: 4 }),
  );
  fc.assert(fc.property(fc.array(fragment, { maxLength: 12 }), (fragments) => {
    const text = fragments.join("");
    fc.pre(!/<\|reserved_\d+\|>/.test(text));
    assertEquals(encodedTexts(text), greedy(text));
  }));
});

Deno.test("decode joins pieces exactly, whatever spaces stand before punctuation", () => {
  const text = '"action": "+" , -1 ,\n 12 } ';
  assertEquals(tokenizer.decode(tokenizer.encode(text).ids), text);
  assertEquals(tokenizer.decode([]), "");
});

Deno.test("decodeWithOffsets gives each id its characters, and special tokens none", () => {
  const [action, quote, plus] = ['"action": ', '"', "+"].map((piece) => 4 + PIECES.indexOf(piece));
  const decoding = tokenizer.decodeWithOffsets([1, action, quote, plus, 3, quote, 2, 0, 31]);
  assertEquals(decoding, {
    text: '"action": "+"',
    starts: [0, 0, 10, 11, 12, 12, 13, 13, 13],
    ends: [0, 10, 11, 12, 12, 13, 13, 13, 13],
  });
  assertEquals(tokenizer.decodeWithOffsets(new Uint32Array([plus])), { text: "+", starts: [0], ends: [1] });
});

Deno.test("decoding an id outside the vocabulary names it", () => {
  for (const id of [-1, 32, 1.5, NaN]) {
    assertThrows(() => tokenizer.decode([2, id]), RangeError, `Cannot decode id ${id}: ids are 0 to 31`);
    assertThrows(() => tokenizer.decodeWithOffsets([id]), RangeError, `Cannot decode id ${id}`);
  }
});

Deno.test("a tokenizer survives being written as JSON and read back", () => {
  const again = Tokenizer.fromJson(JSON.parse(JSON.stringify(tokenizer.toJson())));
  const text = "__proto__constructor12 ?";
  assertEquals(again.encode(text), tokenizer.encode(text));
  assertEquals(again.encode(text).ids[0], 4 + PIECES.indexOf("__proto__"));
  assertEquals(again.toJson(), tokenizer.toJson());
});

Deno.test("a megabyte encodes in time that grows with its length", () => {
  const startMs = processorMs();
  const covered = tokenizer.encode('"action": 12, '.repeat(75_000));
  assertEquals(covered.ids.length, 225_000);
  assertEquals(tokenizer.encode("z".repeat(1_000_000)).ids, [3]);
  assertEquals(tokenizer.encode("z1".repeat(100_000)).ids.length, 200_000);
  const elapsedMs = processorMs() - startMs;
  assert(elapsedMs < 5_000, `three megabytes took ${elapsedMs} ms`);
});

Deno.test("pieces that cannot be tokens are refused", () => {
  assertThrows(() => buildTokenizer([]), RangeError, "no pieces");
  assertThrows(() => buildTokenizer(["a", ""]), RangeError, 'piece "", it is empty');
  assertThrows(() => buildTokenizer(["\ud83d"]), RangeError, "half a surrogate pair");
  assertThrows(() => buildTokenizer(["x<|end|>"]), RangeError, "it holds a special token's name");
});

Deno.test("a tokenizer.json that cannot serve says what is wrong", () => {
  const good = buildTokenizer(["a"]);
  const vocabulary = good.model.vocab as Record<string, number>;
  const withVocabulary = (vocab: unknown) => ({ ...good, model: { ...good.model, vocab } });
  const cases: [unknown, string][] = [
    [null, "it is not an object"],
    [[], 'it has no "model"'],
    [{}, 'it has no "model"'],
    [{ model: {} }, 'it has no list "added_tokens"'],
    [{ model: [], added_tokens: [] }, 'it has no "model"'],
    [{ model: {}, added_tokens: [] }, "its model is undefined"],
    [{ ...good, added_tokens: [{ id: -1, content: "x" }] }, "has no id or no content"],
    [{ ...good, added_tokens: [null] }, "has no id or no content"],
    [
      { ...good, pre_tokenizer: { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated" } },
      'pattern "(" is not known to be harmless',
    ],
    [{ ...good, model: { type: "Unheard" } }, 'its model is "Unheard"'],
    [withVocabulary({ ...vocabulary, b: 1_000_000_000 }), "id 32 has no token"],
    [withVocabulary({ ...vocabulary, b: 1e300 }), 'token "b" has id 1e+300'],
    [withVocabulary({ ...vocabulary, b: "32" }), 'token "b" has id "32"'],
    [withVocabulary({ ...vocabulary, b: -1 }), 'token "b" has id -1'],
    [withVocabulary({ ...vocabulary, b: 31 }), "two tokens have one id, 31"],
    [withVocabulary([["a", 0]]), "its vocab is a list of 1"],
    [withVocabulary(null), "its vocab is null"],
    [{ ...good, added_tokens: [...good.added_tokens, { id: 4, content: "b" }] }, "two tokens have one id, 4"],
    [{ ...good, added_tokens: [...good.added_tokens, { id: 4, content: "<|end|>" }] }, "has two ids"],
    [{ ...good, model: { ...good.model, unk_token: "[UNK]" } }, 'its unk_token "[UNK]" is not in its vocab'],
    [{ ...good, model: { ...good.model, unk_token: null } }, "its model has no unk_token"],
    [{ ...good, model: { ...good.model, max_input_chars_per_word: "9" } }, 'max_input_chars_per_word is "9"'],
    [{ ...good, model: { ...good.model, continuing_subword_prefix: 7 } }, "continuing_subword_prefix is 7"],
    [{ ...good, model: { type: "Unigram", vocab: [["a", 0]] } }, 'its model is "Unigram"'],
    [{ ...good, model: { type: "BPE", vocab: vocabulary, merges: ["a"] } }, 'merge 0 is "a"'],
    [
      { ...good, model: { type: "BPE", vocab: vocabulary, merges: [["a", "a"]] } },
      '"aa", which is not in its vocab',
    ],
    [{ ...good, model: { type: "BPE", vocab: vocabulary, merges: {} } }, "its merges are an object"],
    [
      { ...good, model: { type: "BPE", vocab: vocabulary, merges: [], byte_fallback: true } },
      "byte_fallback true",
    ],
    [{ ...good, normalizer: { type: "Lowercase" } }, 'its normalizer is "Lowercase"'],
    [
      { ...good, normalizer: { type: "Replace", pattern: { Regex: "(a+)+$" } } },
      'its normalizer is "Replace"',
    ],
    [{ ...good, normalizer: 7 }, "its normalizer is 7"],
    [{ ...good, pre_tokenizer: { type: "Metaspace" } }, 'its pre-tokenizer is "Metaspace"'],
    [{ ...good, pre_tokenizer: { type: "FixedLength", length: 0 } }, 'its pre-tokenizer is "FixedLength"'],
    [{ ...good, pre_tokenizer: { type: "Split", pattern: { String: "" } } }, "has no pattern"],
    [{ ...good, pre_tokenizer: { type: "Split", pattern: { String: "a" } } }, "cuts in the way undefined"],
    [{ ...good, pre_tokenizer: { type: "ByteLevel" } }, "adds a prefix space"],
    [{ ...good, pre_tokenizer: { type: "Sequence", pretokenizers: Array(1e6).fill({}) } }, "at most 32"],
    [{ ...good, pre_tokenizer: { type: "Sequence", pretokenizers: [null] } }, "its pre_tokenizer holds null"],
    [{ ...good, decoder: { type: "Metaspace" } }, 'its decoder is "Metaspace"'],
    [{ ...good, decoder: { type: "Sequence", decoders: [] } }, "its decoder is a sequence of 0"],
    [
      { ...good, decoder: { type: "Replace", pattern: { Regex: "(a+)+$" }, content: "" } },
      'its decoder is "Replace"',
    ],
    [{ ...good, decoder: { type: "x".repeat(2_000_000) } }, "(2000000 characters)"],
    [
      { ...withVocabulary({ "<|pad|>": 0, "<|image|>": 1, "<|unknown|>": 2 }), added_tokens: [] },
      "there is no token <|end|>",
    ],
  ];
  for (const [json, state] of cases) {
    const error = assertThrows(() => Tokenizer.fromJson(json), SyntaxError, "Cannot read tokenizer.json: ");
    assert(error.message.includes(state), `${error.message} should say: ${state}`);
    assert(error.message.length < 400, `message of ${error.message.length} characters`);
  }
});

Deno.test("patterns that could try one stretch of text in many ways are refused by name", () => {
  const good = buildTokenizer(["a"]);
  const patterns = [
    ...[
      "(a+)+$",
      "(a|a)*b",
      "(a|aa)+$",
      "(.*)*x",
      "a*a*a*a*b",
      "(?:a?){50}a{50}",
      "(\\w+\\s?)*!",
      "([a-z]+)*1",
    ],
    ...[
      "(?=(a+))\\1b",
      "(?<=a+)b",
      "a{1,1000}{1,1000}",
      "[^]*[^]*!",
      "a|(b+)+",
      "\\p{L}*\\p{L}*!",
      ".*.*=.*",
      "x*",
    ],
    ...["a|", "", "[", "\\", "\\u0061", "a\ud800"],
  ];
  for (const Regex of patterns) {
    const split = { type: "Split", pattern: { Regex }, behavior: "Isolated" };
    for (const pre_tokenizer of [split, { type: "Sequence", pretokenizers: [split] }]) {
      const { message } = assertThrows(() => Tokenizer.fromJson({ ...good, pre_tokenizer }), SyntaxError);
      assert(message.includes("is not known to be harmless"), message);
    }
  }
});

Deno.test("literal alternatives take the first of a pattern that matches, whatever their number", () => {
  const good = buildTokenizer(["ab", "a", "b", "|", "."]);
  const idsWith = (Regex: string) =>
    Tokenizer.fromJson({
      ...good,
      pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated" },
    })
      .encode("ab|.").ids;
  assertEquals(idsWith("ab|a|b|\\||\\."), [4, 7, 8]);
  assertEquals(idsWith("a|ab|b|\\||\\."), [5, 6, 7, 8]);
  const long = Array.from({ length: 2000 }, (_, i) => "a".repeat(i + 1) + "b").join("|");
  assertEquals(idsWith(long), [4, 7, 8]);
});

Deno.test("a tokenizer that composes characters says which of the text's each token covers", () => {
  const composing = Tokenizer.fromJson({
    ...buildTokenizer(["é", "a", "각", "\u0316"]),
    normalizer: { type: "NFC" },
  });
  assertEquals(composing.encode("é").ids, [4]);
  // e, acute; a; the three letters of a Hangul syllable; e, a mark below that stays, acute
  const { ids, starts, ends } = composing.encode("e\u0301a\u1100\u1161\u11a8e\u0316\u0301");
  assertEquals(ids, [4, 5, 6, 4, 7]);
  assertEquals([starts, ends], [[0, 2, 3, 6, 6], [2, 3, 6, 9, 9]]);
  assert(composing.covers("e\u0301"));
});

Deno.test("added tokens take blanks and keep to words as they say", () => {
  const json = buildTokenizer(["a", " ", "b"]);
  const added = { special: true, normalized: false, single_word: false, lstrip: false, rstrip: false };
  const tokenizer = Tokenizer.fromJson({
    ...json,
    added_tokens: [
      ...json.added_tokens,
      { ...added, id: 32, content: "<l>", lstrip: true },
      { ...added, id: 33, content: "<r>", rstrip: true },
      { ...added, id: 34, content: "ab", single_word: true },
      { ...added, id: 35, content: "<l><l>", normalized: true },
    ],
  });
  const spans = (text: string) => {
    const { ids, starts, ends } = tokenizer.encode(text);
    return ids.map((id, i) => [id, starts[i], ends[i]]);
  };
  assertEquals(spans("a  <l> a"), [[4, 0, 1], [32, 1, 6], [5, 6, 7], [4, 7, 8]]);
  assertEquals(spans("<r> \n<l>"), [[33, 0, 5], [32, 5, 8]]);
  assertEquals(spans("ab aba"), [[34, 0, 2], [5, 2, 3], [4, 3, 4], [6, 4, 5], [4, 5, 6]]);
  // What is looked for in the text as it is comes before what is looked for later, even if that is longer.
  assertEquals(spans("<l><l>"), [[32, 0, 3], [32, 3, 6]]);
});

Deno.test("a foreign tokenizer is told which of its tokens mean what", () => {
  const json = buildTokenizer(["a"]);
  const renamed = JSON.parse(JSON.stringify(json).replaceAll("<|end|>", "</s>"));
  assertThrows(() => Tokenizer.fromJson(renamed), SyntaxError, "there is no token");
  const tokenizer = Tokenizer.fromJson(renamed, { end: "</s>", pad: "</s>", image: null, unknown: null });
  const { endId, padId, imageId, unknownId } = tokenizer;
  assertEquals([endId, padId, imageId, unknownId], [2, 2, null, null]);
  assertEquals([tokenizer.idOf("</s>"), tokenizer.idOf("x"), tokenizer.tokenOf(2)], [2, null, "</s>"]);
  assertEquals([2, 4].map((id) => tokenizer.isSpecial(id)), [true, false]);
});

Deno.test("a tokenizer covers what its pieces write, and nothing else", () => {
  const texts = ["", "ab12", "a.c\n", "<|end|>", "x", "abx", "éa", "e\u0301"];
  assertEquals(texts.map((text) => tokenizer.covers(text)), [
    true,
    true,
    true,
    false,
    false,
    false,
    true,
    false,
  ]);
});
