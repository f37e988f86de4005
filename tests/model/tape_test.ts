import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  add,
  embed,
  exp,
  gatherRows,
  layernorm,
  linear,
  linearLogprob,
  linearRule,
  multiply,
  reshape,
  scale,
  square,
  subtract,
  sum,
  Tape,
  type Tensor,
} from "../../model/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { leaves, type Operand, readSlice, releaseLeaves } from "./finite_differences.ts";

/** Runs with parameters of these shapes and values, and requires all pooled memory back afterwards. */
function test(
  name: string,
  operands: readonly Operand[],
  fn: (gpu: Gpu, parameters: Tensor[]) => Promise<void> | void,
): void {
  Deno.test({
    name,
    ...onGpu,
    fn: async () => {
      const gpu = await testGpu();
      const inUse = gpu.pool.inUse;
      const parameters = leaves(gpu, operands) as Tensor[];
      await fn(gpu, parameters);
      await gpu.settle();
      releaseLeaves(gpu, parameters);
      assertEquals(gpu.pool.inUse, inUse, "slices are still acquired");
    },
  });
}

const vector = (...values: number[]): Operand => ({
  shape: [values.length],
  values: Float32Array.from(values),
});
const frozen = (operand: Operand): Operand => ({ ...operand, isTrainable: false });

test("a value that fans out gets the sum of its gradients", [vector(1, -2, 3)], async (gpu, [x]) => {
  using tape = new Tape(gpu, { record: true });
  const y = scale(tape, x, 2);
  // d/dy (y y + 3 y + y^2) = 4 y + 3, and dy/dx = 2
  const loss = add(tape, add(tape, multiply(tape, y, y), scale(tape, y, 3)), square(tape, y));
  tape.backward(sum(tape, loss));
  assertEquals(await readSlice(gpu, x.gradient!), [1, -2, 3].map((value) => 2 * (8 * value + 3)));
});

test("a residual that is also the input gets both gradients", [
  vector(1, 2),
  { shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) },
], async (gpu, [x, W]) => {
  using tape = new Tape(gpu, { record: true });
  const X = scale(tape, reshape(tape, x, [1, 2]), 1);
  tape.backward(sum(tape, linear(tape, X, { weight: W, bias: null }, { residual: X })));
  assertEquals(await readSlice(gpu, x.gradient!), [1 + 1 + 2, 1 + 3 + 4]);
  assertEquals(await readSlice(gpu, W.gradient!), [1, 1, 2, 2]);
});

test("a parameter used as an activation gets its gradient", [vector(3, -1)], async (gpu, [x]) => {
  using tape = new Tape(gpu, { record: true });
  tape.backward(sum(tape, square(tape, x)), sum(tape, x, 10));
  assertEquals(await readSlice(gpu, x.gradient!), [16, 8]);
});

test("gradients add up over tapes until they are cleared", [vector(3, -1)], async (gpu, [x]) => {
  for (let repeat = 0; repeat < 2; repeat++) {
    using tape = new Tape(gpu, { record: true });
    tape.backward(sum(tape, square(tape, x)));
  }
  assertEquals(await readSlice(gpu, x.gradient!), [12, -4]);
});

test(
  "gradients flow through views, and a view keeps its data alive",
  [vector(1, 2, 3, 4)],
  async (gpu, [x]) => {
    using tape = new Tape(gpu, { record: true });
    const matrix = reshape(tape, square(tape, x), [2, 2]);
    const flat = reshape(tape, matrix, [4]);
    tape.backward(sum(tape, multiply(tape, reshape(tape, matrix, [4]), flat)));
    assertEquals(await readSlice(gpu, x.gradient!), [4, 32, 108, 256]);
  },
);

test("detach stops gradients and keeps values", [vector(2, 5)], async (gpu, [x]) => {
  using tape = new Tape(gpu, { record: true });
  const y = square(tape, x);
  const constant = tape.detach(y);
  tape.backward(sum(tape, multiply(tape, y, constant)));
  assertEquals(await readSlice(gpu, x.gradient!), [2 * 2 * 4, 2 * 5 * 25]);
  assertEquals(await readSlice(gpu, constant.data), [4, 25]);
});

