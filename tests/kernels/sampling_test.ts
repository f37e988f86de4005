import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Gpu, type KernelSource, params, read, type Slice, write } from "../../kernels/gpu/mod.ts";
import { cases } from "../../kernels/sampling/cases.ts";
import {
  sampleTokens,
  threefry2x32,
  uniformFromCounter,
  uniformsFromCounter,
} from "../../kernels/sampling/mod.ts";
import { drawReference } from "../../kernels/sampling/reference.ts";
import { gpuTest as sharedTest } from "../gpu.ts";
import naiveSource from "../../kernels/sampling/naive.wgsl" with { type: "text" };
import { testCases } from "./check_cases.ts";

/** Seed and counters whose uniforms are the largest and the smallest there are. */
const SEED = 1;
const COUNTER_OF_LARGEST = 78703377;
const COUNTER_OF_ZERO = 12530148;

testCases(cases);

/** Every test here releases what it took. */
const gpuTest = (name: string, fn: (gpu: Gpu) => Promise<void>) =>
  sharedTest(name, fn, { releasesAll: true });

interface Draw {
  readonly rows: readonly (readonly number[])[];
  readonly counters: readonly number[];
  readonly temperature?: number;
  readonly greedy?: boolean;
}

/** One step from fresh rows; `endId` never occurs. */
async function draw(gpu: Gpu, { rows, counters, temperature = 1, greedy = false }: Draw) {
  const B = rows.length;
  const words = (name: string) => gpu.upload(new Uint32Array(B), name);
  const operands = {
    logits: gpu.upload(Float32Array.from(rows.flat()), "logits"),
    random: gpu.upload(Uint32Array.from(counters.flatMap((counter) => [SEED, counter])), "random"),
    done: words("done"),
    tokens: words("tokens"),
    logprobs: words("logprobs"),
    entropies: words("entropies"),
    current: words("current"),
    position: words("position"),
  };
  const settings = { B, V: rows[0].length, step: 0, maxSteps: 1, temperature, greedy, endId: 9999, padId: 0 };
  sampleTokens(gpu, operands, settings);
  const tokens = [...await gpu.readWords(operands.tokens)];
  const [logprobs, entropies] = await gpu.read(operands.logprobs, operands.entropies);
  for (const slice of Object.values<Slice>(operands)) gpu.release(slice);
  return { tokens, logprobs: [...logprobs], entropies: [...entropies] };
}

Deno.test("threefry2x32 gives the known answers of its authors", () => {
  const ones = 0xffffffff;
  assertEquals(threefry2x32([0, 0], [0, 0]), [0x6b200159, 0x99ba4efe]);
  assertEquals(threefry2x32([ones, ones], [ones, ones]), [0x1cb996fc, 0xbb002be7]);
  assertEquals(threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3]), [0xc4923a9c, 0x483df7a0]);
});

Deno.test("uniformFromCounter fills [0, 1) evenly and takes counters modulo 2^32", () => {
  const counts = new Uint32Array(16);
  let sum = 0;
  for (let counter = 0; counter < 16000; counter++) {
    const u = uniformFromCounter(7, counter);
    counts[Math.floor(u * 16)]++;
    sum += u;
  }
  const chiSquare = counts.reduce((total, count) => total + (count - 1000) ** 2 / 1000, 0);
  // 15 degrees of freedom: 37.7 is the 0.999 quantile.
  assert(chiSquare < 37.7, `chi-square is ${chiSquare}`);
  assert(Math.abs(sum / 16000 - 0.5) < 0.01, `the mean is ${sum / 16000}`);
  assertEquals(uniformFromCounter(7, 2 ** 32 + 5), uniformFromCounter(7, 5));
  assertEquals(uniformFromCounter(SEED, COUNTER_OF_LARGEST), 1 - 2 ** -24);
  assertEquals(uniformFromCounter(SEED, COUNTER_OF_ZERO), 0);
});

gpuTest("uniformFromCounter is the same to the bit on the GPU", async (gpu) => {
  const source = `${naiveSource}
    @group(0) @binding(0) var<storage, read> pairs: array<vec2u>;
    @group(0) @binding(1) var<storage, read_write> uniforms: array<f32>;
    struct Length { length: u32 }
    @group(0) @binding(2) var<uniform> size: Length;
    @compute @workgroup_size(8)
    fn draw(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < size.length) { uniforms[id.x] = uniformFromCounter(pairs[id.x].x, pairs[id.x].y); }
    }`;
  const kernel: KernelSource = {
    name: "sampling/draw",
    source,
    constants: { WORKGROUP: 8 },
    entryPoint: "draw",
  };
  const pairs: number[] = [0, 0, 0xffffffff, 0xffffffff, SEED, COUNTER_OF_LARGEST, SEED, COUNTER_OF_ZERO];
  for (let i = 1; i <= 500; i++) {
    pairs.push(Math.imul(i, 0x9e3779b9) >>> 0, Math.imul(i * i, 0x85ebca6b) >>> 0);
  }
  const slice = gpu.upload(Uint32Array.from(pairs), "pairs");
  const uniforms = gpu.acquire(pairs.length / 2, "uniforms");
  gpu.dispatch({
    kernel,
    bindings: [read(slice), write(uniforms), params({ length: uniforms.length })],
    workgroups: [Math.ceil(uniforms.length / 8)],
  });
  const [got] = await gpu.read(uniforms);
  const want = Array.from(got, (_, i) => uniformFromCounter(pairs[2 * i], pairs[2 * i + 1]));
  assertEquals([...got], want);
  gpu.release(slice);
  gpu.release(uniforms);
});

