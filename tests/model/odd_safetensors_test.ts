/** Odd safetensors files with the verdict of the reference implementation (safetensors 0.8.0), reader and writer. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeSafetensors, encodeSafetensors } from "../../model/checkpoint.ts";

const ONE = [0, 0, 0x80, 0x3f];
const A = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
const entry = (dtype: string, shape: string, begin: number, end: number) =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

function fileOf(header: string | readonly number[], data: readonly number[] = ONE, length?: bigint) {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : Uint8Array.from(header);
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

const bytesOf = (text: string) => [...new TextEncoder().encode(text)];
const withExtra = (json: string) => `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":${json}}}`;
const nested = (levels: number) => withExtra("[".repeat(levels) + "]".repeat(levels));
const shaped = (shape: string) => fileOf(`{"a":${entry("F32", shape, 0, 4)}}`);
const empty = (shape: string) => fileOf(`{"a":${entry("F32", shape, 0, 0)}}`, []);
const eight = [...ONE, ...ONE];

const taken: Record<string, Uint8Array> = {
  "an object without tensors": fileOf("{}", []),
  "metadata alone": fileOf('{"__metadata__":{}}', []),
  "metadata null": fileOf(`{"__metadata__":null,"a":${A}}`),
  "metadata null behind the tensors": fileOf(`{"a":${A},"__metadata__":null}`),
  "metadata null alone": fileOf('{"__metadata__":null}', []),
  "spaces before the header": fileOf(`  {"a":${A}}`),
  "white space behind the header": fileOf(`{"a":${A}} \n\t\r`),
  "no alignment": fileOf(`{"a":${A}}`),
  "an entry with more keys": fileOf(withExtra('{"x":[1,2.5,-1e9,null,true]}')),
  "as deep as the reference reads": fileOf(nested(125)),
  "a name that is empty": fileOf(`{"":${A}}`),
  "a name with an escaped NUL": fileOf(`{"a\\u0000b":${A}}`),
  "a name with a DEL": fileOf(`{"a\x7f":${A}}`),
  "a name in an escaped pair": fileOf(`{"a\\ud83d\\ude00":${A}}`),
  "a name that objects inherit": fileOf(`{"__proto__":${A}}`),
  "names in another order than the data": fileOf(`{"b":${entry("F32", "[1]", 4, 8)},"a":${A}}`, eight),
  "a scalar": shaped("[]"),
  "many axes of one": shaped(`[${"1,".repeat(70)}1]`),
  "no elements": empty("[0]"),
  "no elements at the front": fileOf(`{"z":${entry("F32", "[0]", 0, 0)},"a":${A}}`),
  "no elements at the end": fileOf(`{"z":${entry("F32", "[0]", 4, 4)},"a":${A}}`),
  "a size above 2^53 beside 0": empty("[1152921504606846976,0]"),
  "the largest size beside 0": empty("[18446744073709551615,0]"),
  "0 before a product above 2^64": empty("[0,1152921504606846976,16]"),
  "4-bit floats that fill bytes": fileOf(`{"a":${entry("F4", "[8]", 0, 4)}}`),
  "6-bit floats that fill bytes": fileOf(`{"a":${entry("F6_E2M3", "[4]", 0, 3)}}`, [1, 2, 3]),
  "NaN and infinities": fileOf(`{"a":${entry("F32", "[2]", 0, 8)}}`, [0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0xff]),
};
for (
  const [dtypes, bytes] of [
    ["BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ", 1],
    ["U16 I16 F16 BF16", 2],
    ["U32 I32 F32", 4],
    ["U64 I64 F64 C64", 8],
  ] as const
) {
  for (const dtype of dtypes.split(" ")) {
    taken[`dtype ${dtype} beside F32`] = fileOf(
      `{"ids":${entry(dtype, "[2]", 0, 2 * bytes)},"a":${entry("F32", "[1]", 2 * bytes, 2 * bytes + 4)}}`,
      [...Array(2 * bytes).fill(1), ...ONE],
    );
  }
}

const refused: Record<string, Uint8Array> = {
  "three bytes": Uint8Array.of(1, 0, 0),
  "a header of no bytes": fileOf("", []),
  "a header's length of 2^63": fileOf("{}", [], 2n ** 63n),
  "a header one byte longer than the file": fileOf("{}", [], 3n),
  "a list": fileOf("[]", []),
  "a text": fileOf('"a"', []),
  "a byte order mark": fileOf(`\ufeff{"a":${A}}`),
  "a NUL behind the header": fileOf(`{"a":${A}}\0`),
  "a comment": fileOf(`{"a":${A}/**/}`),
  "a comma behind the last entry": fileOf(`{"a":${A},}`),
  "single quotes": fileOf(`{'a':${A}}`),
  "a line feed in a name": fileOf(`{"a\nb":${A}}`),
  "an overlong NUL": fileOf([...bytesOf('{"a'), 0xc0, 0x80, ...bytesOf(`":${A}}`)]),
  "a surrogate in UTF-8": fileOf([...bytesOf('{"a'), 0xed, 0xa0, 0x80, ...bytesOf(`":${A}}`)]),
  "a name with the first half of a pair": fileOf(`{"a\\ud800":${A}}`),
  "a name with the second half of a pair": fileOf(`{"a\\udc00":${A}}`),
  "metadata with half a pair": fileOf(`{"__metadata__":{"k":"\\ud800"},"a":${A}}`),
  "metadata's key with half a pair": fileOf(`{"__metadata__":{"\\udfff":"v"},"a":${A}}`),
  "half a pair in a further key's text": fileOf(withExtra('"\\ud800"')),
  "NaN in a further key": fileOf(withExtra("NaN")),
  "deeper than the reference reads": fileOf(nested(126)),
  "metadata in a list": fileOf(`{"__metadata__":[],"a":${A}}`),
  "metadata as text": fileOf(`{"__metadata__":"x","a":${A}}`),
  "metadata as a number": fileOf(`{"__metadata__":0,"a":${A}}`),
  "metadata as false": fileOf(`{"__metadata__":false,"a":${A}}`),
  "metadata with a number": fileOf('{"__metadata__":{"a":1}}', []),
  "metadata with null inside": fileOf('{"__metadata__":{"a":null}}', []),
  "metadata twice": fileOf(`{"__metadata__":{},"__metadata__":{},"a":${A}}`),
  "metadata null, then metadata": fileOf(`{"__metadata__":null,"__metadata__":{},"a":${A}}`),
  "an entry of null": fileOf(`{"b":null,"a":${A}}`),
  "an entry's key twice": fileOf('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}'),
  "no dtype": fileOf('{"a":{"shape":[1],"data_offsets":[0,4]}}'),
  "no shape": fileOf('{"a":{"dtype":"F32","data_offsets":[0,4]}}'),
  "no offsets": fileOf('{"a":{"dtype":"F32","shape":[1]}}'),
  "dtype in lower case": fileOf(`{"a":${entry("f32", "[1]", 0, 4)}}`),
  "a dtype that is none": fileOf(`{"a":${entry("Q4", "[1]", 0, 4)}}`),
  "dtype null": fileOf('{"a":{"dtype":null,"shape":[1],"data_offsets":[0,4]}}'),
  "shape null": shaped("null"),
  "a size with a point": shaped("[1.0]"),
  "a size with an exponent": shaped("[1e0]"),
  "a size with a leading 0": shaped("[01]"),
  "a negative size": shaped("[-1]"),
  "two negative sizes": shaped("[-1,-1]"),
  "a size of minus 0": empty("[-0]"),
  "a size as text": shaped('["1"]'),
  "a size of true": shaped("[true]"),
  "a size above 2^64": empty("[18446744073709551616,0]"),
  "a size of many digits": empty(`[${"9".repeat(400)},0]`),
  "a product above 2^64 before 0": empty("[1152921504606846976,16,0]"),
  "a product that wraps to fit": shaped("[4294967297,4294967295,1]"),
  "an offset of minus 0": fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[-0,4]}}'),
  "an offset with a point": fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0.0,4]}}'),
  "three offsets": fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}'),
  "one offset": fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}'),
  "offsets in the wrong order": fileOf(`{"a":${entry("F32", "[1]", 4, 0)}}`),
  "two tensors of the same bytes": fileOf(`{"a":${A},"b":${A}}`),
  "a hole at the front": fileOf(`{"a":${entry("F32", "[1]", 4, 8)}}`, eight),
  "a hole between": fileOf(`{"a":${A},"b":${entry("F32", "[1]", 8, 12)}}`, [...eight, ...ONE]),
  "bytes behind the last tensor": fileOf(`{"a":${A}}`, [...ONE, 1]),
  "no elements inside another": fileOf(`{"a":${A},"z":${entry("F32", "[0]", 2, 2)}}`),
  "no elements beyond the data": fileOf(`{"a":${A},"z":${entry("F32", "[0]", 8, 8)}}`),
  "4-bit floats that end inside a byte": fileOf(`{"a":${entry("F4", "[7]", 0, 4)}}`),
};

