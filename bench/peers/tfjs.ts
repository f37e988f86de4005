/**
 * TensorFlow.js on its WebGPU backend as a peer. Ops run at once. Reading one element of the last result waits for all of them.
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

interface Tensor {
  readonly shape: number[];
  add(other: Tensor | number): Tensor;
  sub(other: Tensor): Tensor;
  mul(other: Tensor | number): Tensor;
  div(other: Tensor | number): Tensor;
  sqrt(): Tensor;
  square(): Tensor;
  mean(axis: number, keepDims: boolean): Tensor;
  sum(axis: number): Tensor;
  transpose(axes: number[]): Tensor;
  flatten(): Tensor;
  slice(begin: number[], size: number[]): Tensor;
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  getBackend(): string;
  tidy<T>(f: () => T): T;
  tensor(data: Float32Array | Int32Array, shape: number[], dtype?: string): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  softmax(x: Tensor, axis?: number): Tensor;
  logSoftmax(x: Tensor, axis?: number): Tensor;
  oneHot(x: Tensor, depth: number): Tensor;
  grads(f: (...args: Tensor[]) => Tensor): (args: Tensor[], dY: Tensor) => Tensor[];
}

/** Loads TensorFlow.js and puts it on WebGPU. It needs the union package, since the core alone has no gradients. */
export async function openTfjs(): Promise<Peer> {
  const module = (await loadPeerModules("tfjs-webgpu"))[0] as Tfjs & { readonly default?: Tfjs };
  const tf = module.default ?? module;
  if (!(await tf.setBackend("webgpu")) || tf.getBackend() !== "webgpu") {
    throw new Error("Cannot use tfjs-webgpu: its WebGPU backend did not start");
  }
  return {
    name: "tfjs-webgpu",
    version: versionOf(peerSpecifiers["tfjs-webgpu"][1]),
    prepare: (work, inputs) => task(tf, build(tf, work, inputs)),
  };
}

interface Built {
  readonly f: () => Tensor[];
  readonly operands: readonly Tensor[];
  readonly collect: (outputs: Float32Array[]) => Record<string, Float32Array>;
}

function task(tf: Tfjs, { f, operands, collect }: Built): PeerTask {
  const call = () => tf.tidy(f);
  const waitFor = async (tensor: Tensor) => {
    const element = tf.tidy(() => tensor.flatten().slice([0], [1]));
    await element.data();
    element.dispose();
  };
  const idle = tf.tensor(new Float32Array(4), [4]);
  return {
    async run(count) {
      let last: Tensor[] = [];
      for (let index = 0; index < count; index++) {
        for (const tensor of last) tensor.dispose();
        last = call();
      }
      await waitFor(last[0]);
      for (const tensor of last) tensor.dispose();
    },
    async waitMs() {
      const startMs = performance.now();
      await waitFor(idle);
      return performance.now() - startMs;
    },
    async result() {
      const outputs = call();
      const arrays = await Promise.all(outputs.map((tensor) => tensor.data()));
      for (const tensor of outputs) tensor.dispose();
      return collect(arrays);
    },
    dispose() {
      for (const tensor of [...operands, idle]) tensor.dispose();
    },
  };
}

function build(tf: Tfjs, work: PeerWork, inputs: Readonly<Record<string, CaseArray>>): Built {
  const floats = (values: CaseArray, shape: number[]) => tf.tensor(values as Float32Array, shape);
  switch (work.op) {
    case "matmul": {
      const { M, N, K, transposeA = false, transposeB = false } = work;
      const A = floats(inputs.A, transposeA ? [K, M] : [M, K]);
      const B = floats(inputs.B, transposeB ? [N, K] : [K, N]);
      return {
        f: () => [tf.matMul(A, B, transposeA, transposeB)],
        operands: [A, B],
        collect: ([C]) => ({ C }),
      };
    }
    case "attention":
    case "attention with gradients": {
      const { B, T, H, D } = work;
      const parts = splitQkv(inputs.QKV, work, true).map((part) => floats(part, [B, H, T, D]));
      const hidden = Float32Array.from({ length: T * T }, (_, i) => i % T > Math.floor(i / T) ? -1e9 : 0);
      const mask = floats(hidden, [1, 1, T, T]);
      const attend = (q: Tensor, k: Tensor, v: Tensor) =>
        tf.matMul(tf.softmax(tf.matMul(q, k, false, true).mul(1 / Math.sqrt(D)).add(mask)), v);
      if (work.op === "attention") {
        return {
          f: () => [attend(parts[0], parts[1], parts[2]).transpose([0, 2, 1, 3])],
          operands: [...parts, mask],
          collect: ([Y]) => ({ Y }),
        };
      }
      const [dY] = splitQkv(padToQkv(inputs.dY, work), work, true);
      const dOutput = floats(dY, [B, H, T, D]);
      const gradients = tf.grads(attend);
      return {
        f: () => gradients(parts, dOutput),
        operands: [...parts, mask, dOutput],
        collect: (arrays) => ({ dQKV: joinQkv(arrays, work, true) }),
      };
    }
    case "linear logprob": {
      const { N, C, V } = work;
      const X = floats(inputs.X, [N, C]);
      const W = floats(inputs.W, [C, V]);
      const targets = tf.tensor(Int32Array.from(inputs.targets), [N], "int32");
      return {
        f: () => [tf.logSoftmax(tf.matMul(X, W)).mul(tf.oneHot(targets, V)).sum(-1)],
        operands: [X, W, targets],
        collect: ([logprob]) => ({ logprob }),
      };
    }
    case "log-softmax": {
      const X = floats(inputs.X, [work.N, work.V]);
      return { f: () => [tf.logSoftmax(X)], operands: [X], collect: ([Y]) => ({ Y }) };
    }
    case "layernorm": {
      const { R, C, epsilon } = work;
      const X = floats(inputs.X, [R, C]);
      const [weight, bias] = [floats(inputs.weight, [C]), floats(inputs.bias, [C])];
      return {
        f: () => {
          const centred = X.sub(X.mean(-1, true));
          const deviation = centred.square().mean(-1, true).add(epsilon).sqrt();
          return [centred.div(deviation).mul(weight).add(bias)];
        },
        operands: [X, weight, bias],
        collect: ([Y]) => ({ Y }),
      };
    }
    case "adamw": {
      const [rate, beta1, beta2, epsilon, correction1, correction2] = inputs.settings;
      const names = ["parameters", "gradients", "m", "v"];
      const [p, g, m, v] = names.map((name) => floats(inputs[name], [work.words]));
      return {
        f: () => {
          const m1 = m.mul(beta1).add(g.mul(1 - beta1));
          const v1 = v.mul(beta2).add(g.square().mul(1 - beta2));
          const step = m1.div(correction1).div(v1.div(correction2).sqrt().add(epsilon));
          return [p.sub(step.mul(rate)), m1, v1];
        },
        operands: [p, g, m, v],
        collect: ([parameters, m1, v1]) => ({ parameters, m: m1, v: v1 }),
      };
    }
  }
}

/** Puts (B,T,HD) in the place of q in packed rows, so that one function reorders both. */
function padToQkv(values: CaseArray, { B, T, H, D }: { B: number; T: number; H: number; D: number }) {
  const packed = new Float32Array(B * T * 3 * H * D);
  for (let row = 0; row < B * T; row++) {
    packed.set((values as Float32Array).subarray(row * H * D, (row + 1) * H * D), row * 3 * H * D);
  }
  return packed;
}
