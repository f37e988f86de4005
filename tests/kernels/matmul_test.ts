import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import { cases } from "../../kernels/matmul/cases.ts";
import { matmul, type MatmulShape } from "../../kernels/matmul/mod.ts";
import { matmulReference } from "../../kernels/matmul/reference.ts";
import { type Gpu, subslice } from "../../kernels/gpu/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { checkCase, gpuWithoutSubgroups, testCases } from "./check_cases.ts";

// The variants for GPUs have a file of their own.
testCases(
  cases.map((each) => ({ ...each, variants: each.variants.filter((variant) => variant !== "tiled") })),
);

Deno.test({
  name: "matmul (texture) matches its reference on a device without subgroups",
  ...onGpu,
  fn: async () => {
    const gpu = await gpuWithoutSubgroups();
    const names = ["37x44x12 bias U gelu residual", "36x44x13 A^T accumulate", "19x36x20 B^T batch 3"];
    for (const kernelCase of cases.filter(({ name }) => names.includes(name))) {
      await checkCase(gpu, kernelCase, "texture");
    }
    assertEquals(gpu.dispatchCount, names.length);
    gpu.destroy();
  },
});

function testOnGpu(name: string, fn: (gpu: Gpu) => void | Promise<void>): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => await fn(await testGpu()),
  });
}

/** A launch that must be refused before it reaches the GPU: 1x4x1 unless told, on operands of these lengths. */
function launchShort(
  gpu: Gpu,
  lengths: { A?: number; C?: number; U?: number },
  options: Partial<MatmulShape>,
) {
  const A = subslice(gpu.placeholder, 0, lengths.A ?? 4, "hidden");
  const C = subslice(gpu.placeholder, 0, lengths.C ?? 4, "output");
  const U = lengths.U === undefined ? undefined : subslice(gpu.placeholder, 0, lengths.U, "U");
  matmul(gpu, { A, B: gpu.placeholder, C, U }, { M: 1, N: 4, K: 1, ...options });
}

for (const variant of ["naive", "texture", "tiled"]) {
  for (const { M, N, K } of [{ M: 40, N: 36, K: 60 }, { M: 256, N: 96, K: 96 }]) {
    testOnGpu(
      `matmul (${variant}) reads and writes slices inside larger storages at ${M}x${N}x${K}`,
      async (gpu) => {
        const guard = 64;
        const from = gpu.upload(caseValues(3 * guard + 2 * 64 * Math.ceil(M * K / 64) + K * N, 7), "from");
        const A = subslice(from, guard, M * K, "A");
        const B = subslice(from, 2 * guard + 64 * Math.ceil(M * K / 64), K * N, "B");
        const to = gpu.upload(new Float32Array(M * N + 2 * guard).fill(7), "to");
        matmul(gpu, { A, B, C: subslice(to, guard, M * N, "C") }, { M, N, K, variant });
        const [got, a, b] = await gpu.read(to, A, B);
        const { C } = matmulReference({ A: a, B: b }, { M, N, K });
        assertEquals([...got.subarray(0, guard), ...got.subarray(guard + M * N)], Array(2 * guard).fill(7));
        C.forEach((want, index) => assertAlmostEquals(got[guard + index], want, 2e-5 * (1 + Math.abs(want))));
        gpu.release(from);
        gpu.release(to);
      },
    );
  }

  testOnGpu(`matmul (${variant}) follows a change of A and B between launches`, async (gpu) => {
    const size = 128;
    const A = gpu.upload(new Float32Array(size * size).fill(1), "A");
    const B = gpu.upload(new Float32Array(size * size).fill(1), "B");
    const C = gpu.acquire(size * size, "C");
    const shape = { M: size, N: size, K: size, variant };
    matmul(gpu, { A, B, C }, shape);
    gpu.write(B, new Float32Array(size * size).fill(0.5));
    matmul(gpu, { A: C, B, C: A }, shape);
    const [got] = await gpu.read(A);
    assertEquals(new Set(got), new Set([size * size * 0.5]));
    for (const slice of [A, B, C]) gpu.release(slice);
  });

  testOnGpu(`matmul (${variant}) applies GELU to huge sums without overflow`, async (gpu) => {
    const values = new Float32Array([1e30, -1e30, 1e4, -1e4, 20, -20, 0, 1]);
    const A = gpu.upload(new Float32Array([1, 0, 0, 0]), "A");
    const B = gpu.upload(new Float32Array([...values, ...new Float32Array(24)]), "B");
    const C = gpu.acquire(8, "C");
    matmul(gpu, { A, B, C }, { M: 1, N: 8, K: 4, gelu: true, variant });
    const [got] = await gpu.read(C);
    const want = [values[0], 0, 1e4, 0, 20, 0, 0, 0.841192];
    want.forEach((value, index) => assertAlmostEquals(got[index], value, 1e-6 * (1 + value)));
    for (const slice of [A, B, C]) gpu.release(slice);
  });
}