gpuTest("sampleTokens draws from the softmax at the temperature", async (gpu) => {
  const logits = [0.3, -1, 1.2, 0, -3, 0.9];
  const temperature = 0.7;
  const draws = 6000;
  const counters = Array.from({ length: draws }, (_, i) => i);
  const { tokens } = await draw(gpu, { rows: counters.map(() => logits), counters, temperature });
  const weights = logits.map((logit) => Math.exp(logit / temperature));
  const total = weights.reduce((a, b) => a + b);
  let chiSquare = 0;
  logits.forEach((_, v) => {
    const expected = draws * weights[v] / total;
    chiSquare += (tokens.filter((token) => token === v).length - expected) ** 2 / expected;
  });
  // 5 degrees of freedom: 20.5 is the 0.999 quantile.
  assert(chiSquare < 20.5, `chi-square is ${chiSquare}`);
});

gpuTest(
  "sampleTokens gives the same tokens for the same seeds and others for other counters",
  async (gpu) => {
    const rows = Array.from({ length: 64 }, () => new Array(32).fill(0));
    const counters = rows.map((_, b) => 1000 * b);
    const first = await draw(gpu, { rows, counters });
    assertEquals(await draw(gpu, { rows, counters }), first);
    const other = await draw(gpu, { rows, counters: counters.map((counter) => counter + 1) });
    assert(
      other.tokens.filter((token, b) => token !== first.tokens[b]).length > 32,
      "most of 64 rows differ",
    );
  },
);

gpuTest(
  "sampleTokens never takes a token of probability 0 at either end of the uniform's range",
  async (gpu) => {
    // 101 tokens of equal probability between others whose weights underflow to 0.
    const row = [...new Array(20).fill(-1e4), ...new Array(101).fill(0), ...new Array(30).fill(-1e4)];
    const { tokens, logprobs, entropies } = await draw(gpu, {
      rows: [row, row],
      counters: [COUNTER_OF_LARGEST, COUNTER_OF_ZERO],
    });
    assertEquals(tokens, [120, 20]);
    for (const value of [-logprobs[0], -logprobs[1], ...entropies]) {
      assert(Math.abs(value - Math.log(101)) < 1e-5, `${value} is not log 101`);
    }
  },
);

/** Of sums of f32, relative to a row or a block of one. */
const ROUNDING = 2e-6;

/** Large vocabularies with a likely token and a tail of small ones: weights by index. */
const TAILS: Record<string, { V: number; weight: (v: number) => number }> = {
  "65536 tokens, a tail of 5.9e-8 each": { V: 65_536, weight: (v) => v === 0 ? 1 : 5.9e-8 },
  "65536 tokens, a tail of 3e-6 each": { V: 65_536, weight: (v) => v === 0 ? 1 : 3e-6 },
  "65536 tokens, a tail of 1e-9 each behind the likely token": {
    V: 65_536,
    weight: (v) => v === 0 ? 1 : 1e-9,
  },
  "49280 tokens, the likely one in the middle": {
    V: 49_280,
    weight: (v) => v === 20_000 ? 1 : 2e-5 * ((v % 7) / 7),
  },
  "49280 tokens, the likely one last": { V: 49_280, weight: (v) => v === 49_279 ? 1 : 1e-5 },
  "5003 tokens, the last ones of probability 0": { V: 5003, weight: (v) => v < 4000 ? 1 + v % 3 : 0 },
  "513 tokens, all alike": { V: 513, weight: () => 1 },
  "512 tokens, all alike": { V: 512, weight: () => 1 },
};

