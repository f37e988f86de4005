/** Weights read tensor by tensor, from one file and from shards. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import {
  decodeSafetensors,
  encodeSafetensors,
  type HostTensor,
  safetensorsPieces,
  tensorToWrite,
} from "../../model/checkpoint.ts";
import { writeFileAtomic } from "../../model/files.ts";
import { type ByteSource, inMemory, Weights } from "../../model/weights.ts";
import { openWeights } from "../../model/weights_folder.ts";
import { TempFolder } from "../rl/tiny_run.ts";

const tensor = (...values: number[]): HostTensor => ({
  shape: [values.length],
  data: Float32Array.from(values),
});

/** A file with whole numbers beside floats. */
function mixedFile(): Uint8Array {
  const header = '{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[1],' +
    '"data_offsets":[8,12]}}';
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + 12);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f], 8 + text.length);
  return file;
}

/** Counts the bytes that are read. */
function counted(source: ByteSource): ByteSource & { total: number } {
  const counting = {
    ...source,
    total: 0,
    read: (begin: number, end: number) => {
      counting.total += end - begin;
      return source.read(begin, end);
    },
  };
  return counting;
}

Deno.test("opening reads the header alone, and a tensor costs its own bytes", async () => {
  const file = encodeSafetensors(
    new Map([["a", tensor(...Array(1000).keys())], ["b", tensor(1, 2)]]),
    {},
    "F16",
  );
  const source = counted(inMemory("x.safetensors", file));
  using weights = await Weights.open([source]);
  const dataStart = file.length - 2004;
  assertEquals(source.total, 8 + dataStart);
  assertEquals(weights.tensors.get("a"), { shape: [1000], dtype: "F16" });
  assertEquals(await weights.read("b"), tensor(1, 2));
  assertEquals(source.total, 8 + dataStart + 4);
});

Deno.test("whole numbers are listed and can be had as bytes; asking for them as floats names them", async () => {
  using weights = await Weights.open([inMemory("x.safetensors", mixedFile())]);
  assertEquals([...weights.tensors], [["ids", { shape: [1], dtype: "I64" }], ["w", {
    shape: [1],
    dtype: "F32",
  }]]);
  assertEquals(await weights.read("w"), tensor(1));
  assertEquals([...await weights.readBytes("ids")], [7, 0, 0, 0, 0, 0, 0, 0]);
  await assertRejects(() => weights.read("ids"), RangeError, "Cannot read tensor ids: it is I64");
  await assertRejects(
    async () => await weights.read("v"),
    RangeError,
    "Cannot read tensor v: the weights lack it",
  );
});

Deno.test("the lazy reader says of damaged files what the reader of whole files says", async () => {
  const whole = encodeSafetensors(new Map([["a", tensor(1, 2)], ["b", tensor(3)]]), { format: "pt" });
  const verdict = async (read: () => unknown) => {
    try {
      return await read();
    } catch (error) {
      return (error as Error).message.replace(" (x)", "");
    }
  };
  const damage = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255), cut: fc.nat(whole.length) });
  await fc.assert(
    fc.asyncProperty(damage, fc.boolean(), async ({ at, to, cut }, isCut) => {
      const bytes = whole.slice(0, isCut ? cut : undefined);
      if (at < bytes.length) bytes[at] = to;
      const eager = await verdict(() => [...decodeSafetensors(bytes).tensors]);
      const lazy = await verdict(async () => {
        using weights = await Weights.open([inMemory("x", bytes)]);
        return await Promise.all(Array.from(weights.tensors, async ([name, { dtype }]) => {
          return dtype === "F32" || dtype === "F16" || dtype === "BF16" || dtype === "F64"
            ? [name, await weights.read(name)]
            : [name];
        })).then((tensors) => tensors.filter(({ length }) => length === 2));
      });
      assertEquals(lazy, eager);
    }),
    { numRuns: 400 },
  );
});