test(
  "frozen parameters get no gradient and do not stop others",
  [vector(2, 5), frozen(vector(7, 8))],
  async (gpu, [x, y]) => {
    using tape = new Tape(gpu, { record: true });
    const product = multiply(tape, x, exp(tape, scale(tape, y, 0)));
    assertEquals(product.requiresGradient, true);
    assertEquals(scale(tape, y, 2).requiresGradient, false);
    tape.backward(sum(tape, product));
    assertEquals(await readSlice(gpu, x.gradient!), [1, 1]);
    assertEquals(y.gradient, null);
  },
);

test(
  "a root without parameters upstream changes nothing",
  [frozen(vector(1)), vector(4)],
  async (gpu, [x, y]) => {
    using tape = new Tape(gpu, { record: true });
    tape.backward(sum(tape, square(tape, x)));
    assertEquals(await readSlice(gpu, y.gradient!), [0]);
  },
);

test("kept tensors hold their values after backward", [vector(1, 2, 3)], async (gpu, [x]) => {
  using tape = new Tape(gpu, { record: true });
  const kept = tape.keep(square(tape, x));
  tape.backward(sum(tape, square(tape, kept)));
  gpu.flush();
  // Would land in the kept tensor's memory, had backward given it back.
  for (let i = 0; i < 20; i++) tape.constant(new Float32Array(3).fill(-1), [3], "junk");
  assertEquals(await readSlice(gpu, kept.data), [1, 4, 9]);
});

test("backward gives activations back before dispose", [vector(1, 2, 3)], (gpu, [x]) => {
  using tape = new Tape(gpu, { record: true });
  const before = gpu.pool.inUse;
  const loss = sum(tape, square(tape, square(tape, square(tape, x))));
  assertEquals(gpu.pool.inUse, before + 4);
  const twice = square(tape, loss);
  // The fan-out's partial gradients must not stay either.
  tape.backward(sum(tape, add(tape, add(tape, twice, twice), twice)));
  // What is left is the root's own gradient.
  assertEquals(gpu.pool.inUse, before + 1);
});

test("without record nothing requires a gradient", [vector(1, 2)], async (gpu, [x]) => {
  using tape = new Tape(gpu, { record: false });
  const loss = sum(tape, square(tape, x));
  assertEquals(loss.requiresGradient, false);
  tape.backward(loss);
  assertEquals(await readSlice(gpu, x.gradient!), [0, 0]);
});

test("layernorm's mean and rstd stay correct when memory is reused", [
  { shape: [3, 4] },
  { shape: [4] },
  { shape: [4] },
], async (gpu, [x, weight, bias]) => {
  using tape = new Tape(gpu, { record: true });
  const first = layernorm(tape, x, { weight, bias }, 1e-5);
  const difference = subtract(tape, first, layernorm(tape, x, { weight, bias }, 1e-5));
  tape.backward(sum(tape, multiply(tape, difference, first)));
  // The difference is zero, so only its own gradient (first) and -first flow: they cancel.
  for (const value of await readSlice(gpu, weight.gradient!)) assertAlmostEquals(value, 0, 1e-5);
});

test("what is not a scalar cannot be differentiated", [vector(1, 2)], (gpu, [x]) => {
  using tape = new Tape(gpu, { record: true });
  assertThrows(
    () => tape.backward(square(tape, x)),
    RangeError,
    "Cannot differentiate square(input 0) (2): it is not a scalar, sum it first",
  );
});

test(
  "a weight that is not a parameter itself is refused",
  [vector(1, 2), { shape: [2, 2] }],
  (gpu, [x, W]) => {
    using tape = new Tape(gpu, { record: true });
    const Y = linear(tape, reshape(tape, x, [1, 2]), { weight: scale(tape, W, 2), bias: null });
    assertThrows(
      () => tape.backward(sum(tape, Y)),
      TypeError,
      "Cannot differentiate linear: its input 1, scale(input 1) (2,2), depends on parameters but must be one itself",
    );
  },
);

