/**
 * jax-js as a peer. Everything is jitted. jax-js never computes an array that is disposed unread. Every result of a measurement is
 * therefore kept until all are ready.
 *
 * @module
 */
import type { CaseArray } from "../../kernels/case.ts";
import {
  joinQkv,
  loadPeerModules,
  type Peer,
  peerSpecifiers,
  type PeerTask,
  type PeerWork,
  splitQkv,
  versionOf,
} from "./common.ts";

/** The parts of an array of jax-js that are used. `ref` takes a reference; operations consume one. */
export interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: number[];
  reshape(shape: number[]): JaxArray;
  transpose(axes?: number[]): JaxArray;
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  slice(...index: (number | [] | [number, number])[]): JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
}

type Function_ = (...args: JaxArray[]) => JaxArray | JaxArray[];

/** The parts of the module that are used. */
export interface Jax {
  init(device: string): Promise<string[]>;
  defaultDevice(device: string): void;
  jit<F extends Function_>(f: F): F;
  grad(
    f: (...args: JaxArray[]) => JaxArray,
    options: { argnums: number[] },
  ): (...args: JaxArray[]) => JaxArray[];
  valueAndGrad(
    f: (...args: JaxArray[]) => JaxArray,
    options: { argnums: number[] },
  ): (...args: JaxArray[]) => [value: JaxArray, gradients: JaxArray[]];
  blockUntilReady(arrays: readonly JaxArray[]): Promise<unknown>;
  readonly numpy: {
    array(data: Float32Array | Int32Array): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    transpose(a: JaxArray): JaxArray;
    sum(a: JaxArray, axis?: number): JaxArray;
    mean(a: JaxArray, axis: number, options: { keepdims: boolean }): JaxArray;
    square(a: JaxArray): JaxArray;
    sqrt(a: JaxArray): JaxArray;
    exp(a: JaxArray): JaxArray;
    maximum(a: JaxArray, b: JaxArray | number): JaxArray;
    minimum(a: JaxArray, b: JaxArray | number): JaxArray;
    split(a: JaxArray, sections: number, axis: number): JaxArray[];
    takeAlongAxis(a: JaxArray, indices: JaxArray, axis: number): JaxArray;
    concatenate(arrays: JaxArray[], axis: number): JaxArray;
  };
  readonly lax: { stopGradient(x: JaxArray): JaxArray };
  readonly nn: {
    dotProductAttention(
      q: JaxArray,
      k: JaxArray,
      v: JaxArray,
      options: { isCausal?: boolean; bias?: JaxArray },
    ): JaxArray;
    gelu(x: JaxArray, options: { approximate: boolean }): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
  };
}

/** Loads jax-js and puts it on WebGPU. Throws `Error` if that is not possible. */
export async function openJax(): Promise<Peer & { readonly jax: Jax }> {
  const jax = (await loadPeerModules("jax-js"))[0] as Jax;
  if (!(await jax.init("webgpu")).includes("webgpu")) {
    throw new Error("Cannot use jax-js: it found no WebGPU device");
  }
  jax.defaultDevice("webgpu");
  return {
    jax,
    name: "jax-js",
    version: versionOf(peerSpecifiers["jax-js"][0]),
    prepare: (work, inputs) => {
      const { f, operands, collect } = build(jax, work, inputs);
      return jaxTask(jax, f, operands, collect);
    },
  };
}

type Collect = (outputs: Float32Array[]) => Record<string, Float32Array>;

/** Makes a contender of a function whose operands stay on the device. */
export function jaxTask(jax: Jax, f: Function_, operands: readonly JaxArray[], collect: Collect): PeerTask {
  const call = () => [f(...operands.map(({ ref }) => ref))].flat();
  let kept: JaxArray[] = [];
  const free = () => {
    for (const array of kept) array.dispose();
    kept = [];
  };
  return {
    async run(count) {
      free();
      for (let index = 0; index < count; index++) kept.push(...call());
      await jax.blockUntilReady(kept);
    },
    async waitMs() {
      const startMs = performance.now();
      await jax.blockUntilReady(kept);
      const elapsedMs = performance.now() - startMs;
      free();
      return elapsedMs;
    },
    async result() {
      return collect(await Promise.all(call().map((array) => array.data())));
    },
    dispose() {
      free();
      for (const operand of operands) operand.dispose();
    },
  };
}

