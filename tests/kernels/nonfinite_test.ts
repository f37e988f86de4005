/**
 * What kernels make of NaN and infinity: NaN and +infinity come out as NaN wherever they matter, a logit or score of
 * -infinity is one of probability 0. Never is a value that is not finite turned into an ordinary number.
 */
import { assert, assertEquals } from "@std/assert";
import { attention, attentionDecode } from "../../kernels/attention/mod.ts";
import { attentionDecodeReference, attentionReference } from "../../kernels/attention/reference.ts";
import { caseValues } from "../../kernels/case.ts";
import {
  applyChain,
  binary,
  type BinaryOp,
  binaryOps,
  buildChain,
  unary,
  type UnaryOp,
  unaryOps,
} from "../../kernels/elementwise/mod.ts";
import type { Gpu, Slice } from "../../kernels/gpu/mod.ts";
import { logSoftmax } from "../../kernels/log_softmax/mod.ts";
import { logSoftmaxReference } from "../../kernels/log_softmax/reference.ts";
import { sampleTokens } from "../../kernels/sampling/mod.ts";
import {
  linearLogprob,
  linearLogprobBackward,
  linearLogprobPartialsWords,
  linearLogprobScratchWords,
} from "../../kernels/softmax_logprob/mod.ts";
import {
  linearLogprobBackwardReference,
  linearLogprobReference,
} from "../../kernels/softmax_logprob/reference.ts";
import { gpuTest } from "../gpu.ts";

type Arrays = Readonly<Record<string, Float32Array | Uint32Array>>;

/** Uploads, launches, and reads the named outputs. */
async function outcome(
  gpu: Gpu,
  inputs: Arrays,
  outputs: Readonly<Record<string, number>>,
  launch: (slices: Record<string, Slice>) => void,
): Promise<Record<string, Float32Array>> {
  const slices: Record<string, Slice> = {};
  for (const [name, data] of Object.entries(inputs)) slices[name] = gpu.upload(data, name);
  for (const [name, words] of Object.entries(outputs)) {
    slices[name] ??= gpu.upload(new Float32Array(words).fill(12345.678), name);
  }
  launch(slices);
  const names = Object.keys(outputs);
  const arrays = await gpu.read(...names.map((name) => slices[name]));
  for (const slice of Object.values(slices)) gpu.release(slice);
  return Object.fromEntries(names.map((name, i) => [name, arrays[i]]));
}

/** NaN where NaN is wanted, the same infinity where one is, else within the tolerance. */
function assertSame(label: string, got: ArrayLike<number>, want: ArrayLike<number>, tolerance = 1e-5): void {
  for (let i = 0; i < want.length; i++) {
    const isSame = Number.isFinite(want[i])
      ? Math.abs(got[i] - want[i]) <= tolerance * (1 + Math.abs(want[i]))
      : Object.is(got[i], want[i]);
    assert(isSame, `${label}[${i}] is ${got[i]}, want ${want[i]}`);
  }
}

/** Rows of V logits: sound, with one NaN, with +infinity, with -infinities in front and behind, and all of them. */
function poisonedRows(V: number): { rows: Float32Array; isVoid: boolean[] } {
  const rows = caseValues(9 * V, 1, 4);
  rows[V + (V >> 1)] = NaN;
  rows[2 * V] = NaN;
  rows[4 * V - 1] = NaN;
  rows[4 * V + (V >> 1)] = Infinity;
  for (let v = 0; v < V; v++) if (v % 5 !== 3) rows[5 * V + v] = -Infinity;
  rows.fill(-Infinity, 6 * V, 6 * V + V - 1);
  rows.fill(NaN, 7 * V, 8 * V);
  return { rows, isVoid: [false, true, true, true, true, false, false, true, false] };
}

