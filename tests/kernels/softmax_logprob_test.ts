import { assert, assertEquals, assertThrows } from "@std/assert";
import { caseValues } from "../../kernels/case.ts";
import { type Gpu, type Slice, subslice } from "../../kernels/gpu/mod.ts";
import { cases } from "../../kernels/softmax_logprob/cases.ts";
import {
  linearLogprob,
  linearLogprobBackward,
  linearLogprobPartialsWords,
  linearLogprobScratchWords,
} from "../../kernels/softmax_logprob/mod.ts";
import { gpuTest as sharedTest, onGpu } from "../gpu.ts";
import { checkCase, gpuWithoutSubgroups, testCases } from "./check_cases.ts";

testCases(cases);

Deno.test({
  name: "linearLogprob (texture) and its backward match their reference on a device without subgroups",
  ...onGpu,
  fn: async () => {
    const gpu = await gpuWithoutSubgroups();
    const ragged = cases.filter(({ name }) => name.startsWith("131x36x100"));
    assertEquals(ragged.length, 2);
    for (const kernelCase of ragged) await checkCase(gpu, kernelCase, "texture");
    gpu.destroy();
  },
});

/** Every test here releases what it took. */
const gpuTest = (name: string, fn: (gpu: Gpu) => Promise<void>) =>
  sharedTest(name, fn, { releasesAll: true });

for (const variant of ["texture", "tiled"]) {
  gpuTest(
    `linearLogprob (${variant}) and its backward take slices at any offset of a storage`,
    async (gpu) => {
      const shape = { N: 40, C: 20, V: 36, temperature: 0.5, variant };
      const { N, C, V } = shape;
      const values = {
        X: caseValues(N * C, 1, 2),
        W: caseValues(C * V, 2),
        targets: Uint32Array.from({ length: N }, (_, n) => n % V),
        dLogprob: caseValues(N, 3),
      };
      const words = {
        logprob: N,
        lse: N,
        entropy: N,
        dX: N * C,
        dW: C * V,
        partials: linearLogprobPartialsWords(shape),
        scratch: linearLogprobScratchWords(shape),
      };
      type Name = keyof typeof values | keyof typeof words;
      const run = async (offset: number) => {
        const storages: Slice[] = [];
        const operands = {} as Record<Name, Slice>;
        const place = (name: Name, length: number) => {
          const storage = gpu.acquire(offset + length, name);
          storages.push(storage);
          gpu.clear(storage);
          operands[name] = subslice(storage, offset, length);
        };
        for (const [name, data] of Object.entries(values)) {
          place(name as Name, data.length);
          gpu.write(operands[name as Name], data);
        }
        for (const [name, length] of Object.entries(words)) place(name as Name, length);
        linearLogprob(gpu, operands, shape);
        linearLogprobBackward(gpu, operands, shape);
        const outputs = (["logprob", "lse", "entropy", "dX", "dW"] as const).map((name) => operands[name]);
        const results = (await gpu.read(...outputs)).map((array) => [...array]);
        for (const storage of storages) gpu.release(storage);
        return results;
      };
      const atStart = await run(0);
      assert(atStart[3].some((gradient) => Math.abs(gradient) > 0.1), "dX is not all zero");
      // 4160 words: past the first row of the texture mirror.
      assertEquals(await run(4160), atStart);
    },
  );
}

gpuTest("linearLogprob stays finite and exact where one logit dominates", async (gpu) => {
  const shape = { N: 2, C: 4, V: 8, temperature: 0.01 };
  const { N, C, V } = shape;
  for (const variant of ["naive", "texture", "tiled"]) {
    const upload = (data: Float32Array | Uint32Array, name: string) => gpu.upload(data, name);
    const operands = {
      X: upload(new Float32Array(N * C).fill(1), "X"),
      // Column 3 leads by 4 before the temperature, 400 after it.
      W: upload(Float32Array.from({ length: C * V }, (_, i) => i % V === 3 ? 1 : 0), "W"),
      targets: upload(Uint32Array.of(3, 0), "targets"),
      logprob: gpu.acquire(N, "logprob"),
      lse: gpu.acquire(N, "lse"),
      entropy: gpu.acquire(N, "entropy"),
      partials: gpu.acquire(linearLogprobPartialsWords(shape), "partials"),
    };
    linearLogprob(gpu, operands, { ...shape, variant });
    const [logprob, lse, entropy] = await gpu.read(operands.logprob, operands.lse, operands.entropy);
    const near = (got: number, want: number) =>
      assert(Math.abs(got - want) < 1e-4, `${variant}: ${got}, want ${want}`);
    near(logprob[0], 0);
    near(logprob[1], -400);
    near(lse[0], 400);
    near(entropy[0], 0);
    for (const slice of Object.values(operands)) gpu.release(slice);
  }
});

gpuTest(
  "linearLogprob refuses a variant that cannot do the shape, temperature 0 and small operands",
  (gpu) => {
    const slice = gpu.acquire(64, "shared");
    const operands = {
      X: slice,
      W: slice,
      targets: slice,
      logprob: slice,
      lse: slice,
      entropy: slice,
      partials: slice,
    };
    const shape = { N: 1, C: 3, V: 5, temperature: 1 };
    const refuses = (wrong: Record<string, number | string>, message: string) =>
      assertThrows(() => linearLogprob(gpu, operands, { ...shape, ...wrong }), RangeError, message);
    refuses({ variant: "texture" }, "both must be multiples of 4");
    refuses({ variant: "fastest" }, 'unknown variant "fastest"');
    refuses({ temperature: 0 }, "it must be above 0");
    refuses({ V: 50 }, "W (shared) must hold 150 words, got 64");
    gpu.release(slice);
    return Promise.resolve();
  },
);

Deno.test("the scratch of linearLogprobBackward holds at most half of the logits and at most 4 MiB", () => {
  for (const [N, V] of [[48, 96], [896, 96], [5000, 4096], [900, 32768]]) {
    const words = linearLogprobScratchWords({ N, V });
    const half = (Math.ceil(N / 2) + 15) * V;
    assert(words <= Math.min(half, 1 << 20), `${words} words for ${N} x ${V}`);
  }
});
