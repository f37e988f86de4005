/** Launches, writes, mirrors and readback of the runtime, with kernels of a line or two. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Gpu,
  type KernelSource,
  openGpu,
  OutOfMemoryError,
  params,
  read,
  type Slice,
  subslice,
  texels,
  write,
} from "../../../kernels/gpu/mod.ts";
import { MIRROR_ROW_WORDS } from "../../../kernels/gpu/storage.ts";
import { gpuTest as test, onGpu } from "../../gpu.ts";

/** Y[i] = X[i] * factor + summand */
const affine: KernelSource = {
  name: "test/affine",
  source: `struct Settings { n: u32, factor: f32, summand: f32 }
@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@group(0) @binding(2) var<uniform> settings: Settings;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < settings.n) { Y[id.x] = X[id.x] * settings.factor + settings.summand; }
}`,
  constants: {},
};

/** The same text under another name: another pipeline. */
const affineToo: KernelSource = { ...affine, name: "test/affine_too" };

function launch(gpu: Gpu, X: Slice, Y: Slice, factor: number, summand: number, kernel = affine): void {
  gpu.dispatch({
    kernel,
    bindings: [read(X), write(Y), params({ n: X.length, factor, summand })],
    workgroups: [Math.ceil(X.length / 64)],
  });
}

/** Y[i] = word \`first + i\` of the mirror of X's storage. */
const fromTexels: KernelSource = {
  name: "test/from_texels",
  source: `struct Settings { n: u32, first: u32 }
@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@group(0) @binding(2) var<uniform> settings: Settings;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let texel = settings.first + id.x / 4u;
  if (id.x < settings.n) { Y[id.x] = textureLoad(X, vec2u(texel % 1024u, texel / 1024u))[id.x % 4u]; }
}`,
  constants: {},
};

function launchTexels(gpu: Gpu, X: Slice, Y: Slice): void {
  gpu.dispatch({
    kernel: fromTexels,
    bindings: [texels(X), write(Y), params({ n: X.length, first: X.offset / 4 })],
    workgroups: [Math.ceil(X.length / 64)],
  });
}

const range = (n: number, start = 0) => Float32Array.from({ length: n }, (_, i) => start + i);
const contents = async (gpu: Gpu, slice: Slice) => Array.from((await gpu.read(slice))[0]);

test("launches run in order and see each other's results", async (gpu) => {
  const X = gpu.upload(range(100), "X");
  const [Y, Z] = [gpu.acquire(100, "Y"), gpu.acquire(100, "Z")];
  launch(gpu, X, Y, 2, 1);
  launch(gpu, Y, Z, 10, 0);
  launch(gpu, Z, Y, 1, -5);
  const [y, z] = await gpu.read(Y, Z);
  assertEquals(z, range(100).map((x) => 10 * (2 * x + 1)));
  assertEquals(y, range(100).map((x) => 10 * (2 * x + 1) - 5));
  [X, Y, Z].forEach((slice) => gpu.release(slice));
});

test("a write comes after the launches recorded before it and before those after it", async (gpu) => {
  const X = gpu.upload(range(8), "X");
  const [before, after] = [gpu.acquire(8, "before"), gpu.acquire(8, "after")];
  launch(gpu, X, before, 1, 0);
  gpu.write(X, range(8, 100));
  launch(gpu, X, after, 1, 0);
  gpu.write(X, range(8, 200));
  const [x, a, b] = await gpu.read(X, before, after);
  assertEquals([x, a, b], [range(8, 200), range(8), range(8, 100)]);
  [X, before, after].forEach((slice) => gpu.release(slice));
});

test("memory is freed and trimmed only once the launches that use it are on their way", async (gpu) => {
  const X = gpu.allocate(8, "X");
  gpu.write(X, range(8));
  const [Y, Z] = [gpu.acquire(8, "Y"), gpu.acquire(8, "Z")];
  launch(gpu, X, Y, 2, 0);
  gpu.free(X);
  launch(gpu, Y, Z, 1, 1);
  gpu.release(Y);
  gpu.trim();
  assertEquals(await contents(gpu, Z), Array.from(range(8), (x) => 2 * x + 1));
  gpu.release(Z);
});

test("a write to a slice leaves the words around it", async (gpu) => {
  const X = gpu.upload(range(200), "X");
  gpu.write(subslice(X, 64, 100), Float32Array.of(-1, -2));
  const want = range(200);
  want.set([-1, -2], 64);
  assertEquals(await contents(gpu, X), [...want]);
  assertThrows(
    () => gpu.write(subslice(X, 64, 1, "part"), Float32Array.of(1, 2)),
    RangeError,
    "Cannot write 2 words to part: it has 1",
  );
  gpu.release(X);
});