gpuTest("log-softmax: NaN and +infinity make their row NaN, -infinity is probability 0", async (gpu) => {
  for (
    const [V, variants] of [[133, ["naive", "workgroup"]], [260, ["naive", "texture", "workgroup"]]] as const
  ) {
    const { rows, isVoid } = poisonedRows(V);
    const want = logSoftmaxReference({ X: rows }, { N: 9, V, temperature: 0.5 }).Y;
    for (const variant of variants) {
      const { Y } = await outcome(
        gpu,
        { X: rows },
        { Y: rows.length },
        ({ X, Y }) => logSoftmax(gpu, { X, Y }, { N: 9, V, temperature: 0.5, variant }),
      );
      for (let n = 0; n < 9; n++) {
        const row = Y.subarray(n * V, (n + 1) * V);
        if (isVoid[n]) assert(row.every(Number.isNaN), `${variant}: row ${n} of V ${V} is NaN`);
        else assertSame(`${variant} row ${n}`, row, want.subarray(n * V, (n + 1) * V));
      }
    }
  }
});

gpuTest(
  "sampling: a NaN or +infinity shows in log-probability and entropy, -infinity is never drawn",
  async (gpu) => {
    for (const V of [7, 95, 1500]) {
      const { rows, isVoid } = poisonedRows(V);
      for (const greedy of [false, true]) {
        const B = 9;
        const { tokens, logprobs, entropies } = await outcome(
          gpu,
          {
            logits: rows,
            random: Uint32Array.from({ length: 2 * B }, (_, i) => 77 * i),
            done: new Uint32Array(B),
            current: new Uint32Array(B),
            position: new Uint32Array(B),
          },
          { tokens: B, logprobs: B, entropies: B },
          (operands) => {
            const settings = { B, V, step: 0, maxSteps: 1, temperature: 1, greedy, endId: V, padId: 0 };
            sampleTokens(gpu, operands as unknown as Parameters<typeof sampleTokens>[1], settings);
          },
        );
        const ids = new Uint32Array(tokens.buffer, tokens.byteOffset, B);
        for (let b = 0; b < B; b++) {
          assertEquals(
            [Number.isNaN(logprobs[b]), Number.isNaN(entropies[b])],
            [isVoid[b], isVoid[b]],
            `row ${b} of V ${V}`,
          );
          assert(ids[b] < V);
          if (!isVoid[b]) {
            assert(
              Number.isFinite(rows[b * V + ids[b]]),
              `row ${b} drew a token of probability 0`,
            );
          }
        }
      }
    }
  },
);

/** A head whose logits' rows are sound but for the poison in one column of W. */
function head({ N, C, V }: { N: number; C: number; V: number }, column: number, poison: number) {
  const X = caseValues(N * C, 1, 2).map(Math.abs), W = caseValues(C * V, 2, 0.5);
  W[column] = poison;
  return { X, W, targets: Uint32Array.from({ length: N }, (_, n) => n % 5) };
}

const HEADS = [
  { N: 11, C: 4, V: 100, temperature: 0.5 },
  { N: 40, C: 8, V: 1412, temperature: 1 },
  { N: 9, C: 3, V: 97, temperature: 1 },
] as const;
const headVariants = ({ C, V }: { C: number; V: number }) =>
  C % 4 + V % 4 === 0 ? ["naive", "texture", "tiled"] : ["naive"];

gpuTest(
  "fused head: one bad column makes every result NaN, one of -infinity has probability 0",
  async (gpu) => {
    for (const shape of HEADS) {
      const { N, V } = shape;
      for (const column of [0, 50, V - 1]) {
        for (const poison of [NaN, Infinity, -Infinity]) {
          const inputs = head(shape, column, poison);
          const want = linearLogprobReference(inputs, shape);
          for (const variant of headVariants(shape)) {
            const got = await outcome(
              gpu,
              { ...inputs, partials: new Float32Array(linearLogprobPartialsWords(shape)) },
              { logprob: N, lse: N, entropy: N },
              (slices) =>
                linearLogprob(gpu, slices as unknown as Parameters<typeof linearLogprob>[1], {
                  ...shape,
                  variant,
                }),
            );
            for (const [name, values] of Object.entries(got)) {
              const label = `${variant} ${name} with column ${column} of ${V} ${poison}`;
              if (poison === -Infinity) assertSame(label, values, want[name as keyof typeof want]);
              else assert(values.every(Number.isNaN), `${label} is ${values[0]}`);
            }
          }
        }
      }
    }
  },
);

