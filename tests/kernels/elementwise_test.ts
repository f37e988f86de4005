import { assertEquals, assertThrows } from "@std/assert";
import { cases } from "../../kernels/elementwise/cases.ts";
import {
  addInPlace,
  applyChain,
  binary,
  binaryBackward,
  type BinaryOp,
  buildChain,
  type Chain,
  unary,
  unaryBackward,
  type UnaryOp,
} from "../../kernels/elementwise/mod.ts";
import { onGpu, testGpu } from "../gpu.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);

Deno.test({
  name: "elementwise launches leave the words behind n as they were",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const X = gpu.upload(new Float32Array(8).fill(2), "X");
    const copied = gpu.upload(new Float32Array(8).fill(9), "copied");
    const added = gpu.upload(new Float32Array(8).fill(9), "added");
    const summed = gpu.upload(new Float32Array(8).fill(9), "summed");
    unary(gpu, { X, Y: copied }, { op: "copy", n: 5 });
    addInPlace(gpu, { Y: added, X }, { n: 6 });
    binary(gpu, { A: X, B: X, Y: summed }, { op: "add", n: 3 });
    const got = await gpu.read(copied, added, summed);
    for (const slice of [X, copied, added, summed]) gpu.release(slice);
    assertEquals(got.map((values) => [...values]), [
      [2, 2, 2, 2, 2, 9, 9, 9],
      [11, 11, 11, 11, 11, 11, 9, 9],
      [4, 4, 4, 9, 9, 9, 9, 9],
    ]);
  },
});

Deno.test({
  name: "elementwise launches name the operand that is too short",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const X = { ...gpu.placeholder, label: "X" };
    assertThrows(() => unary(gpu, { X, Y: X }, { op: "exp", n: 5 }), RangeError, "X has 4 words, it needs 5");
  },
});

Deno.test({
  name: "an op that there is not is refused with those there are, forward and backward",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const X = gpu.placeholder;
    const one = { op: "tanh" as UnaryOp, n: 4 };
    const two = { op: "divide" as BinaryOp, n: 4 };
    const unaryOps = "exp, log, negate, square, gelu, relu, scale, shift, clamp, copy";
    const binaryOps = "add, subtract, multiply, minimum, maximum";
    const refusals: [() => void, string][] = [
      [
        () => unary(gpu, { X, Y: X }, one),
        `Cannot apply "tanh": there is no such op, use one of ${unaryOps}`,
      ],
      [() => unaryBackward(gpu, { X, dY: X, dX: X }, one), unaryOps],
      [() => binary(gpu, { A: X, B: X, Y: X }, two), `Cannot apply "divide": there is no such op`],
      [() => binaryBackward(gpu, { A: X, B: X, dY: X, dA: X }, two), binaryOps],
    ];
    for (const [launch, message] of refusals) assertThrows(launch, RangeError, message);
  },
});

Deno.test({
  name: "a chain is refused with a wrong number of inputs, a short one, too many, and an input for a result",
  ...onGpu,
  fn: async () => {
    const gpu = await testGpu();
    const X = { ...gpu.placeholder, label: "X" };
    const sum = buildChain(2, (x, y) => [x.add(y)]);
    const apply = (chain: Chain, count: number, n: number) => () =>
      applyChain(gpu, chain, { X: new Array(count).fill(X), Y: [X] }, { n });
    assertThrows(apply(sum, 1, 4), RangeError, "Cannot apply a chain of add: it has 2 inputs, got 1");
    assertThrows(apply(sum, 2, 5), RangeError, "X has 4 words, it needs 5");
    const most = gpu.device.limits.maxStorageBuffersPerShaderStage;
    if (most < 1000) {
      const wide = buildChain(most, (x, ...more) => [more.reduce((total, y) => total.add(y), x)]);
      assertThrows(apply(wide, most, 4), RangeError, `of which the device allows ${most}, split it`);
    }
    assertThrows(() => buildChain(1, (x) => [x]), RangeError, "whose result is one of its inputs");
  },
});