test("an empty array is uploaded and written as nothing", async (gpu) => {
  const empty = gpu.upload(new Uint32Array(0), "empty");
  assertEquals(empty.length, 0);
  const X = gpu.upload(range(3), "X");
  gpu.write(X, new Float32Array(0));
  assertEquals(await contents(gpu, X), [0, 1, 2]);
  [empty, X].forEach((slice) => gpu.release(slice));
});

test("an upload does not disturb recorded work on the memory it reuses", async (gpu) => {
  const Y = gpu.acquire(16, "Y");
  const X = gpu.upload(range(16), "X");
  launch(gpu, X, Y, 1, 0);
  gpu.release(X);
  const others = Array.from({ length: 4 }, () => gpu.upload(new Float32Array(16).fill(-7), "other"));
  assertEquals(await contents(gpu, Y), [...range(16)]);
  [Y, ...others].forEach((slice) => gpu.release(slice));
});

test("a mirror follows writes, launches, copies and clears of its storage", async (gpu) => {
  const words = MIRROR_ROW_WORDS + 300;
  const X = gpu.upload(range(words), "X");
  const [Y, source] = [gpu.acquire(words, "Y"), gpu.upload(range(words, 5), "source")];
  const mirrored = async () => {
    launchTexels(gpu, X, Y);
    return (await gpu.read(Y))[0];
  };
  assertEquals(await mirrored(), range(words));
  gpu.write(X, Float32Array.of(-1));
  assertEquals((await mirrored()).subarray(0, 3), Float32Array.of(-1, 1, 2), "after a write");
  launch(gpu, source, X, 2, 0);
  assertEquals((await mirrored()).at(-1), 2 * (words + 4), "after a launch");
  gpu.copy(source, X);
  assertEquals((await mirrored()).at(-1), words + 4, "after a copy");
  gpu.clear(subslice(X, 0, 64));
  assertEquals((await mirrored()).subarray(62, 66), Float32Array.of(0, 0, 69, 70), "after a clear");
  [X, Y, source].forEach((slice) => gpu.release(slice));
});

test("a mirror read between two writes in one submission sees the first", async (gpu) => {
  const X = gpu.upload(range(64), "X");
  const [Y, Z] = [gpu.acquire(64, "Y"), gpu.acquire(64, "Z")];
  launchTexels(gpu, X, Y);
  gpu.write(X, range(64, 10));
  launchTexels(gpu, X, Z);
  assertEquals(await gpu.read(Y, Z), [range(64), range(64, 10)]);
  [X, Y, Z].forEach((slice) => gpu.release(slice));
});

test("several slices are read in one round trip, in order, parts of storages too", async (gpu) => {
  const X = gpu.upload(range(300), "X");
  const Y = gpu.upload(Float32Array.of(0.5), "Y");
  const submissions = gpu.submissionCount;
  const [part, y, x] = await gpu.read(subslice(X, 65, 3), Y, X);
  assertEquals(gpu.submissionCount, submissions + 1);
  assertEquals([[...part], [...y], x], [[65, 66, 67], [0.5], range(300)]);
  [X, Y].forEach((slice) => gpu.release(slice));
});

test("large and small reads in turn come back whole", async (gpu) => {
  const X = gpu.upload(range(100_000), "X");
  for (let repeat = 0; repeat < 3; repeat++) {
    assertEquals((await gpu.read(X))[0].at(-1), 99_999);
    assertEquals(await contents(gpu, subslice(X, 3, 2)), [3, 4]);
  }
  const reads = await Promise.all([gpu.read(X), gpu.read(subslice(X, 7, 1)), gpu.read(X)]);
  assertEquals(reads.map(([words]) => words.at(-1)), [99_999, 7, 99_999]);
  gpu.release(X);
});

test("readWords gives the bits of u32 words", async (gpu) => {
  const words = Uint32Array.of(0, 1, 0x7fc00001, 0xffffffff);
  const X = gpu.upload(words, "X");
  assertEquals(await gpu.readWords(X), words);
  gpu.release(X);
});

test("allocated memory starts as zero", async (gpu) => {
  const X = gpu.allocate(1000, "X");
  assertEquals((await contents(gpu, X)).filter((x) => x !== 0), []);
  gpu.free(X);
});