/** Taken by the reference, which keeps the last of two; refused here, as readers that keep the first see another file. */
const stricter: Record<string, Uint8Array> = {
  "a tensor twice": fileOf(`{"a":${A},"a":${A}}`),
  "a tensor twice, once escaped": fileOf(`{"a":${A},"\\u0061":${A}}`),
  "metadata's key twice": fileOf(`{"__metadata__":{"k":"1","k":"2"},"a":${A}}`),
  "a further key twice": fileOf(withExtra('{"x":1,"x":2}')),
  "an entry as a list": fileOf('{"a":["F32",[1],[0,4]]}'),
  "dtype as an object": fileOf('{"a":{"dtype":{"F32":null},"shape":[1],"data_offsets":[0,4]}}'),
};

for (const [what, file] of Object.entries(taken)) {
  Deno.test(`a safetensors file is read: ${what}`, () => {
    const { tensors } = decodeSafetensors(file);
    for (const { shape, data } of tensors.values()) {
      assertEquals(shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1), data.length);
    }
  });
}

for (const [what, file] of Object.entries({ ...refused, ...stricter })) {
  Deno.test(`a safetensors file is refused: ${what}`, () => {
    const error = assertThrows(() => decodeSafetensors(file));
    assert(error instanceof SyntaxError || error instanceof RangeError, String(error));
    assert(/^Cannot read .+: .+, .+/.test(error.message) && error.message.length < 400, error.message);
  });
}

