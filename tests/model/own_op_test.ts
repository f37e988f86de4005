/** Ops defined as a user would, outside the table: what the tape asks of them, and that plans take them. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { unary } from "../../kernels/elementwise/mod.ts";
import { gatherRows as launchGather } from "../../kernels/embedding/mod.ts";
import { subslice } from "../../kernels/gpu/mod.ts";
import {
  asMatrix,
  defineOp,
  multiply,
  type OpRule,
  sizeOf,
  sum,
  Tape,
  type Tensor,
} from "../../model/mod.ts";
import { checkGradients } from "../../model/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { leaves, readSlice, releaseLeaves } from "./finite_differences.ts";

/** X (R,C) -> Y (R,C) with Y[r] = X[order[r]], `order` being a permutation. */
const permute = defineOp({
  name: "permute",
  arity: 1,
  forward(tape: Tape, [X]: readonly [X: Tensor], { order }: { readonly order: Int32Array }) {
    const { rows, columns: C } = asMatrix(X);
    const Y = tape.output(X.shape, "permuted");
    launchGather(tape.gpu, { X: X.data, index: tape.indices(order, "order"), Y: Y.data }, { rows, C });
    return [Y];
  },
  // Y[r] = X[order[r]]:  dX[order[r]] = dY[r]
  backward(tape, { inputs: [X], attributes: { order } }, [dY]) {
    const { rows, columns: C } = asMatrix(X);
    const inverse = tape.derived(order, "inverse order", (order) => {
      const inverse = new Int32Array(order.length);
      order.forEach((from, to) => inverse[from] = to);
      return inverse;
    });
    const dX = tape.gradientOf(X);
    launchGather(tape.gpu, { X: dY, index: inverse, Y: dX }, { rows, C });
    return [dX];
  },
});

const double = defineOp({
  name: "double",
  arity: 1,
  forward(tape: Tape, [X]: readonly [X: Tensor]) {
    const Y = tape.output(X.shape, "double");
    unary(tape.gpu, { X: X.data, Y: Y.data }, { op: "scale", a: 2, n: sizeOf(X.shape) });
    return [Y];
  },
  backward(tape, { inputs: [X] }, [dY]) {
    const dX = tape.gradientOf(X);
    unary(tape.gpu, { X: dY, Y: dX }, { op: "scale", a: 2, n: sizeOf(X.shape) });
    return [dX];
  },
});

Deno.test({
  name: "an op of one's own is differentiated like the table's",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const order = Int32Array.of(2, 0, 3, 1);
    const errors = [
      ...await checkGradients(gpu, permute, { inputs: [{ shape: [4, 3] }] }, { order }),
      ...await checkGradients(gpu, double, { inputs: [{ shape: [5] }] }),
    ];
    assertEquals(errors.map(({ input }) => input), [0, 0]);
    for (const { error } of errors) assert(error < 1e-3, `${error}`);
  },
});

Deno.test({
  name: "a planned step repeats an op of one's own, with what it derives, for the next inputs",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const [data, gradient] = [gpu.allocate(3, "x"), gpu.allocate(3, "dx")];
    const x: Tensor = { label: "x", shape: [3, 1], data, requiresGradient: true, gradient };
    const step = {
      name: "own op",
      owner: {},
      run: ({ order, weights }: { order: Int32Array; weights: Float32Array }) => {
        using tape = new Tape(gpu, { record: true });
        gpu.clear(gradient);
        const [Y] = tape.apply(permute, [x], { order });
        tape.backward(sum(tape, multiply(tape, Y, tape.constant(weights, [3, 1], "weights"))));
        return [gradient];
      },
    };
    const traced = gpu.plans.traced;
    const weights = Float32Array.of(10, 20, 30);
    const gradientFor = async (
      ...order: number[]
    ) => [...(await gpu.plans.run(step, { order: Int32Array.from(order), weights }))[0]];
    assertEquals(await gradientFor(2, 0, 1), [20, 30, 10]);
    assertEquals(await gradientFor(1, 2, 0), [30, 10, 20]);
    assertEquals(gpu.plans.traced, traced + 1);
    gpu.free(data);
    gpu.free(gradient);
  },
});

Deno.test({
  name: "an op's mistakes are named: operands, gradients of another size, and missing ones",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const [x] = leaves(gpu, [{ shape: [4] }]) as [Tensor];
    {
      using tape = new Tape(gpu, { record: true });
      const untyped = double as unknown as OpRule<readonly Tensor[], readonly Tensor[], unknown>;
      assertThrows(
        () => tape.apply(untyped, [x, x]),
        TypeError,
        "Cannot apply double: it takes 1 operands, got 2",
      );
      const short = defineOp({
        ...double,
        name: "short",
        backward: (tape, { inputs: [X] }) => [subslice(tape.gradientOf(X), 0, 2)],
      });
      assertThrows(
        () => tape.backward(sum(tape, tape.apply(short, [x])[0])),
        RangeError,
        "Cannot differentiate short: the gradient of input 0 (4) has 2 words, take memory from tape.gradientOf",
      );
    }
    for (const [gradients, count] of [[[], "0"], [undefined, "no"]] as const) {
      using tape = new Tape(gpu, { record: true });
      const none = { ...double, name: "none", backward: () => gradients } as unknown as typeof double;
      assertThrows(
        () => tape.backward(sum(tape, tape.apply(none, [x])[0])),
        TypeError,
        `Cannot differentiate none: backward returned ${count} gradients, expected one for each of 1 operands`,
      );
    }
    assertEquals((await readSlice(gpu, x.data)).length, 4);
    releaseLeaves(gpu, [x]);
  },
});

Deno.test("what does not fit an op's arity does not compile", () => {
  const apply = (tape: Tape, x: Tensor) => {
    // @ts-expect-error two operands for an op of one
    tape.apply(double, [x, x]);
    // @ts-expect-error an operand that may be absent
    tape.apply(double, [null]);
    // @ts-expect-error no attributes
    tape.apply(permute, [x]);
    // @ts-expect-error another arity than the operands that forward declares
    defineOp({ ...double, arity: 2 });
    // @ts-expect-error two gradients for one operand
    defineOp({ ...double, backward: (tape, { inputs: [X] }) => [tape.gradientOf(X), null] });
    // @ts-expect-error no backward
    defineOp({ name: "half", arity: double.arity, forward: double.forward });
  };
  assertEquals(typeof apply, "function");
});