gpuTest(
  "fused head backward: NaN of the forward stays NaN, a column of -infinity gets no gradient",
  async (gpu) => {
    for (const shape of HEADS) {
      const { N, C, V } = shape;
      const column = 50;
      for (const poison of [NaN, -Infinity]) {
        const inputs = head(shape, column, poison);
        const sound = head(shape, column, -1e4);
        const { lse, entropy } = linearLogprobReference(inputs, shape);
        const gradients = { dLogprob: caseValues(N, 3), dEntropy: caseValues(N, 4) };
        const want = linearLogprobBackwardReference({ ...sound, ...gradients }, shape);
        for (const variant of headVariants(shape)) {
          const got = await outcome(
            gpu,
            {
              ...inputs,
              lse: Float32Array.from(lse),
              entropy: Float32Array.from(entropy),
              ...gradients,
              scratch: new Float32Array(linearLogprobScratchWords(shape)),
              dW: new Float32Array(C * V),
            },
            { dX: N * C, dW: C * V },
            (slices) =>
              linearLogprobBackward(gpu, slices as unknown as Parameters<typeof linearLogprobBackward>[1], {
                ...shape,
                variant,
              }),
          );
          if (poison !== -Infinity) {
            for (const [name, values] of Object.entries(got)) {
              assert(values.every(Number.isNaN), `${variant} ${name} of V ${V} is NaN`);
            }
          } else {
            // dX = dLogits W^T has 0 times -infinity, NaN: dW alone says that the column's gradient is 0.
            assertSame(`${variant} dW`, got.dW, want.dW, 1e-4);
          }
        }
      }
    }
  },
);

gpuTest("attention: a NaN or +infinite score makes its query NaN and no other", async (gpu) => {
  for (
    const [H, D, variants] of [[2, 8, ["naive", "texture", "tiled", "blocked"]], [3, 7, ["naive"]]] as const
  ) {
    const T = 21, C = H * D;
    for (const poison of [NaN, Infinity]) {
      const QKV = caseValues(T * 3 * C, 1, 1).map(Math.abs);
      // q of token 9, head 1: its own row of scores and no other.
      QKV[9 * 3 * C + D] = poison;
      const operands = { QKV, prefix: Uint32Array.of(0), length: Uint32Array.of(T) };
      const want = attentionReference(operands, { B: 1, T, H, D });
      for (const variant of variants) {
        const { Y, lse } = await outcome(
          gpu,
          operands,
          { Y: T * C, lse: H * T },
          (slices) =>
            attention(gpu, slices as unknown as Parameters<typeof attention>[1], { B: 1, T, H, D, variant }),
        );
        const [wantY, wantLse] = [want.Y.slice(), want.lse.slice()];
        wantY.fill(NaN, 9 * C + D, 9 * C + 2 * D);
        wantLse[T + 9] = NaN;
        assertSame(`${variant} Y`, Y, wantY);
        assertSame(`${variant} lse`, lse, wantLse);
      }
    }
  }
});

gpuTest("attention: a key whose score is -infinity gets no weight, even at the front", async (gpu) => {
  const [T, H, D] = [40, 1, 8];
  const QKV = caseValues(T * 3 * D, 1, 1).map(Math.abs);
  const sound = QKV.slice();
  for (const t of [0, 1, 2, 3, 17]) {
    QKV[t * 3 * D + D] = -Infinity;
    sound[t * 3 * D + D] = -1e4;
  }
  const masks = { prefix: Uint32Array.of(T), length: Uint32Array.of(T) };
  const want = attentionReference({ QKV: sound, ...masks }, { B: 1, T, H, D });
  for (const variant of ["naive", "texture", "tiled", "blocked"]) {
    const got = await outcome(
      gpu,
      { QKV, ...masks },
      { Y: T * D, lse: T },
      (slices) =>
        attention(gpu, slices as unknown as Parameters<typeof attention>[1], { B: 1, T, H, D, variant }),
    );
    assertSame(`${variant} Y`, got.Y, want.Y);
    assertSame(`${variant} lse`, got.lse, want.lse);
  }
});