const one = { shape: [1], data: Float32Array.of(1) };
const half = "half a surrogate pair";

Deno.test("the writer refuses what no other reader takes", () => {
  for (const name of ["a\ud800", "\udc00", "\ude00\ud83d"]) {
    assertThrows(() => encodeSafetensors(new Map([[name, one]])), RangeError, half);
    assertThrows(() => encodeSafetensors(new Map(), { [name]: "v" }), RangeError, half);
    assertThrows(() => encodeSafetensors(new Map(), { k: name }), RangeError, half);
  }
  const tooLong = "a".repeat(100_000_001);
  assertThrows(() => encodeSafetensors(new Map(), { k: tooLong }), RangeError, "more than 100000000");
  const number = { k: 1 } as unknown as Record<string, string>;
  assertThrows(() => encodeSafetensors(new Map(), number), TypeError, "metadata k is 1, pass a text");
});

Deno.test("the writer's files are read back: odd names, no elements, many axes, a pair", () => {
  const tensors = new Map([
    ["", one],
    ["\0\n\x7f", one],
    ["😀", { shape: [], data: Float32Array.of(2) }],
    ["none", { shape: [3, 0], data: new Float32Array(0) }],
    ["__proto__", { shape: Array(40).fill(1), data: Float32Array.of(3) }],
  ]);
  const file = encodeSafetensors(tensors, { "😀": "\u2028\0", __proto__: "1" });
  assertEquals([...decodeSafetensors(file).tensors.keys()], [...tensors.keys()]);
});
