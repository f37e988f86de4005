/**
 * Attention and its gradient. Large heads take a software adapter many seconds to compile, so a few of their cases are left
 * out; `-- --all` runs all.
 */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { cases } from "../../kernels/attention/cases.ts";
import { attention, attentionBackward, attentionDecode, fillCache } from "../../kernels/attention/mod.ts";
import { attentionBackwardReference, attentionReference } from "../../kernels/attention/reference.ts";
import { blockTile, textureTile, textureWorkgroups, workgroupTile } from "../../kernels/attention/tiles.ts";
import { caseValues, type KernelCase } from "../../kernels/case.ts";
import { type Slice, subslice } from "../../kernels/gpu/mod.ts";
import { gpuTest, onGpu } from "../gpu.ts";
import { checkCase, gpuWithoutSubgroups, testCases } from "./check_cases.ts";

const isAll = Deno.args.includes("--all");

/**
 * What other cases check at less cost: heads that share their keys at D 64, which do at D 8 and 20, ragged too, and the
 * gradient at D 128 but for the tiled kernels, whose workgroup memory it fills. D 80 is beyond 64 too.
 */
const isCostly = ({ kernel, name }: KernelCase, variant: string): boolean =>
  / K\d+ D64$/.test(name) || kernel === "attention backward" && name.endsWith(" D128") && variant !== "tiled";

testCases(cases, (kernelCase, variant) => !isAll && isCostly(kernelCase, variant));

Deno.test("what the default run leaves out, it has in a smaller case of the same kernel and variant", () => {
  const run = cases.flatMap((kernelCase) =>
    kernelCase.variants.filter((variant) => !isCostly(kernelCase, variant))
      .map((variant) => `${kernelCase.kernel} ${variant} ${kernelCase.name}`)
  );
  for (const kernelCase of cases) {
    for (const variant of kernelCase.variants.filter((variant) => isCostly(kernelCase, variant))) {
      const label = `${kernelCase.kernel} ${variant} `;
      const kin = kernelCase.name.endsWith(" D128") ? / D80$/ : / H3 K1 D8$/;
      assert(run.some((name) => name.startsWith(label) && kin.test(name)), label + kernelCase.name);
    }
  }
});

Deno.test({
  name:
    "attention (blocked) needs no subgroups, but for large heads more workgroup memory than WebGPU promises",
  ...onGpu,
  fn: async () => {
    const gpu = await gpuWithoutSubgroups();
    const blocked = cases.filter(({ variants }) => variants.includes("blocked"));
    for (const kernelCase of blocked.filter(({ name }) => / D[48]$/.test(name))) {
      await checkCase(gpu, kernelCase, "blocked");
    }
    const [large] = blocked.filter(({ name }) => name.endsWith(" D64"));
    const refused = 'variant "blocked" the device must have more workgroup memory';
    await assertRejects(() => checkCase(gpu, large, "blocked"), RangeError, refused);
    gpu.destroy();
  },
});

Deno.test("a block has room in the memory that a device has, for every head size that it takes", () => {
  for (let D = 4; D <= 64; D += 4) {
    for (const memory of [16_384, 32_768, 49_152]) {
      const tile = blockTile(D, memory);
      if (tile === null) {
        assert(memory === 16_384 && D > 16, `${D} in ${memory}`);
        continue;
      }
      const { KEYS, PART, KP_ROWS, UNROLL } = tile;
      assert(256 * D + 1024 * KP_ROWS + 128 * KEYS * PART <= memory && D / 4 % UNROLL === 0, `${D}`);
      assert(32 * PART >= D && 4 * KP_ROWS >= KEYS && KP_ROWS * 64 >= D / 4 * KEYS, `${D}`);
    }
  }
});

Deno.test("the gradient in the reference is the derivative of its forward", () => {
  const shape = { B: 2, T: 5, H: 2, D: 3 };
  const prefix = [2, 0];
  const length = [5, 3];
  const QKV = Float64Array.from(caseValues(2 * 5 * 18, 1, 1.5));
  const dY = Float64Array.from(caseValues(2 * 5 * 6, 2));
  const loss = () =>
    attentionReference({ QKV, prefix, length }, shape).Y.reduce((total, y, i) => total + y * dY[i], 0);
  const { dQKV } = attentionBackwardReference({ QKV, prefix, length, dY }, shape);
  const step = 1e-5;
  for (let i = 0; i < QKV.length; i++) {
    const value = QKV[i];
    QKV[i] = value + step;
    const above = loss();
    QKV[i] = value - step;
    const below = loss();
    QKV[i] = value;
    assertAlmostEquals(dQKV[i], (above - below) / (2 * step), 1e-8, `dQKV[${i}]`);
  }
});