gpuTest("attention's decoding: NaN in the new token or in the cache makes the head NaN", async (gpu) => {
  for (const [D, variants] of [[8, ["naive", "vec4", "tiled"]], [7, ["naive"]]] as const) {
    const H = 2, capacity = 70, C = H * D;
    for (const end of [0, 1, 66]) {
      for (const poison of [NaN, Infinity]) {
        for (const place of end === 0 ? ["q"] : ["q", "cache"]) {
          const QKV = caseValues(3 * C, 1, 1).map(Math.abs);
          const cache = caseValues(capacity * 2 * C, 2, 1).map(Math.abs);
          // Of head 1; in the cache the key just before the new token.
          if (place === "q") QKV[D] = poison;
          else cache[(end - 1) * 2 * C + D] = poison;
          const operands = { QKV, position: Uint32Array.of(end) };
          const want = attentionDecodeReference({ ...operands, cache }, { B: 1, H, D, capacity });
          for (const variant of variants) {
            const { Y } = await outcome(
              gpu,
              { ...operands, cache },
              { Y: C },
              (slices) =>
                attentionDecode(gpu, slices as unknown as Parameters<typeof attentionDecode>[1], {
                  B: 1,
                  H,
                  D,
                  capacity,
                  variant,
                }),
            );
            const label = `${variant} at ${end} with ${poison} in ${place}`;
            assert(Y.subarray(D).every(Number.isNaN), `${label}: ${Y.subarray(D)}`);
            assertSame(label, Y.subarray(0, D), want.Y.subarray(0, D));
          }
        }
      }
    }
  }
});

gpuTest("elementwise: NaN of any operand comes out of every op, alone and in a chain", async (gpu) => {
  const n = 9;
  const X = Float32Array.from({ length: n }, (_, i) => i % 2 === 0 ? NaN : 0.75);
  const ones = new Float32Array(n).fill(1);
  const isNaNAt = (values: Float32Array) => [...values].map(Number.isNaN);
  const want = isNaNAt(X);
  for (const op of unaryOps) {
    const { Y } = await outcome(
      gpu,
      { X },
      { Y: n },
      ({ X, Y }) => unary(gpu, { X, Y }, { op: op as UnaryOp, n, a: 0.5, b: 2 }),
    );
    assertEquals(isNaNAt(Y), want, op);
    const chain = buildChain(1, (x) => [op === "exp" ? x.exp() : op === "relu" ? x.relu() : x.clamp(0.5, 2)]);
    const { Z } = await outcome(
      gpu,
      { X },
      { Z: n },
      ({ X, Z }) => applyChain(gpu, chain, { X: [X], Y: [Z] }, { n }),
    );
    assertEquals(isNaNAt(Z), want, `chain of ${op}`);
  }
  for (const op of binaryOps) {
    for (const [A, B] of [[X, ones], [ones, X], [X, X]]) {
      const { Y } = await outcome(
        gpu,
        { A, B },
        { Y: n },
        ({ A, B, Y }) => binary(gpu, { A, B, Y }, { op: op as BinaryOp, n }),
      );
      assertEquals(isNaNAt(Y), want, op);
    }
  }
  const clipped = buildChain(2, (x, y) => [x.minimum(y), x.maximum(y), y.minimum(x), y.maximum(x)]);
  const got = await outcome(
    gpu,
    { X, ones },
    { a: n, b: n, c: n, d: n },
    ({ X, ones, a, b, c, d }) => applyChain(gpu, clipped, { X: [X, ones], Y: [a, b, c, d] }, { n }),
  );
  for (const values of Object.values(got)) assertEquals(isNaNAt(values), want);
});
