import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  assertFinite,
  assertFits,
  decodeSafetensors,
  encodeSafetensors,
  type HostTensor,
} from "../../model/checkpoint.ts";
import { processorMs } from "../processor_time.ts";

/** A safetensors file from a header text and data bytes, with no regard for whether it is valid. */
function fileOf(header: string, data: Uint8Array = new Uint8Array(0), headerBytes?: bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, headerBytes ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

const entry = (dtype: string, shape: unknown, begin: unknown, end: unknown) =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

function sample(): Map<string, HostTensor> {
  return new Map([
    ["language.head.weight", { shape: [2, 3], data: Float32Array.of(0, -0, 1.5, NaN, Infinity, 1e-45) }],
    ["10", { shape: [], data: Float32Array.of(7) }],
    ["2", { shape: [0, 4], data: new Float32Array(0) }],
    ["__proto__", { shape: [1], data: Float32Array.of(3) }],
    ['näme "quoted"', { shape: [2], data: new Float32Array([9, 1, 2]).subarray(1) }],
  ]);
}

Deno.test("tensors and metadata survive a round trip bit for bit, in order", () => {
  const { tensors, metadata } = decodeSafetensors(encodeSafetensors(sample(), { format: "pt", step: "12" }));
  assertEquals([...tensors.keys()], [...sample().keys()]);
  for (const [name, { shape, data }] of sample()) {
    const found = tensors.get(name)!;
    assertEquals(found.shape, [...shape], name);
    assertEquals(new Uint32Array(found.data.slice().buffer), new Uint32Array(data.slice().buffer), name);
  }
  assertEquals(metadata, { format: "pt", step: "12" });
});

Deno.test("a written file has the published layout: length, header padded to 8 bytes, keys in order, data", () => {
  const file = encodeSafetensors(
    new Map([["b", { shape: [1, 2], data: Float32Array.of(1, 2) }], ["1", {
      shape: [1],
      data: Float32Array.of(-2),
    }]]),
  );
  const headerBytes = Number(new DataView(file.buffer).getBigUint64(0, true));
  assertEquals(headerBytes % 8, 0);
  const header = new TextDecoder().decode(file.subarray(8, 8 + headerBytes));
  assertEquals(
    header.trimEnd(),
    '{"b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"1":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}',
  );
  assertEquals([...file.subarray(8 + headerBytes)], [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0, 0xc0]);
});

Deno.test("no tensors at all make a file that reads back empty", () => {
  assertEquals(decodeSafetensors(encodeSafetensors(new Map())), {
    tensors: new Map(),
    metadata: {},
    others: new Map(),
  });
});

Deno.test("F16, BF16 and F64 are read as f32", () => {
  const half = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x8000, 0x7bff, 0x7c00, 0xfe00, 0x3555);
  const brain = Uint16Array.of(0x3f80, 0xc049, 0x7f80, 0x0001);
  const double = Float64Array.of(0.1, -1e300);
  const data = new Uint8Array([half, brain, double].flatMap((array) => [...new Uint8Array(array.buffer)]));
  const file = fileOf(
    `{"f16":${entry("F16", [8], 0, 16)},"bf16":${entry("BF16", [2, 2], 16, 24)},"f64":${
      entry("F64", [2], 24, 40)
    }}`,
    data,
  );
  const { tensors } = decodeSafetensors(file);
  assertEquals(
    [...tensors.get("f16")!.data],
    [1, -2, 2 ** -24, -0, 65504, Infinity, NaN, 0.333251953125],
  );
  assertEquals([...tensors.get("bf16")!.data], [1, -3.140625, Infinity, Math.fround(2 ** -133)]);
  assertEquals([...tensors.get("f64")!.data], [Math.fround(0.1), -Infinity]);
});

Deno.test("a file at an odd offset of its buffer, with an odd header, reads the same", () => {
  const file = fileOf(`{"a":${entry("F32", [1], 0, 4)}} `, new Uint8Array(Float32Array.of(5).buffer));
  assertEquals((file.length - 4) % 4 === 0, false);
  const shifted = new Uint8Array(file.length + 3);
  shifted.set(file, 3);
  assertEquals([...decodeSafetensors(shifted.subarray(3)).tensors.get("a")!.data], [5]);
});

Deno.test("a tensor that its shape does not describe is not written", () => {
  const write = (name: string, shape: number[], size: number) =>
    encodeSafetensors(new Map([[name, { shape, data: new Float32Array(size) }]]));
  assertThrows(
    () => write("w", [2, 3], 5),
    RangeError,
    "Cannot write tensor w: shape (2, 3) does not match 5 elements",
  );
  assertThrows(() => write("w", [-1], 1), RangeError, "shape (-1)");
  assertThrows(() => write("__metadata__", [1], 1), RangeError, "the format keeps this name");
});