Deno.test("a file written piece by piece has the bytes of one written whole, in each dtype", async () => {
  const tensors = new Map([["w", tensor(1.5, -2, 1e-3)], ["none", { shape: [0], data: new Float32Array() }]]);
  for (const dtype of ["F32", "F16", "BF16", "F64"] as const) {
    const pieces = Array.from(tensors, ([name, tensor]) => tensorToWrite(name, tensor, dtype));
    const streamed = await Array.fromAsync(safetensorsPieces(pieces, { format: "pt" }));
    const joined = new Uint8Array(await new Blob(streamed as BlobPart[]).arrayBuffer());
    assertEquals(joined, encodeSafetensors(tensors, { format: "pt" }, dtype));
    assertEquals(decodeSafetensors(joined).tensors.get("w")!.data[1], -2);
  }
  const short = { ...tensorToWrite("w", tensor(1), "F32"), bytes: () => new Uint8Array(3) };
  await assertRejects(
    () => Array.fromAsync(safetensorsPieces([short])),
    RangeError,
    "has 3 bytes, not 4".slice(4),
  );
});

const SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/** A folder of two shards; `change` may spoil it. */
async function shardedFolder(
  folder: string,
  change: (files: Record<string, string | Uint8Array>, index: Record<string, string>) => void = () => {},
): Promise<void> {
  const index: Record<string, string> = { a: SHARDS[0], b: SHARDS[1] };
  const files: Record<string, string | Uint8Array> = {
    [SHARDS[0]]: encodeSafetensors(new Map([["a", tensor(1, 2)]])),
    [SHARDS[1]]: encodeSafetensors(new Map([["b", tensor(3)]]), {}, "BF16"),
  };
  change(files, index);
  files["model.safetensors.index.json"] ??= JSON.stringify({
    metadata: { total_size: 10 },
    weight_map: index,
  });
  for (const [name, content] of Object.entries(files)) {
    if (content !== "") await writeFileAtomic(`${folder}/${name}`, content);
  }
}

Deno.test("a folder's shards are read as one", async () => {
  using temp = new TempFolder();
  await shardedFolder(temp.path);
  using weights = await openWeights(temp.path);
  assertEquals(await weights.read("a"), tensor(1, 2));
  assertEquals(await weights.read("b"), tensor(3));
  assertEquals(weights.fileOf("b"), SHARDS[1]);
});

const refusals: [string, string, Parameters<typeof shardedFolder>[1]][] = [
  ["a shard that is not there", `the folder lacks ${SHARDS[1]}`, (files) => files[SHARDS[1]] = ""],
  ["a shard that the index does not name", `does not name ${SHARDS[1]}`, (_, index) => delete index.b],
  ["a series that the index names a part of", `does not name ${SHARDS[1]}`, (files, index) => {
    delete index.b;
    files[SHARDS[1]] = "";
  }],
  [
    "a tensor that no shard has",
    "Cannot read tensor c: the index has it in",
    (_, index) => index.c = SHARDS[0],
  ],
  ["tensors in other shards", "it is in model-00001", (_, index) => {
    [index.a, index.b] = [SHARDS[1], SHARDS[0]];
  }],
  ["one tensor in two shards", "Cannot read tensor a: both", (files) => files[SHARDS[1]] = files[SHARDS[0]]],
  ["shards without an index", "and no model.safetensors.index.json", (files) => {
    files["model.safetensors.index.json"] = "";
  }],
  ["an index that leaves the folder", "is no file beside it", (_, index) => index.a = "../model.safetensors"],
  ["an index without a map", 'has no object "weight_map"', (files) => {
    files["model.safetensors.index.json"] = "[]";
  }],
  ["an index that is no JSON", "not JSON", (files) => files["model.safetensors.index.json"] = "{"],
  ["weights of another form", "pytorch_model.bin is not read", (files) => {
    for (const name of SHARDS) files[name] = "";
    files["model.safetensors.index.json"] = "";
    files["pytorch_model.bin"] = "x";
  }],
  ["a shard that is cut", "(model-00002-of-00002.safetensors)", (files) => {
    files[SHARDS[1]] = (files[SHARDS[1]] as Uint8Array).slice(0, -1);
  }],
];
for (const [what, message, change] of refusals) {
  Deno.test(`refused with its name: ${what}`, async () => {
    using temp = new TempFolder();
    await shardedFolder(temp.path, change);
    const error = await assertRejects(() => openWeights(temp.path));
    assert(error instanceof RangeError || error instanceof SyntaxError);
    assert(error.message.includes(message), error.message);
    assert(error.message.startsWith("Cannot "), error.message);
  });
}

Deno.test("a folder without weights, and none at all", async () => {
  using temp = new TempFolder();
  await assertRejects(() => openWeights(temp.path), RangeError, "the folder has no model.safetensors");
  await assertRejects(() => openWeights(`${temp.path}/none`), Deno.errors.NotFound, "no such file");
});