for (const [name, { V, weight }] of Object.entries(TAILS)) {
  gpuTest(`sampleTokens draws what its reference draws: ${name}`, async (gpu) => {
    const [B, steps] = [16, 128];
    const row = Float32Array.from({ length: V }, (_, v) => Math.log(weight(v)));
    const logits = new Float32Array(B * V);
    for (let b = 0; b < B; b++) logits.set(row, b * V);
    const words = (count: number, name: string) => gpu.upload(new Uint32Array(count), name);
    const seeds = Uint32Array.from(
      { length: 2 * B },
      (_, i) => i % 2 === 0 ? Math.imul(i + 1, 0x9e3779b1) : 0,
    );
    const operands = {
      logits: gpu.upload(logits, "logits"),
      random: gpu.upload(seeds, "random"),
      done: words(B, "done"),
      tokens: words(B * steps, "tokens"),
      logprobs: words(B * steps, "logprobs"),
      entropies: words(B * steps, "entropies"),
      current: words(B, "current"),
      position: words(B, "position"),
    };
    const settings = { B, V, maxSteps: steps, temperature: 1, greedy: false, endId: V, padId: 0 };
    for (let step = 0; step < steps; step++) sampleTokens(gpu, operands, { ...settings, step });
    const tokens = await gpu.readWords(operands.tokens);
    for (const slice of Object.values<Slice>(operands)) gpu.release(slice);

    const weights = [...row].map(Math.exp);
    const total = weights.reduce((sum, w) => sum + w, 0);
    const probabilities = weights.map((w) => w / total);
    let others = 0;
    tokens.forEach((token, i) => {
      const [first, second] = uniformsFromCounter(seeds[2 * Math.floor(i / steps)], i % steps);
      if (token === drawReference(probabilities, [first, second])) return;
      others++;
      // A number within rounding of the border of two tokens may fall on its other side.
      const beside = [-ROUNDING, 0, ROUNDING].flatMap((a) =>
        [-ROUNDING, 0, ROUNDING].map((b) => drawReference(probabilities, [first + a, second + b]))
      );
      assert(beside.includes(token), `draw ${i} is ${token}, and the reference's ${beside}`);
    });
    assert(others <= 4, `${others} of ${tokens.length} tokens are others than the reference's`);
  });
}

gpuTest("sampleTokens scores greedy tokens at the temperature and takes the first of equals", async (gpu) => {
  const { tokens, logprobs } = await draw(gpu, {
    rows: [[0, 2, 2, 1], [5, 2, 5, 5]],
    counters: [0, 0],
    temperature: 0.5,
    greedy: true,
  });
  assertEquals(tokens, [1, 0]);
  assert(Math.abs(logprobs[0] + Math.log(2 + Math.exp(-4) + Math.exp(-2))) < 1e-5);
});

gpuTest("sampleTokens ends a row at endId and writes padId from the next step on", async (gpu) => {
  const B = 2;
  const maxSteps = 3;
  const zeros = (words: number, name: string) => gpu.upload(new Uint32Array(words), name);
  const operands = {
    logits: gpu.upload(Float32Array.of(0, 9, 0, 0, 0, 9), "logits"),
    random: zeros(2 * B, "random"),
    done: zeros(B, "done"),
    tokens: zeros(B * maxSteps, "tokens"),
    logprobs: zeros(B * maxSteps, "logprobs"),
    entropies: zeros(B * maxSteps, "entropies"),
    current: zeros(B, "current"),
    position: gpu.upload(Uint32Array.of(5, 6), "position"),
  };
  for (let step = 0; step < maxSteps; step++) {
    const settings = { B, V: 3, step, maxSteps, temperature: 1, greedy: true, endId: 2, padId: 7 };
    sampleTokens(gpu, operands, settings);
  }
  assertEquals([...await gpu.readWords(operands.tokens)], [1, 1, 1, 2, 7, 7]);
  assertEquals([...await gpu.readWords(operands.done)], [0, 1]);
  assertEquals([...await gpu.readWords(operands.current)], [1, 2]);
  assertEquals([...await gpu.readWords(operands.position)], [8, 7]);
  const [logprobs, entropies] = await gpu.read(operands.logprobs, operands.entropies);
  assertEquals([...logprobs.slice(4), ...entropies.slice(4)], [0, 0, 0, 0]);
  assert(logprobs.slice(0, 4).every((logprob) => logprob < 0));
  for (const slice of Object.values<Slice>(operands)) gpu.release(slice);
});

gpuTest("sampleTokens refuses temperature 0, a step outside and operands that are too small", async (gpu) => {
  await assertRejectsDraw(gpu, { temperature: 0 }, "set greedy");
  await assertRejectsDraw(gpu, { step: 2 }, "below maxSteps = 2");
  await assertRejectsDraw(gpu, { V: 100000 }, "logits (shared) must hold 100000 words");
});

function assertRejectsDraw(gpu: Gpu, wrong: Record<string, number>, message: string): Promise<void> {
  const shared = gpu.acquire(16, "shared");
  const names = [
    "logits",
    "random",
    "done",
    "tokens",
    "logprobs",
    "entropies",
    "current",
    "position",
  ] as const;
  const operands = Object.fromEntries(names.map((name) => [name, shared])) as Record<
    typeof names[number],
    Slice
  >;
  const settings = { B: 1, V: 4, step: 0, maxSteps: 2, temperature: 1, greedy: false, endId: 2, padId: 0 };
  assertThrows(() => sampleTokens(gpu, operands, { ...settings, ...wrong }), RangeError, message);
  gpu.release(shared);
  return Promise.resolve();
}