Deno.test("malformed files are refused with what is wrong", () => {
  const good = encodeSafetensors(sample());
  const a = entry("F32", [1], 0, 4);
  const four = new Uint8Array(4);
  const notUtf8 = fileOf('{"?":1}');
  notUtf8[10] = 0xff;
  const cases: [string, Uint8Array, typeof SyntaxError | typeof RangeError, string][] = [
    ["empty", new Uint8Array(0), SyntaxError, "0 bytes, too few"],
    ["half a length", good.slice(0, 5), SyntaxError, "5 bytes, too few"],
    ["half a header", good.slice(0, 40), SyntaxError, "in a file of 40"],
    ["half the data", good.slice(0, -9), RangeError, "are not in the file's"],
    ["bytes behind", fileOf(`{"a":${a}}`, new Uint8Array(5)), SyntaxError, "1 bytes behind its last tensor"],
    [
      "largest length",
      fileOf("{}", four, 2n ** 64n - 1n),
      SyntaxError,
      "a header of 18446744073709551615 bytes",
    ],
    ["one byte too long", fileOf("{}", undefined, 3n), SyntaxError, "a header of 3 bytes in a file of 10"],
    ["no header", fileOf(""), SyntaxError, "not JSON"],
    ["not JSON", fileOf("{'a':1}"), SyntaxError, "not JSON"],
    ["not UTF-8", notUtf8, SyntaxError, "not JSON"],
    ["a list", fileOf("[]"), SyntaxError, "not a JSON object"],
    ["null", fileOf("null"), SyntaxError, "not a JSON object"],
    ["duplicate name", fileOf(`{"a":${a},"a":${a}}`, four), SyntaxError, 'has "a" twice'],
    ["duplicate escaped", fileOf(`{"a":${a},"\\u0061":${a}}`, four), SyntaxError, 'has "a" twice'],
    [
      "duplicate key of an entry",
      fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"shape":[9]}}', four),
      SyntaxError,
      'has "shape" twice',
    ],
    ["entry", fileOf('{"a":7}'), SyntaxError, "the entry of tensor a is not an object"],
    [
      "no dtype",
      fileOf('{"a":{"shape":[],"data_offsets":[0,4]}}', four),
      SyntaxError,
      "tensor a has no dtype",
    ],
    [
      "no shape",
      fileOf('{"a":{"dtype":"F32","data_offsets":[0,4]}}', four),
      SyntaxError,
      "tensor a has no shape",
    ],
    ["no offsets", fileOf('{"a":{"dtype":"F32","shape":[]}}', four), SyntaxError, "no pair of data_offsets"],
    ["dtype", fileOf(`{"a":${entry("I63", [1], 0, 8)}}`, new Uint8Array(8)), RangeError, "dtype I63"],
    ["inherited dtype", fileOf(`{"a":${entry("toString", [1], 0, 4)}}`, four), RangeError, "dtype toString"],
    [
      "negative offset",
      fileOf(`{"a":${entry("F32", [1], -4, 0)}}`, four),
      RangeError,
      "data_offsets (-4, 0)",
    ],
    ["backward offsets", fileOf(`{"a":${entry("F32", [1], 4, 0)}}`, four), RangeError, "data_offsets (4, 0)"],
    ["fraction", fileOf(`{"a":${entry("F32", [1], 0.5, 4.5)}}`, four), RangeError, "data_offsets (0.5, 4.5)"],
    ["text offset", fileOf(`{"a":${entry("F32", [1], "0", 4)}}`, four), RangeError, "data_offsets (?, 4)"],
    [
      "beyond the file",
      fileOf(`{"a":${entry("F32", [2], 0, 8)}}`, four),
      RangeError,
      "the file's 4 data bytes",
    ],
    ["far beyond", fileOf(`{"a":${entry("F32", [2 ** 40], 0, 2 ** 42)}}`, four), RangeError, "4 data bytes"],
    [
      "shape",
      fileOf(`{"a":${entry("F32", [2], 0, 4)}}`, four),
      RangeError,
      "shape (2) of F32 does not match 4 bytes",
    ],
    ["negative shape", fileOf(`{"a":${entry("F32", [-1, -1], 0, 4)}}`, four), RangeError, "shape (-1, -1)"],
    ["nested shape", fileOf(`{"a":${entry("F32", [[1]], 0, 4)}}`, four), RangeError, "shape (?)"],
    [
      "huge product",
      fileOf(`{"a":${entry("F32", [2 ** 52, 2 ** 52, 0], 0, 0)}}`),
      RangeError,
      "does not match 0 bytes",
    ],
    [
      "product that wraps to fit",
      fileOf(`{"a":${entry("F32", [2 ** 32, 2 ** 32, 2 ** 32], 0, 0)}}`),
      RangeError,
      "does not match",
    ],
    ["overlap", fileOf(`{"a":${a},"b":${a}}`, four), RangeError, "tensor b: its data begin at 0, inside"],
    [
      "gap",
      fileOf(`{"a":${a},"b":${entry("F32", [1], 8, 12)}}`, new Uint8Array(12)),
      RangeError,
      "tensor b: its data begin at 8, after a gap",
    ],
    ["metadata", fileOf('{"__metadata__":{"a":1}}'), SyntaxError, "__metadata__ is not an object of strings"],
  ];
  for (const [label, file, type, state] of cases) {
    try {
      assertThrows(() => decodeSafetensors(file), type, state);
    } catch (cause) {
      throw new Error(`case: ${label}`, { cause });
    }
  }
});

