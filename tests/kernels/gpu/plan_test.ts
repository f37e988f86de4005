/** Steps that are replayed from their plan do what running them again would. */
import { assertEquals, assertRejects } from "@std/assert";
import {
  fixed,
  type Gpu,
  type KernelSource,
  params,
  read,
  type Slice,
  texels,
  write,
} from "../../../kernels/gpu/mod.ts";
import { gpuTest as test } from "../../gpu.ts";

/** Y[i] = X[i] + Z[i], X read as texels */
const sum: KernelSource = {
  name: "test/sum",
  source: `struct Settings { n: u32, base: u32 }
@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read> Z: array<f32>;
@group(0) @binding(2) var<storage, read_write> Y: array<f32>;
@group(0) @binding(3) var<uniform> settings: Settings;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < settings.n) {
    let texel = settings.base + id.x / 4;
    Y[id.x] = textureLoad(X, vec2u(texel & 1023u, texel >> 10u))[id.x % 4] + Z[id.x];
  }
}`,
  constants: {},
};

function add(gpu: Gpu, X: Slice, Z: Slice, Y: Slice): void {
  gpu.dispatch({
    kernel: sum,
    bindings: [texels(X), read(Z), write(Y), params({ n: Y.length, base: X.offset / 4 })],
    workgroups: [Math.ceil(Y.length / 64)],
  });
}

interface Inputs {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

const owner = {};
const ONES = fixed(new Float32Array(8).fill(1));
const floats = (...values: number[]) => Float32Array.from(values);

/** (a + 10 b) + 1, by way of two kernels, a submission between them and memory that is taken again. */
function tenfold(gpu: Gpu, { a, b }: Inputs): Slice[] {
  const n = a.length;
  const A = gpu.upload(a, "a");
  const B = gpu.upload(b, "b", (b) => b.map((x) => 10 * x));
  const middle = gpu.acquire(n, "middle");
  add(gpu, A, B, middle);
  gpu.flush();
  gpu.release(A);
  gpu.release(B);
  // The memory of `a` or `b`, which what was submitted reads.
  const one = gpu.upload(ONES, "one");
  const Y = gpu.acquire(n, "Y");
  add(gpu, middle, one, Y);
  for (const slice of [middle, one, Y]) gpu.release(slice);
  return [Y];
}

const stepOf = (gpu: Gpu) => ({ name: "tenfold", owner, run: (inputs: Inputs) => tenfold(gpu, inputs) });

test("a plan takes the new inputs, and a step of another shape or owner has its own", async (gpu) => {
  const { traced } = gpu.plans;
  const step = stepOf(gpu);
  assertEquals(await gpu.plans.run(step, { a: floats(1, 2), b: floats(3, 4) }), [floats(32, 43)]);
  assertEquals(await gpu.plans.run(step, { a: floats(5, 6), b: floats(7, 8) }), [floats(76, 87)]);
  assertEquals(gpu.plans.traced, traced + 1);
  assertEquals(await gpu.plans.run(step, { a: floats(1, 2, 3), b: floats(0, 0, 1) }), [floats(2, 3, 14)]);
  assertEquals(gpu.plans.traced, traced + 2);
  assertEquals(await gpu.plans.run({ ...step, owner: {} }, { a: floats(1, 2), b: floats(0, 0) }), [
    floats(2, 3),
  ]);
  assertEquals(gpu.plans.traced, traced + 3);
});

test("one array that is two inputs stands for both only as long as it is", async (gpu) => {
  const same = floats(1, 2);
  assertEquals(await gpu.plans.run(stepOf(gpu), { a: same, b: same }), [floats(12, 23)]);
  assertEquals(await gpu.plans.run(stepOf(gpu), { a: floats(1, 2), b: floats(0, 1) }), [floats(2, 13)]);
  const other = floats(2, 0);
  assertEquals(await gpu.plans.run(stepOf(gpu), { a: other, b: other }), [floats(23, 1)]);
});

test("a value that is no array is part of the shape", async (gpu) => {
  const step = {
    name: "scaled",
    owner,
    run: ({ factor, a }: { factor: number; a: Float32Array }) => {
      const A = gpu.upload(a, "a", (a) => a.map((x) => factor * x));
      gpu.release(A);
      return [A];
    },
  };
  assertEquals(await gpu.plans.run(step, { factor: 2, a: floats(1, 2) }), [floats(2, 4)]);
  assertEquals(await gpu.plans.run(step, { factor: 3, a: floats(1, 2) }), [floats(3, 6)]);
  assertEquals(await gpu.plans.run(step, { factor: 2, a: floats(5, 6) }), [floats(10, 12)]);
});

test("memory that somebody holds, or that is destroyed, is not a plan's to use", async (gpu) => {
  const step = stepOf(gpu);
  const run = () => gpu.plans.run(step, { a: floats(1, 1), b: floats(1, 2) });
  await run();
  const { traced } = gpu.plans;
  // All that is free, so some of the plan's.
  const held = Array.from({ length: 8 }, () => gpu.acquire(2, "held"));
  for (const slice of held) gpu.clear(slice);
  assertEquals(await run(), [floats(12, 22)]);
  assertEquals(gpu.plans.traced, traced + 1);
  const contents = await gpu.read(...held);
  assertEquals(contents, held.map(() => floats(0, 0)));
  held.forEach((slice) => gpu.release(slice));
  await run();
  gpu.trim();
  const before = gpu.plans.traced;
  assertEquals(await run(), [floats(12, 22)]);
  assertEquals(gpu.plans.traced, before + 1);
});

test("of many shapes those used last keep their plans", async (gpu) => {
  const step = stepOf(gpu);
  const run = (n: number) => gpu.plans.run(step, { a: new Float32Array(n), b: new Float32Array(n) });
  await run(2);
  const { traced } = gpu.plans;
  for (let n = 3; n < 43; n++) {
    await run(n);
    await run(2);
  }
  assertEquals(gpu.plans.traced, traced + 40);
  await run(42);
  await run(3);
  assertEquals(gpu.plans.traced, traced + 41, "the first of the others was forgotten, the last was not");
});

test("a step that a plan could not repeat says what to do", async (gpu) => {
  const uploads = (data: Float32Array) => ({
    name: "stray",
    owner,
    run: (_: Inputs) => {
      const slice = gpu.upload(data, "stray data");
      gpu.release(slice);
      return [slice];
    },
  });
  const inputs = { a: floats(1), b: floats(2) };
  await assertRejects(
    () => gpu.plans.run(uploads(floats(3)), inputs),
    TypeError,
    "Cannot plan stray: stray data is not among its inputs, add it to them or mark it as fixed",
  );
  assertEquals(await gpu.plans.run(uploads(fixed(floats(3))), inputs), [floats(3)]);
  const writes = { name: "write", owner, run: () => (gpu.write(gpu.placeholder, floats(0)), []) };
  await assertRejects(
    () => gpu.plans.run(writes, inputs),
    Error,
    "Cannot plan a step that writes to placeholder: upload instead",
  );
});