test("copies need equal lengths", (gpu) => {
  const X = gpu.acquire(10, "X");
  assertThrows(
    () => gpu.copy(X, subslice(X, 0, 4, "Y")),
    RangeError,
    "Cannot copy X to Y: lengths 10 and 4 differ",
  );
  gpu.release(X);
});

test("slices that start off their alignment are refused", (gpu) => {
  const X = gpu.acquire(300, "X");
  const Y = gpu.acquire(300, "Y");
  assertThrows(
    () => launch(gpu, subslice(X, 4, 8), Y, 1, 0),
    RangeError,
    "Cannot bind X: offset 4 is not a multiple of 64 words",
  );
  launchTexels(gpu, subslice(X, 8, 8), Y);
  assertThrows(
    () => launchTexels(gpu, subslice(X, 6, 8), Y),
    RangeError,
    "Cannot bind X: offset 6 is not a multiple of 4 words",
  );
  [X, Y].forEach((slice) => gpu.release(slice));
});

test("too many workgroups are refused, none is no launch", async (gpu) => {
  const Y = gpu.upload(range(4), "Y");
  const bindings = [read(gpu.placeholder), write(Y), params({ n: 4, factor: 0, summand: 9 })];
  assertThrows(
    () => gpu.dispatch({ kernel: affine, bindings, workgroups: [1, 65536] }),
    RangeError,
    "Cannot dispatch test/affine: 1 x 65536 x 1 workgroups exceed 65535 a dimension for read placeholder[4], " +
      "write Y[4], use a smaller batch",
  );
  for (const workgroups of [[NaN], [1.5, 1], [1, -1]] as [number, number?][]) {
    assertThrows(
      () => gpu.dispatch({ kernel: affine, bindings, workgroups }),
      RangeError,
      "workgroups are no whole numbers",
    );
  }
  const dispatches = gpu.dispatchCount;
  gpu.dispatch({ kernel: affine, bindings, workgroups: [3, 0] });
  assertEquals(gpu.dispatchCount, dispatches);
  assertEquals(await contents(gpu, Y), [0, 1, 2, 3]);
  gpu.release(Y);
});

test("equal launches share a bind group, others do not", async (gpu) => {
  const [X, Y] = [gpu.upload(range(8), "X"), gpu.acquire(8, "Y")];
  launch(gpu, X, Y, 3, 4);
  const count = gpu.pipelines.bindGroupCount;
  launch(gpu, X, Y, 3, 4);
  assertEquals(gpu.pipelines.bindGroupCount, count);
  launch(gpu, X, Y, 3, 5);
  assertEquals(gpu.pipelines.bindGroupCount, count + 1);
  assertEquals(await contents(gpu, Y), [...range(8)].map((x) => 3 * x + 5));
  [X, Y].forEach((slice) => gpu.release(slice));
});

Deno.test({
  name:
    "parameters that never repeat neither run out of room nor fill the cache of all pipelines, and stay correct",
  ...onGpu,
  fn: async () => {
    const gpu = await openGpu();
    const X = gpu.upload(range(2), "X");
    const Y = gpu.allocate(64 * 20_000, "Y");
    let cached = 0;
    for (let index = 0; index < 20_000; index++) {
      launch(gpu, X, subslice(Y, 64 * index, 2), 1, index, index % 2 === 0 ? affine : affineToo);
      if (index % 1000 === 0) cached = Math.max(cached, gpu.pipelines.bindGroupCount);
    }
    assert(cached <= 4096, `${cached} bind groups were cached at once`);
    const [y] = await gpu.read(Y);
    for (let index = 0; index < 20_000; index++) {
      if (y[64 * index] !== index || y[64 * index + 1] !== index + 1) {
        throw new Error(`launch ${index} wrote ${y[64 * index]}`);
      }
    }
    gpu.destroy();
  },
});

test("an error of the device becomes an exception of the next call", async (gpu) => {
  const X = gpu.acquire(4, "X");
  // The kernel wants three bindings.
  await assertRejects(async () => {
    gpu.dispatch({ kernel: affine, bindings: [read(X)], workgroups: [1] });
    await gpu.settle();
  }, Error);
  await gpu.settle();
  gpu.write(X, range(4));
  assertEquals(await contents(gpu, X), [0, 1, 2, 3], "the device goes on");
  gpu.release(X);
});

test("what is wrong with memory has a class of its own, and is thrown by the next launch", (gpu) => {
  const error = new GPUOutOfMemoryError("no room");
  gpu.device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
  assertThrows(() => gpu.flush(), OutOfMemoryError, "The GPU is out of memory: no room");
  gpu.flush();
});
