import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { type Gpu, openGpu, roundUp, subslice } from "../../../kernels/gpu/mod.ts";
import { MIRROR_ROW_WORDS, StoragePool } from "../../../kernels/gpu/storage.ts";
import { onGpu, testGpu } from "../../gpu.ts";

function test(name: string, fn: (gpu: Gpu, pool: StoragePool) => Promise<void> | void): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => {
      const gpu = await testGpu();
      const pool = new StoragePool(gpu.device);
      await fn(gpu, pool);
      pool.trim();
    },
  });
}

Deno.test("roundUp gives the next multiple", () => {
  assertEquals([0, 1, 63, 64, 65].map((words) => roundUp(words, 64)), [0, 64, 64, 64, 128]);
});

test("a released storage is handed out again to a slice of its class", (_gpu, pool) => {
  const first = pool.acquire(100, "first");
  assertEquals([pool.inUse, pool.created], [1, 1]);
  pool.release(first);
  assertEquals(pool.inUse, 0);
  const second = pool.acquire(90, "second");
  assertEquals(second.storage, first.storage);
  assertEquals([second.length, second.label, second.offset], [90, "second", 0]);
  assertEquals([pool.inUse, pool.created], [1, 1]);
  const third = pool.acquire(100, "third");
  assert(third.storage !== second.storage);
  pool.release(second);
  pool.release(third);
});

test(
  "a slice gets the smallest free storage that holds it, none more than four times its size",
  (_gpu, pool) => {
    const [one, three, nine] = [1, 3, 9].map((rows) => pool.acquire(rows * MIRROR_ROW_WORDS, `${rows}`));
    for (const slice of [one, three, nine]) pool.release(slice);
    const storageFor = (rows: number) => {
      const slice = pool.acquire(rows * MIRROR_ROW_WORDS, "x");
      pool.release(slice);
      return slice.storage;
    };
    assertEquals(storageFor(2), three.storage);
    assertEquals(storageFor(4), nine.storage);
    const ten = storageFor(10);
    assert(ten !== nine.storage, "too small");
    assertEquals(pool.created, 4);
    pool.acquire(1, "one again");
    pool.acquire(1, "three stands in");
    assertEquals(pool.created, 4);
    pool.acquire(1, "nine would be too much");
    assertEquals(pool.created, 5);
  },
);

test("the oldest free storage comes first, whatever the order of release", (_gpu, pool) => {
  const slices = ["a", "b", "c"].map((label) => pool.acquire(10, label));
  for (const index of [2, 0, 1]) pool.release(slices[index]);
  const again = ["a", "b", "c"].map((label) => pool.acquire(10, label));
  assertEquals(again.map(({ storage }) => storage.id), slices.map(({ storage }) => storage.id));
  again.forEach((slice) => pool.release(slice));
});

test("capacities are whole mirror rows with at most an eighth to spare", (_gpu, pool) => {
  for (const rows of [1, 2, 15, 16, 17, 31, 33, 100]) {
    const words = rows * MIRROR_ROW_WORDS;
    const slice = pool.acquire(words, "x");
    assertEquals(slice.storage.words % MIRROR_ROW_WORDS, 0);
    assert(slice.storage.words >= words && slice.storage.words <= words * 1.125, `${rows} rows`);
    pool.release(slice);
  }
});

test("totalBytes counts the buffers made until they are trimmed", (_gpu, pool) => {
  const [a, b] = [pool.acquire(1, "a"), pool.acquire(1, "b")];
  assertEquals(pool.totalBytes, 2 * MIRROR_ROW_WORDS * 4);
  pool.release(a);
  pool.trim();
  assertEquals(pool.totalBytes, MIRROR_ROW_WORDS * 4);
  pool.release(b);
  assertEquals(pool.acquire(1, "again").storage, b.storage);
});

test("releasing twice is refused", (_gpu, pool) => {
  const slice = pool.acquire(8, "x");
  pool.release(slice);
  assertThrows(() => pool.release(slice), Error, "Cannot release x: it was released before");
  // Nor does a late release take the storage from the one who has it now.
  const next = pool.acquire(8, "y");
  assertEquals(next.storage, slice.storage);
  assertThrows(() => pool.release(slice), Error, "Cannot release x: it was released before");
  assertThrows(() => pool.release(subslice(next, 0, 4, "part")), Error, "Cannot release part");
  pool.release(next);
  assertEquals(pool.inUse, 0);
});

test("memory that no pool lent is not taken back", (gpu, pool) => {
  const slice = gpu.allocate(8, "own");
  assertThrows(
    () => pool.release(slice),
    Error,
    "Cannot release own: it was released before, or never acquired",
  );
  gpu.free(slice);
});

test("subslice takes a range and refuses one outside", (_gpu, pool) => {
  const slice = pool.acquire(100, "x");
  const part = subslice(subslice(slice, 64, 30), 4, 26, "part");
  assertEquals([part.storage, part.offset, part.length, part.label], [slice.storage, 68, 26, "part"]);
  assertEquals(subslice(slice, 100, 0).length, 0);
  for (const [offset, length] of [[-1, 2], [0, 101], [90, 11], [0, -1]]) {
    assertThrows(
      () => subslice(slice, offset, length),
      RangeError,
      `Cannot take words [${offset}, ${offset + length}) of x: it has 100`,
    );
  }
  pool.release(slice);
});

test("a mirror has room for what its storage holds and a height that is no power of two", (_gpu, pool) => {
  for (let rows = 1; rows <= 17; rows++) {
    const slice = pool.acquire(rows * MIRROR_ROW_WORDS, "x");
    const { height } = pool.mirrorOf(slice.storage).texture;
    assert(height >= rows && (height & (height - 1)) !== 0, `${height} for ${rows} rows`);
    pool.release(slice);
  }
});

test("a mirror is a storage's until it is released, then the next one's that has room in it", (gpu, pool) => {
  const [first, second] = [
    pool.acquire(5 * MIRROR_ROW_WORDS, "first"),
    pool.acquire(3 * MIRROR_ROW_WORDS, "second"),
  ];
  const mirror = pool.mirrorOf(first.storage);
  assertStrictEquals(pool.mirrorOf(first.storage), mirror);
  assertNotStrictEquals(pool.mirrorOf(second.storage), mirror);
  pool.release(first);
  const third = pool.acquire(4 * MIRROR_ROW_WORDS, "third");
  assertStrictEquals(pool.mirrorOf(third.storage), mirror);
  const kept = gpu.allocate(MIRROR_ROW_WORDS, "kept");
  assertNotStrictEquals(pool.mirrorOf(kept.storage), mirror);
  assertStrictEquals(pool.mirrorOf(kept.storage), pool.mirrorOf(kept.storage));
  [second, third].forEach((slice) => pool.release(slice));
  gpu.free(kept);
});

Deno.test({
  name: "memory beyond the adapter's limits is refused with the limit",
  fn: async () => {
    const gpu = await openGpu();
    const words = gpu.device.limits.maxStorageBufferBindingSize;
    assertThrows(() => gpu.allocate(words, "cache"), RangeError, "Cannot allocate cache: ");
    gpu.destroy();
  },
  ...onGpu,
});
