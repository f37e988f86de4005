/** The variants of matmul for GPUs: single precision, and operands rounded to half precision. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import { type Gpu, type Slice, subslice } from "../../kernels/gpu/mod.ts";
import { cases, halfCases } from "../../kernels/matmul/cases.ts";
import { matmul } from "../../kernels/matmul/mod.ts";
import { matmulReference } from "../../kernels/matmul/reference.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { checkCase, testCases } from "./check_cases.ts";

testCases(
  cases.filter(({ variants }) => variants.includes("tiled")).map((each) => ({
    ...each,
    variants: ["tiled"],
  })),
);

const hasHalf = !onGpu.ignore && (await testGpu()).device.features.has("shader-f16");
if (!hasHalf) console.error("tests of matmul (tiled-f16) are skipped: the adapter has no shader-f16");

function testOnGpu(name: string, fn: (gpu: Gpu) => void | Promise<void>, ignore = false): void {
  Deno.test({
    name,
    ...onGpu,
    ignore: ignore || onGpu.ignore,
    fn: async () => await fn(await testGpu()),
  });
}

// Scalar words, vec4s, the epilogue, a mix, the larger tile.
const HALF_CASES = /^(17x65x33 A\^T B\^T|37x44x12 bias U|36x44x13|767x700x20)/;
for (const halfCase of halfCases.filter(({ name }) => HALF_CASES.test(name))) {
  testOnGpu(
    `matmul (tiled-f16) is as exact as the others where operands need no rounding, at ${halfCase.name}`,
    async (gpu) => await checkCase(gpu, halfCase, "tiled-f16"),
    !hasHalf,
  );
}

testOnGpu("matmul (tiled-f16) rounds A and B to half precision and adds in single precision", async (gpu) => {
  const shape = { M: 40, N: 36, K: 500, transposeB: true, variant: "tiled-f16" };
  const { M, N, K } = shape;
  const A = gpu.upload(caseValues(M * K, 1), "A");
  const B = gpu.upload(caseValues(N * K, 2), "B");
  const C = gpu.acquire(M * N, "C");
  const bias = gpu.upload(caseValues(N, 3), "bias");
  matmul(gpu, { A, B, C, bias }, shape);
  const [got, a, b, c] = await gpu.read(C, A, B, bias);
  const rounded = { A: new Float16Array(a), B: new Float16Array(b), bias: c };
  const want = matmulReference(rounded, shape).C;
  const exact = matmulReference({ A: a, B: b, bias: c }, shape).C;
  let distance = 0;
  want.forEach((value, index) => {
    assertAlmostEquals(got[index], value, 2e-5 * (1 + Math.abs(value)));
    distance = Math.max(distance, Math.abs(got[index] - exact[index]));
  });
  assert(distance > 1e-4, `rounding shows: ${distance}`);
  for (const slice of [A, B, C, bias]) gpu.release(slice);
}, !hasHalf);

testOnGpu(
  "matmul (tiled-f16) adds every term at the largest K that a software adapter takes",
  async (gpu) => {
    const K = 196_500;
    const ones = gpu.upload(new Float32Array(K).fill(1), "ones");
    const C = gpu.acquire(1, "C");
    matmul(gpu, { A: ones, B: ones, C }, { M: 1, N: 1, K, variant: "tiled-f16" });
    const [got] = await gpu.read(C);
    assertEquals([...got], [K]);
    for (const slice of [ones, C]) gpu.release(slice);
  },
  !hasHalf,
);

testOnGpu("matmul (tiled) reads and writes slices inside larger storages", async (gpu) => {
  const { M, N, K } = { M: 40, N: 36, K: 100 };
  const guard = 64;
  const gap = 64 * Math.ceil(M * K / 64);
  const from = gpu.upload(caseValues(2 * guard + gap + K * N, 7), "from");
  const A = subslice(from, guard, M * K, "A");
  const B = subslice(from, 2 * guard + gap, K * N, "B");
  const to = gpu.upload(new Float32Array(M * N + 2 * guard).fill(7), "to");
  matmul(gpu, { A, B, C: subslice(to, guard, M * N, "C") }, { M, N, K, variant: "tiled" });
  const [got, a, b] = await gpu.read(to, A, B);
  const { C } = matmulReference({ A: a, B: b }, { M, N, K });
  assertEquals([...got.subarray(0, guard), ...got.subarray(guard + M * N)], Array(2 * guard).fill(7));
  C.forEach((want, index) => assertAlmostEquals(got[guard + index], want, 2e-5 * (1 + Math.abs(want))));
  gpu.release(from);
  gpu.release(to);
});

/** Records what a launch would dispatch on another kind of device; nothing reaches the GPU. */
function dispatched(gpu: Gpu, features: readonly string[], variant?: string): Record<string, unknown> {
  const launched: Record<string, unknown>[] = [];
  const hardware = Object.create(gpu, {
    isSoftware: { value: false },
    device: { value: { features: new Set(features), limits: gpu.device.limits } },
    dispatch: {
      value: ({ kernel }: { kernel: { name: string; constants: object } }) =>
        launched.push({ name: kernel.name, ...kernel.constants }),
    },
  });
  const slice: Slice = { ...gpu.placeholder, length: 2 ** 24 };
  matmul(hardware, { A: slice, B: slice, C: slice }, { M: 5, N: 7, K: 3, variant });
  return launched[0];
}

testOnGpu("a GPU takes the tiled variant in single precision, whatever the shape", (gpu) => {
  const { name, HALF } = dispatched(gpu, ["shader-f16"]);
  assertEquals([name, HALF], ["matmul/tiled", false]);
  assertEquals(dispatched(gpu, ["shader-f16"], "tiled-f16").HALF, true);
});

testOnGpu("half precision by name is refused where the device lacks it", (gpu) => {
  assertThrows(
    () => dispatched(gpu, [], "tiled-f16"),
    RangeError,
    'Cannot multiply 5x7x3: for variant "tiled-f16" the device must have the feature shader-f16, use "naive"',
  );
});

/** A process of its own: `PONDER_VARIANT` is read once. The program multiplies two ones twice. */
async function runForced(hidesHalf: boolean): Promise<{ stdout: string; stderr: string }> {
  const program = `
    import { openGpu } from "./kernels/gpu/mod.ts";
    import { matmul } from "./kernels/matmul/mod.ts";
    const gpu = await openGpu();
    if (${hidesHalf}) Object.defineProperty(gpu.device, "features", { value: new Set() });
    const A = gpu.upload(Float32Array.of(1.0001), "A");
    const C = gpu.acquire(1, "C");
    for (let i = 0; i < 2; i++) matmul(gpu, { A, B: A, C }, { M: 1, N: 1, K: 1 });
    console.log((await gpu.read(C))[0][0] === 1 ? "rounded" : "single precision");
    gpu.destroy();`;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    cwd: new URL("../..", import.meta.url),
    env: { PONDER_VARIANT: "tiled-f16", NO_COLOR: "1" },
  }).output();
  const texts = { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  assert(success, texts.stderr);
  return texts;
}

testOnGpu("PONDER_VARIANT=tiled-f16 rounds operands", async () => {
  assertEquals((await runForced(false)).stdout, "rounded\n");
}, !hasHalf);

testOnGpu(
  "PONDER_VARIANT=tiled-f16 on a device without half precision falls back and says so once",
  async () => {
    const { stdout, stderr } = await runForced(true);
    assertEquals(stdout, "single precision\n");
    assertEquals(stderr.match(/no shader-f16: products stay in single precision/g)?.length, 1);
  },
);