Deno.test("tiles of every head size fit the workgroup memory that WebGPU promises", () => {
  for (let D = 4; D <= 128; D += 4) {
    for (const T of [1, 36, 64, 1000]) {
      for (const sums of [1, 2]) {
        const { PART, TILE, ROWS } = workgroupTile(T, D, sums === 2);
        assert(TILE >= 8 && TILE % 4 === 0 && 16 * PART >= D && ROWS >= 1);
        // Two staged operands, and two buffers of each partial sum of 64 lanes; vec4s of 16 bytes.
        const workgroupBytes = 16 * (2 * TILE * 4 * PART + 2 * sums * 64 * ROWS);
        assert(workgroupBytes <= 16384, `${workgroupBytes} bytes at T ${T}, D ${D}`);
      }
    }
  }
});

Deno.test("texture kernels put eight heads side by side where there are many, else eight rows of one head", () => {
  for (const isBackward of [false, true]) {
    const of = (B: number, T: number, H: number, D: number) =>
      textureTile({ B, T, H, D }, isBackward).LANES_ARE_HEADS;
    assert(of(64, 36, 4, 24) && of(32, 64, 2, 32));
    assert(!of(1, 600, 1, 64) && !of(2, 512, 4, 64));
  }
});

Deno.test("workgroups of the texture kernels cover every row of every head", () => {
  for (
    const [B, T, H, D] of [[64, 36, 4, 24], [5, 45, 3, 8], [1, 1, 1, 4], [3, 130, 1, 128], [7, 33, 3, 64]]
  ) {
    const tile = textureTile({ B, T, H, D }, false);
    const [x, y, z] = textureWorkgroups({ B, T, H }, tile);
    const [rows, heads] = tile.LANES_ARE_HEADS ? [x * tile.ROWS, 8 * y] : [x * 8 * tile.ROWS, y * z];
    assert(rows >= T && rows - T < 8 * tile.ROWS, `${rows} rows for T ${T}`);
    assert(heads >= B * H && heads - B * H < 8, `${heads} heads for ${B * H}`);
  }
});

for (const variant of ["naive", "texture", "tiled"]) {
  gpuTest(`${variant} attention reads and writes slices that start inside a storage`, async (gpu, keep) => {
    const shape = { B: 2, T: 9, H: 2, D: 8, variant };
    const words = { QKV: 2 * 9 * 48, Y: 2 * 9 * 16, lse: 2 * 2 * 9 };
    const inside = (length: number, label: string) =>
      subslice(keep(gpu.acquire(length + 192, label)), 128, length);
    const QKV = inside(words.QKV, "QKV");
    const [Y, dY] = [inside(words.Y, "Y"), inside(words.Y, "dY")];
    const [lse, delta] = [inside(words.lse, "lse"), inside(words.lse, "delta")];
    const dQKV = inside(words.QKV, "dQKV");
    const inputs = {
      QKV: caseValues(words.QKV, 1, 2),
      dY: caseValues(words.Y, 2),
      prefix: Uint32Array.of(0, 4),
      length: Uint32Array.of(9, 6),
    };
    gpu.write(QKV, inputs.QKV);
    gpu.write(dY, inputs.dY);
    const prefix = keep(gpu.upload(inputs.prefix, "prefix"));
    const length = keep(gpu.upload(inputs.length, "length"));
    attention(gpu, { QKV, prefix, length, Y, lse }, shape);
    attentionBackward(gpu, { QKV, prefix, length, Y, lse, dY, delta, dQKV }, shape);
    const [gotY, gotDQKV] = await gpu.read(Y, dQKV);
    const want = { ...attentionReference(inputs, shape), ...attentionBackwardReference(inputs, shape) };
    gotY.forEach((y, i) => assertAlmostEquals(y, want.Y[i], 1e-5, `Y[${i}]`));
    gotDQKV.forEach((d, i) => assertAlmostEquals(d, want.dQKV[i], 1e-5, `dQKV[${i}]`));
  });
}