test("an op that fails leaves nothing behind for the next one", [
  { shape: [3, 4] },
  { shape: [4, 8] },
  { shape: [4] },
  { shape: [4] },
], async (gpu, [x, W, weight, bias]) => {
  const gradientOf = async (fails: boolean) => {
    using tape = new Tape(gpu, { record: true });
    // The shapes of product and residual differ, which linear finds after it has taken memory for its backward.
    const broken = () => tape.apply(linearRule, [x, W, null, bias], { gelu: true });
    if (fails) assertThrows(broken, RangeError);
    tape.backward(sum(tape, square(tape, layernorm(tape, x, { weight, bias }, 1e-5))));
    const gradient = await readSlice(gpu, x.gradient!);
    gpu.clear(x.gradient!);
    return gradient;
  };
  assertEquals(await gradientOf(true), await gradientOf(false));
});

test("layernorm with a frozen weight trains its bias", [
  { shape: [3, 4] },
  { shape: [4], isTrainable: false },
  { shape: [4] },
], async (gpu, [x, weight, bias]) => {
  using tape = new Tape(gpu, { record: true });
  tape.backward(sum(tape, layernorm(tape, x, { weight, bias }, 1e-5)));
  assertEquals(await readSlice(gpu, bias.gradient!), [3, 3, 3, 3]);
});

test("a row beyond the matrix is not gathered", [{ shape: [3, 4] }], (gpu, [x]) => {
  using tape = new Tape(gpu, { record: true });
  const gather = () => gatherRows(tape, x, Int32Array.of(0, 3));
  assertThrows(gather, RangeError, "Cannot gather row 3 of input 0: it has 3 rows");
});

test("a target that is no class is refused", [{ shape: [2, 4] }, { shape: [4, 8] }], (gpu, [x, w]) => {
  using tape = new Tape(gpu, { record: false });
  assertThrows(
    () => linearLogprob(tape, x, w, { targets: Uint32Array.of(7, 8), temperature: 1 }),
    RangeError,
    "a target is 8, classes are 0 to 7",
  );
});

test("a row gathered twice is refused", [{ shape: [3, 4] }], (gpu, [x]) => {
  using tape = new Tape(gpu, { record: true });
  const rows = gatherRows(tape, x, Int32Array.of(2, 0, 2));
  assertThrows(() => tape.backward(sum(tape, rows)), RangeError, "row 2 is gathered twice");
});

test(
  "an index beyond an embedding table is refused",
  [{ shape: [3, 4] }, { shape: [2, 4] }],
  (gpu, [x, y]) => {
    using tape = new Tape(gpu, { record: true });
    const attributes = { sources: Int32Array.of(3), positions: Int32Array.of(0), shape: [1] };
    const Y = embed(tape, { tokens: x, positions: y, images: null }, attributes);
    assertThrows(() => tape.backward(sum(tape, Y)), RangeError, "Cannot bucket row 3: the table has 3 rows");
  },
);

test(
  "shapes that do not fit are named",
  [vector(1, 2, 3), vector(1, 2), { shape: [3, 2] }],
  (gpu, [x, y, W]) => {
    using tape = new Tape(gpu, { record: true });
    assertThrows(
      () => add(tape, x, y),
      RangeError,
      "Cannot add input 0 (3) and input 1 (2): shapes must match",
    );
    assertThrows(() => reshape(tape, x, [2, 2]), RangeError, "Cannot reshape input 0 (3) to (2,2)");
    assertThrows(
      () => linear(tape, reshape(tape, y, [1, 2]), { weight: W, bias: null }),
      RangeError,
      "Cannot multiply input 1 (1,2) by input 2 (3,2): inner dimension must match, got 2 and 3",
    );
    assertThrows(
      () => tape.constant(new Float32Array(3), [2, 2], "c"),
      RangeError,
      "Cannot make c: shape (2,2)",
    );
  },
);