testOnGpu(
  "matmul (tiled) splits long sums in a plan too, and gives the memory of the parts back",
  async (gpu) => {
    const [M, N, K] = [40, 36, 700];
    const dW = gpu.allocate(M * N, "dW");
    const { inUse } = gpu.pool;
    const run = ({ x, dy }: { x: Float32Array; dy: Float32Array }) => {
      const A = gpu.upload(x, "x");
      const B = gpu.upload(dy, "dy");
      matmul(gpu, { A, B, C: dW }, { M, N, K, transposeA: true, accumulate: true, variant: "tiled" });
      for (const slice of [A, B]) gpu.release(slice);
      return [dW];
    };
    let want = new Float32Array(M * N);
    for (const seed of [1, 2, 3]) {
      const [x, dy] = [caseValues(K * M, seed), caseValues(K * N, 7 * seed, 0.1)];
      const { dispatchCount } = gpu;
      const [got] = await gpu.plans.run({ name: "dW", owner: dW, run }, { x, dy });
      assertEquals([gpu.dispatchCount - dispatchCount, gpu.pool.inUse], [2, inUse]);
      const operands = { A: x, B: dy, C: want };
      want = Float32Array.from(matmulReference(operands, { M, N, K, transposeA: true, accumulate: true }).C);
      want.forEach((value, index) => assertAlmostEquals(got[index], value, 2e-5 * (1 + Math.abs(value))));
    }
    gpu.free(dW);
  },
);

testOnGpu("matmul (tiled) splits no sum that bias, residual, U or GELU follow", (gpu) => {
  const shape = { M: 4, N: 4, K: 600, variant: "tiled" };
  const [A, C] = [2400, 16].map((words) => gpu.acquire(words, "operand"));
  const count = (extra: Partial<Parameters<typeof matmul>[1]>, options: Partial<MatmulShape> = {}) => {
    const { dispatchCount } = gpu;
    matmul(gpu, { A, B: A, C, ...extra }, { ...shape, ...options });
    return gpu.dispatchCount - dispatchCount;
  };
  const other = gpu.acquire(16, "other");
  assertEquals(count({}), 2);
  assertEquals([{ bias: other }, { residual: other }, { U: other }].map((extra) => count(extra)), [1, 1, 1]);
  assertEquals(count({}, { gelu: true }), 1);
  assertEquals(count({}, { M: 0 }), 0);
  for (const slice of [A, C, other]) gpu.release(slice);
});

testOnGpu("matmul names the operand that is too short for the shape", (gpu) => {
  assertThrows(
    () => launchShort(gpu, { A: 3 }, { M: 1, N: 1, K: 4 }),
    RangeError,
    "Cannot multiply 1x1x4: hidden has 3 words, it needs 4",
  );
  assertThrows(
    () => launchShort(gpu, { C: 3 }, {}),
    RangeError,
    "Cannot multiply 1x4x1: output has 3 words, it needs 4",
  );
});

testOnGpu("matmul refuses to accumulate where GELU or U would see a part of the sum", (gpu) => {
  assertThrows(
    () => launchShort(gpu, {}, { accumulate: true, gelu: true }),
    RangeError,
    "accumulate goes with",
  );
  assertThrows(() => launchShort(gpu, { U: 4 }, { accumulate: true }), RangeError, "accumulate goes with");
});

testOnGpu("matmul says what a variant needs when it cannot do a shape", (gpu) => {
  assertThrows(
    () => launchShort(gpu, {}, { M: 1, N: 1, K: 4, transposeB: true, variant: "texture" }),
    RangeError,
    'Cannot multiply 1x1x4 B^T: for variant "texture" N and stored row lengths must be multiples of 4, use "naive"',
  );
  assertThrows(
    () => launchShort(gpu, {}, { variant: "tensor" }),
    RangeError,
    'Cannot multiply 1x4x1: unknown variant "tensor", known are quads, texture, naive, tiled, tiled-f16',
  );
});