Deno.test("hostile headers of megabytes fail quickly and with short messages", () => {
  const startMs = processorMs();
  const long = "x".repeat(2_000_000);
  for (
    const header of [
      `{"${long}":7}`,
      `{"a":{"dtype":"${long}","shape":[],"data_offsets":[0,0]}}`,
      `{"a":{"dtype":"F32","shape":["${long}"],"data_offsets":[0,0]}}`,
      `{"a":{"dtype":"F32","shape":[${"9,".repeat(500_000)}9],"data_offsets":[0,0]}}`,
      `{"a":${"[".repeat(500_000)}${"]".repeat(500_000)}}`,
      "{".repeat(1_000_000),
    ]
  ) {
    const error = assertThrows(() => decodeSafetensors(fileOf(header)), Error, "Cannot read ");
    assert(error instanceof SyntaxError || error.message.includes("tensor"), error.message);
    assert(error.message.length < 400, `message of ${error.message.length} characters`);
  }
  const elapsedMs = processorMs() - startMs;
  assert(elapsedMs < 5_000, `took ${elapsedMs} ms`);
});

Deno.test("a file with bytes changed at random reads or throws a clear error, nothing else", () => {
  const good = encodeSafetensors(sample(), { format: "pt" });
  const headerEnd = 8 + Number(new DataView(good.buffer).getBigUint64(0, true));
  const change = fc.tuple(
    fc.nat(headerEnd - 1),
    fc.oneof(fc.constantFrom(...'{}[]",:0129 -\\'), fc.nat(255)),
  );
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(good.length), (changes, cut) => {
      const file = good.slice(0, cut % 4 ? good.length : cut);
      for (const [at, value] of changes) file[at] = typeof value === "number" ? value : value.charCodeAt(0);
      try {
        for (const { shape, data } of decodeSafetensors(file).tensors.values()) {
          assertEquals(shape.reduce((product, size) => product * size, 1), data.length);
        }
      } catch (error) {
        assert(error instanceof SyntaxError || error instanceof RangeError, String(error));
        assert(error.message.startsWith("Cannot read "), error.message);
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a needed tensor of another dtype is refused with its dtype, one that nobody needs is passed over", () => {
  const file = fileOf(
    `{"ids":${entry("I64", [1], 0, 8)},"w":${entry("F32", [1], 8, 12)}}`,
    new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f]),
  );
  const { tensors, others } = decodeSafetensors(file);
  assertEquals([...tensors.keys()], ["w"]);
  assertEquals([...tensors.get("w")!.data], [1]);
  assertEquals([...others], [["ids", { shape: [1], dtype: "I64" }]]);
  assertFits(tensors, [{ name: "w", shape: [1] }], others);
  const ids = { name: "ids", shape: [1] };
  assertThrows(
    () => assertFits(tensors, [ids], others),
    RangeError,
    "Cannot load tensor ids: the checkpoint has it as I64, convert it to F32",
  );
});

Deno.test("values that are not finite are refused with the tensor's name and their count", () => {
  const good = new Map([["a", { shape: [3], data: Float32Array.of(0, -3e38, 1e-45) }]]);
  assertFinite(good);
  assertFinite(new Map([["empty", { shape: [0], data: new Float32Array(0) }]]));
  for (const value of [NaN, Infinity, -Infinity]) {
    const bad = new Map([...good, ["head", { shape: [4], data: Float32Array.of(1, value, 2, value) }]]);
    assertThrows(
      () => assertFinite(bad),
      RangeError,
      "Cannot load tensor head: 2 of its 4 values are NaN or infinite",
    );
  }
});

Deno.test("assertFits names the tensor that does not fit and both shapes", () => {
  const tensors = new Map([
    ["a.weight", { shape: [2, 3], data: new Float32Array(6) }],
    ["a.bias", { shape: [3], data: new Float32Array(3) }],
  ]);
  const weight = { name: "a.weight", shape: [2, 3] };
  const bias = { name: "a.bias", shape: [3] };
  assertFits(tensors, [bias, weight]);
  const cases: [{ name: string; shape: number[] }[], string][] = [
    [
      [weight, { name: "a.bias", shape: [4] }],
      "tensor a.bias: the checkpoint has it as (3), the model as (4)",
    ],
    [
      [bias, { name: "a.weight", shape: [3, 2] }],
      "tensor a.weight: the checkpoint has it as (2, 3), the model as (3, 2)",
    ],
    [
      [bias, { name: "a.weight", shape: [2, 3, 1] }],
      "the checkpoint has it as (2, 3), the model as (2, 3, 1)",
    ],
    [[bias, { name: "a.weight", shape: [2] }], "the checkpoint has it as (2, 3), the model as (2)"],
    [
      [weight, bias, { name: "b", shape: [7, 1] }],
      "tensor b: the checkpoint lacks it, the model has it as (7, 1)",
    ],
    [[weight], "tensor a.bias: the checkpoint has it as (3), the model lacks it"],
  ];
  for (const [expected, message] of cases) {
    assertThrows(() => assertFits(tensors, expected), RangeError, message);
  }
});