gpuTest("decoding token by token gives the rows of attention over the whole sequence", async (gpu, keep) => {
  const { B, T, H, D, capacity } = { B: 3, T: 12, H: 2, D: 12, capacity: 14 };
  const promptT = 7;
  const C = H * D;
  const values = caseValues(B * T * 3 * C, 3, 2);
  const rows = (from: number, to: number) => {
    const part = new Float32Array(B * (to - from) * 3 * C);
    for (let b = 0; b < B; b++) {
      part.set(
        values.subarray((b * T + from) * 3 * C, (b * T + to) * 3 * C),
        b * (to - from) * 3 * C,
      );
    }
    return keep(gpu.upload(part, `QKV ${from}..${to}`));
  };
  const Y = keep(gpu.acquire(B * T * C, "Y"));
  const lse = keep(gpu.acquire(B * H * T, "lse"));
  const prefix = keep(gpu.upload(new Uint32Array(B).fill(promptT), "prefix"));
  const length = keep(gpu.upload(new Uint32Array(B).fill(T), "length"));
  attention(gpu, { QKV: rows(0, T), prefix, length, Y, lse }, { B, T, H, D });
  const [want] = await gpu.read(Y);

  const cache = keep(gpu.acquire(B * capacity * 2 * C, "cache"));
  fillCache(gpu, { QKV: rows(0, promptT), cache }, { B, T: promptT, C, capacity });
  for (let t = promptT; t < T; t++) {
    const position = keep(gpu.upload(new Uint32Array(B).fill(t), "position"));
    const y = keep(gpu.acquire(B * C, "y"));
    attentionDecode(gpu, { QKV: rows(t, t + 1), cache, position, Y: y }, { B, H, D, capacity });
    const [got] = await gpu.read(y);
    for (let b = 0; b < B; b++) {
      for (let c = 0; c < C; c++) {
        assertAlmostEquals(got[b * C + c], want[(b * T + t) * C + c], 1e-5, `row ${t} of sequence ${b}`);
      }
    }
  }
});

gpuTest("the gradient is the same bits on every launch", async (gpu, keep) => {
  const kernelCase = cases.find(({ kernel, name }) =>
    kernel === "attention backward" && /^ragged/.test(name)
  )!;
  const operands: Record<string, Slice> = {};
  for (const [name, data] of Object.entries(kernelCase.inputs())) {
    operands[name] = keep(gpu.upload(data, name));
  }
  for (const [name, words] of Object.entries(kernelCase.outputs)) {
    operands[name] = keep(gpu.acquire(words, name));
  }
  for (const variant of kernelCase.variants) {
    kernelCase.launch(gpu, operands, variant);
    const first = await gpu.readWords(operands.dQKV);
    kernelCase.launch(gpu, operands, variant);
    assertEquals(await gpu.readWords(operands.dQKV), first);
  }
});

gpuTest(
  "launches refuse operands that are too short, sizes of zero and variants that cannot",
  (gpu, keep) => {
    const slice = keep(gpu.acquire(1000, "short"));
    const operands = { QKV: slice, prefix: slice, length: slice, Y: slice, lse: slice };
    const gradients = { dY: slice, delta: slice, dQKV: slice };
    assertThrows(
      () => attention(gpu, operands, { B: 2, T: 36, H: 4, D: 24 }),
      RangeError,
      "Cannot compute attention: QKV (2,36,288) needs 20736 words, got 1000 in short",
    );
    assertThrows(
      () => attention(gpu, operands, { B: 1, T: 0, H: 1, D: 4 }),
      RangeError,
      "Cannot compute attention: T is 0, use a whole number of at least 1",
    );
    assertThrows(
      () => attention(gpu, operands, { B: 1, T: 1, H: 1, D: 132 }),
      RangeError,
      "head size D is 132, use one of at most 128",
    );
    assertThrows(
      () =>
        attentionBackward(gpu, { ...operands, ...gradients }, { B: 1, T: 2, H: 3, D: 7, variant: "texture" }),
      RangeError,
      'for variant "texture" head size D is 7, it must be a multiple of 4, use "naive"',
    );
    assertThrows(
      () => fillCache(gpu, { QKV: slice, cache: slice }, { B: 1, T: 5, C: 4, capacity: 4 }),
      RangeError,
      "Cannot fill the cache: T is 5, it must be at most the capacity of 4",
    );
    const decodeOperands = { QKV: slice, cache: slice, position: slice, Y: slice };
    assertThrows(
      () => attentionDecode(gpu, decodeOperands, { B: 1, H: 1, D: 4, capacity: 20000 }),
      RangeError,
      "capacity is 20000, use at most 16384",
    );
    assertThrows(
      () => attentionDecode(gpu, decodeOperands, { B: 1, H: 1, D: 4, capacity: 8, variant: "texture" }),
      RangeError,
      'unknown variant "texture", known are vec4, naive, tiled',
    );
  },
);
