/**
 * An op made of two launches, its gradient, and how a wrong gradient is found.
 *
 *     ./ponder run docs/tour/an_op.ts
 *
 * @module
 */
import { assert } from "@std/assert";
import { binary, rowBroadcast, rowSum, unary } from "@ponder/ponder/kernels";
import {
  asMatrix,
  checkGradients,
  defineOp,
  openGpu,
  type Slice,
  type Tape,
  type Tensor,
} from "@ponder/ponder/model";

/** Y = X less the mean of its row; X, Y (R,C). */
function launchCenter(
  tape: Tape,
  X: Slice,
  Y: Slice,
  { rows: R, columns: C }: { rows: number; columns: number },
) {
  const { gpu } = tape;
  // No launch may read and write the same memory.
  const [sums, means] = [tape.scratch(R, "center.sums"), tape.scratch(R, "center.means")];
  const spread = tape.scratch(R * C, "center.spread");
  rowSum(gpu, { X, Y: sums }, { R, C });
  unary(gpu, { X: sums, Y: means }, { op: "scale", a: 1 / C, n: R });
  rowBroadcast(gpu, { X: means, Y: spread }, { R, C });
  binary(gpu, { A: X, B: spread, Y }, { op: "subtract", n: R * C });
}

const center = defineOp({
  name: "center",
  arity: 1,
  forward(tape: Tape, [X]: readonly [X: Tensor]) {
    const Y = tape.output(X.shape, "center");
    launchCenter(tape, X.data, Y.data, asMatrix(X));
    return [Y];
  },
  // Y[r,c] = X[r,c] - mean_c X[r,c]:  dX[r,c] = dY[r,c] - mean_c dY[r,c]
  backward(tape, { inputs: [X] }, [dY]) {
    const dX = tape.gradientOf(X);
    launchCenter(tape, dY, dX, asMatrix(X));
    return [dX];
  },
});

/** The same with a mistake that is easily made: X also acts through the mean. */
const careless = defineOp({
  ...center,
  backward(tape, { inputs: [X] }, [dY]) {
    const dX = tape.gradientOf(X);
    tape.gpu.copy(dY, dX);
    return [dX];
  },
});

const gpu = await openGpu();
for (const [name, rule, isRight] of [["center", center, true], ["careless", careless, false]] as const) {
  const [{ error, got, want }] = await checkGradients(gpu, rule, { inputs: [{ shape: [4, 9] }] });
  console.log(
    `${name.padEnd(9)} error ${error.toExponential(1)}: ${got.toFixed(4)} by the rule, ${
      want.toFixed(4)
    } by differences`,
  );
  assert(error < 1e-3 === isRight);
}
gpu.destroy();