function build(jax: Jax, work: PeerWork, inputs: Readonly<Record<string, CaseArray>>) {
  const { numpy: np, nn } = jax;
  const floats = (values: CaseArray, shape: number[]) => np.array(values as Float32Array).reshape(shape);
  switch (work.op) {
    case "matmul": {
      const { M, N, K, transposeA = false, transposeB = false } = work;
      const turn = (x: JaxArray, flag: boolean) => flag ? np.transpose(x) : x;
      return {
        f: jax.jit((A: JaxArray, B: JaxArray) => np.matmul(turn(A, transposeA), turn(B, transposeB))),
        operands: [
          floats(inputs.A, transposeA ? [K, M] : [M, K]),
          floats(inputs.B, transposeB ? [N, K] : [K, N]),
        ],
        collect: ([C]: Float32Array[]) => ({ C }),
      };
    }
    case "attention":
    case "attention with gradients": {
      const { B, T, H, D } = work;
      const shape = [B, T, H, D];
      const parts = splitQkv(inputs.QKV, work, false).map((part) => floats(part, shape));
      const attend = (q: JaxArray, k: JaxArray, v: JaxArray) =>
        nn.dotProductAttention(q, k, v, { isCausal: true });
      if (work.op === "attention") {
        return { f: jax.jit(attend), operands: parts, collect: ([Y]: Float32Array[]) => ({ Y }) };
      }
      const loss = (q: JaxArray, k: JaxArray, v: JaxArray, dY: JaxArray) => np.sum(attend(q, k, v).mul(dY));
      return {
        f: jax.jit(jax.grad(loss, { argnums: [0, 1, 2] })),
        operands: [...parts, floats(inputs.dY, shape)],
        collect: (gradients: Float32Array[]) => ({ dQKV: joinQkv(gradients, work, false) }),
      };
    }
    case "linear logprob": {
      const { N, C, V } = work;
      // Gathering is the cheaper form: jax-js makes one-hot rows of V classes from V x V words.
      const targets = np.array(Int32Array.from(inputs.targets)).reshape([N, 1]);
      return {
        f: jax.jit((X: JaxArray, W: JaxArray, picked: JaxArray) =>
          np.takeAlongAxis(nn.logSoftmax(np.matmul(X, W), -1), picked, 1).reshape([N])
        ),
        operands: [floats(inputs.X, [N, C]), floats(inputs.W, [C, V]), targets],
        collect: ([logprob]: Float32Array[]) => ({ logprob }),
      };
    }
    case "log-softmax": {
      return {
        f: jax.jit((X: JaxArray) => nn.logSoftmax(X, -1)),
        operands: [floats(inputs.X, [work.N, work.V])],
        collect: ([Y]: Float32Array[]) => ({ Y }),
      };
    }
    case "layernorm": {
      const { R, C, epsilon } = work;
      return {
        f: jax.jit((X: JaxArray, weight: JaxArray, bias: JaxArray) => {
          const centred = X.ref.sub(np.mean(X, -1, { keepdims: true }));
          const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
          return centred.div(np.sqrt(variance.add(epsilon))).mul(weight).add(bias);
        }),
        operands: [floats(inputs.X, [R, C]), floats(inputs.weight, [C]), floats(inputs.bias, [C])],
        collect: ([Y]: Float32Array[]) => ({ Y }),
      };
    }
    case "adamw": {
      const [rate, beta1, beta2, epsilon, correction1, correction2] = inputs.settings;
      return {
        f: jax.jit((p: JaxArray, g: JaxArray, m: JaxArray, v: JaxArray) => {
          const m1 = m.mul(beta1).add(g.ref.mul(1 - beta1));
          const v1 = v.mul(beta2).add(np.square(g).mul(1 - beta2));
          const step = m1.ref.div(correction1).div(np.sqrt(v1.ref.div(correction2)).add(epsilon));
          return [p.sub(step.mul(rate)), m1, v1];
        }),
        operands: ["parameters", "gradients", "m", "v"].map((name) => floats(inputs[name], [work.words])),
        collect: ([parameters, m, v]: Float32Array[]) => ({ parameters, m, v }),
      };
    }
  }
}
