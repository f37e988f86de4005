/**
 * The updates of warm start and PPO, written for jax-js: the same model, losses, clips and AdamW, in one jitted function. It gets
 * ready-made patches and one-hot rows, which our step computes itself. From our weights it must arrive at our loss.
 *
 * @module
 */
import type { Contender } from "../../kernels/measure.ts";
import { deriveSizes, type Parameter, type Vlm, type VlmConfig } from "../../model/mod.ts";
import type { TrainConfig } from "../../rl/config.ts";
import type { PolicyPart } from "../../rl/objective.ts";
import type { Demonstration } from "../../rl/demonstrations.ts";
import type { Peer } from "./common.ts";
import { type Jax, type JaxArray, jaxTask } from "./jax.ts";

/** Is a peer jax-js, with its module at hand? */
export function isJaxPeer(peer: Peer): peer is Peer & { readonly jax: Jax } {
  return peer.name === "jax-js" && "jax" in peer;
}

/** Tolerance of the loss: the two sum millions of terms in different orders. */
const LOSS_TOLERANCE = 1e-3;

/** Reads parameters by name inside a traced function. */
type Read = (name: string) => JaxArray;

/** What a PPO minibatch has beside its sequences, and the settings of its losses. */
export interface JaxPpo {
  readonly batch: Required<Pick<PolicyPart, "weights" | "logPi" | "advantages" | "returns" | "values">>;
  readonly settings: Pick<
    TrainConfig,
    "temperature" | "clip" | "valueClip" | "ratioGuard" | "valueCoefficient"
  >;
}

/** An update to write for jax-js. */
export interface JaxStepSpec {
  readonly vlm: Vlm;
  /** Sequences of one length. */
  readonly batch: readonly Demonstration[];
  /** Weight of the warm start's value loss. */
  readonly valueCoefficient: number;
  /** PPO's losses; the warm start's when absent. */
  readonly ppo?: JaxPpo;
  /** Which parameters the update trains. */
  readonly trains: (parameter: Parameter) => boolean;
  /** The loss that our step computes from the same weights. */
  readonly wantLoss: number;
}

/**
 * Builds the step from the model's present weights.
 *
 * @throws {RangeError} when its loss differs from ours.
 */
export async function jaxStep(
  jax: Jax,
  { vlm, batch, ppo, valueCoefficient, trains, wantLoss }: JaxStepSpec,
): Promise<{ contender: Contender; error: number }> {
  const { config } = vlm;
  const { numpy: np } = jax;
  const host = await vlm.parameters.toHost();
  const names = [...host.keys()];
  const trained = names.flatMap((name, index) =>
    trains(vlm.parameters.list.find((parameter) => parameter.name === name)!) ? [index] : []
  );
  const weights = names.map((name) => np.array(host.get(name)!.data).reshape(host.get(name)!.shape));
  const zeros = () =>
    trained.map((index) => {
      const { data, shape } = host.get(names[index])!;
      return np.array(data.map(() => 0)).reshape(shape);
    });
  const data = hostData(config, batch);
  const classes = config.vocabularySize;
  const constants = [
    np.array(data.patches),
    np.array(oneHot(data.ids, classes)).reshape([data.ids.length, classes]),
    np.array(oneHot(data.targets, classes)).reshape([data.targets.length, classes]),
    np.array(data.bias).reshape([1, 1, data.T, data.T]),
    np.array(data.returns),
    ...(ppo === undefined ? [] : [
      np.array(ppo.batch.weights).reshape([data.B, data.R]),
      ...[ppo.batch.logPi, ppo.batch.advantages, ppo.batch.values].map((values) => np.array(values)),
    ]),
    np.array(Float32Array.of(0)), // learning rate: as an operand it cannot be folded away
  ];
  const [count, moments] = [names.length, trained.length];

  const loss = (...args: JaxArray[]) => {
    const read: Read = (name) => args[names.indexOf(name)].ref;
    const inputs = args.slice(count);
    const outputs = forward(
      jax,
      read,
      config,
      { ...data, temperature: ppo?.settings.temperature ?? 1, detachesValue: ppo !== undefined },
      inputs,
    );
    return ppo === undefined
      ? sftLoss(jax, data, outputs, inputs[4], valueCoefficient)
      : ppoLoss(jax, data, outputs, inputs.slice(4), ppo.settings);
  };
  const differentiate = jax.valueAndGrad(loss, { argnums: trained });
  const step = jax.jit((...args: JaxArray[]) => {
    const parameters = args.slice(0, count);
    const m = args.slice(count, count + moments);
    const v = args.slice(count + moments, count + 2 * moments);
    const rate = args[args.length - 1];
    const inputs = args.slice(count + 2 * moments, -1);
    const [value, gradients] = differentiate(...parameters.map(({ ref }) => ref), ...inputs);
    const clipped = clipByGroup(jax, trained.map((index) => names[index]), gradients);
    const updated = clipped.map((g, index) => {
      const m1 = m[index].mul(0.9).add(g.ref.mul(0.1));
      const v1 = v[index].mul(0.98).add(np.square(g).mul(0.02));
      const change = m1.ref.div(0.1).div(np.sqrt(v1.ref.div(0.02)).add(1e-8));
      return [parameters[trained[index]].sub(change.mul(rate.ref)), m1, v1];
    });
    return [value, ...[0, 1, 2].flatMap((part) => updated.map((row) => row[part]))];
  });
  const task = jaxTask(
    jax,
    step,
    [...weights, ...zeros(), ...zeros(), ...constants],
    ([value]) => ({ value }),
  );
  const { value: [gotLoss] } = await task.result();
  const error = Math.abs(gotLoss - wantLoss) / (1 + Math.abs(wantLoss));
  if (!(error <= LOSS_TOLERANCE)) {
    task.dispose();
    throw new RangeError(`its loss is ${gotLoss}, ours ${wantLoss}`);
  }
  return { contender: task, error };
}

interface HostData {
  readonly B: number;
  readonly T: number;
  readonly R: number;
  /** Positions before the response. */
  readonly prefix: number;
  /** Text positions, prompt and response. */
  readonly textTokens: number;
  readonly patches: Float32Array;
  readonly ids: Int32Array;
  readonly targets: Int32Array;
  /** (T,T): 0 if a query sees a key, else a large negative number. */
  readonly bias: Float32Array;
  readonly returns: Float32Array;
}

/** Makes the arrays of a batch whose sequences all have the same length. */
function hostData(config: VlmConfig, batch: readonly Demonstration[]): HostData {
  const { imageTokens } = deriveSizes(config);
  const texts = batch.map(({ prompt, response }) => {
    const ids = prompt.flatMap((part) => part.kind === "text" ? part.ids : []);
    return { ids: [...ids, ...response], response };
  });
  const textTokens = texts[0].ids.length;
  const T = imageTokens + textTokens;
  const R = texts[0].response.length;
  const prefix = T - R;
  return {
    B: batch.length,
    T,
    R,
    prefix,
    textTokens,
    patches: patchesOf(config, batch),
    ids: Int32Array.from(texts.flatMap(({ ids }) => ids)),
    targets: Int32Array.from(texts.flatMap(({ response }) => response)),
    bias: Float32Array.from({ length: T * T }, (_, i) => {
      const [query, key] = [Math.floor(i / T), i % T];
      return key <= query || key < prefix ? 0 : -1e9;
    }),
    returns: Float32Array.from(batch, ({ discountedReturn }) => discountedReturn),
  };
}

/** Makes rows of zeros with a single one. On jax-js products with them have gradients; gathering has none. */
function oneHot(ids: Int32Array, classes: number): Float32Array {
  const rows = new Float32Array(ids.length * classes);
  ids.forEach((id, row) => rows[row * classes + id] = 1);
  return rows;
}

/** Makes normalised patches: rows in the order (image, y, x), each with the order (py, px, channel). */
function patchesOf(
  { imageSize: S, patchSize, imageNormalization }: VlmConfig,
  batch: readonly Demonstration[],
): Float32Array {
  const patches = new Float32Array(batch.length * S * S * 3);
  const grid = S / patchSize;
  batch.forEach(({ prompt }, b) => {
    const image = prompt.find((part) => part.kind === "image");
    if (image === undefined) throw new RangeError("Cannot make patches: a prompt has no image");
    const scaled = Float64Array.from(image.picture.pixels, (byte) => byte / 255);
    const channels = [0, 1, 2].map((c) => {
      if (imageNormalization === "fixed") return { mean: 0.5, scale: 0.5 };
      const values = scaled.filter((_, i) => i % 3 === c);
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
      return { mean, scale: Math.sqrt(variance) + 0.05 };
    });
    for (let y = 0; y < S; y++) {
      for (let x = 0; x < S; x++) {
        const patch = Math.floor(y / patchSize) * grid + Math.floor(x / patchSize);
        const inside = (y % patchSize) * patchSize + x % patchSize;
        for (let c = 0; c < 3; c++) {
          const to = ((b * grid * grid + patch) * patchSize * patchSize + inside) * 3 + c;
          patches[to] = (scaled[(y * S + x) * 3 + c] - channels[c].mean) / channels[c].scale;
        }
      }
    }
  });
  return patches;
}

/** The outputs of the model for a batch. */
interface Outputs {
  /** (B R) log-probability of each token of the responses. */
  readonly logprobs: JaxArray;
  /** (B) values of the prompts. */
  readonly values: JaxArray;
}

/** The model, from patches and one-hot rows to log-probabilities and values. */
function forward(
  jax: Jax,
  read: Read,
  config: VlmConfig,
  { B, T, R, prefix, textTokens, temperature, detachesValue }: HostData & {
    temperature: number;
    detachesValue: boolean;
  },
  [patches, ids, targets, bias]: readonly JaxArray[],
): Outputs {
  const { numpy: np, nn, lax } = jax;
  const { patches: count, gridSide, imageTokens } = deriveSizes(config);
  const { mergeFactor: merge, visionWidth, width: C, normEpsilon } = config;
  const linear = (x: JaxArray, name: string) =>
    np.matmul(x, read(`${name}.weight`)).add(read(`${name}.bias`));
  const norm = (x: JaxArray, name: string) => {
    const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
    const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
    return centred.div(np.sqrt(variance.add(normEpsilon))).mul(read(`${name}.weight`)).add(
      read(`${name}.bias`),
    );
  };
  const mlp = (x: JaxArray, up: string, down: string) =>
    linear(nn.gelu(linear(x, up), { approximate: true }), down);
  const block = (x: JaxArray, name: string, length: number, heads: number, mask: JaxArray | undefined) => {
    const columns = x.shape[1];
    const parts = np.split(linear(norm(x.ref, `${name}.norm_1`), `${name}.attention.qkv`), 3, -1);
    const [q, k, v] = parts.map((part) => part.reshape([B, length, heads, columns / heads]));
    const mixed = nn.dotProductAttention(q, k, v, mask === undefined ? {} : { bias: mask.ref });
    x = x.add(linear(mixed.reshape([B * length, columns]), `${name}.attention.out`));
    return x.ref.add(mlp(norm(x, `${name}.norm_2`), `${name}.mlp.up`, `${name}.mlp.down`));
  };

  // image tokens
  let x = linear(patches.reshape([B * count, config.patchSize ** 2 * 3]), "vision.patch_embedding");
  x = x.reshape([B, count, visionWidth]).add(read("vision.position_embedding.weight"));
  x = x.reshape([B * count, visionWidth]);
  for (let layer = 0; layer < config.visionLayers; layer++) {
    x = block(x, `vision.blocks.${layer}`, count, config.visionHeads, undefined);
  }
  x = norm(x, "vision.norm");
  const side = gridSide / merge;
  x = x.reshape([B, side, merge, side, merge, visionWidth]).transpose([0, 1, 3, 2, 4, 5]);
  x = mlp(x.reshape([B * imageTokens, merge * merge * visionWidth]), "projector.up", "projector.down");

  // language model over image and text
  const tokens = np.matmul(ids, read("language.token_embedding.weight"));
  x = np.concatenate([x.reshape([B, imageTokens, C]), tokens.reshape([B, textTokens, C])], 1);
  x = x.add(read("language.position_embedding.weight").slice([0, T])).reshape([B * T, C]);
  for (let layer = 0; layer < config.layers; layer++) {
    x = block(x, `language.blocks.${layer}`, T, config.heads, bias);
  }
  const hidden = norm(x, "language.norm").reshape([B, T, C]);

  // the response's log-probability, and the value of the prompt
  const predicting = hidden.ref.slice([], [prefix - 1, T - 1]).reshape([B * R, C]);
  const logits = np.matmul(predicting, read("language.head.weight")).div(temperature);
  const logprobs = np.sum(nn.logSoftmax(logits, -1).mul(targets), -1);
  // Only in the warm start does the value's gradient reach the model.
  const last = hidden.slice([], prefix - 1);
  const features = detachesValue ? lax.stopGradient(last) : last;
  const values = mlp(features, "value_head.up", "value_head.down").reshape([B]);
  return { logprobs, values };
}

/** The losses of `rl/sft.ts`: mean -log p of the response, and half the mean squared error of the value, weighted. */
function sftLoss(
  { numpy: np }: Jax,
  { B, R }: HostData,
  { logprobs, values }: Outputs,
  returns: JaxArray,
  valueCoefficient: number,
): JaxArray {
  return np.sum(logprobs).mul(-1 / (B * R)).add(
    np.sum(np.square(values.sub(returns))).mul(0.5 * valueCoefficient / B),
  );
}

/** The losses of PPO, as `rl/objective.ts` has them. */
function ppoLoss(
  { numpy: np }: Jax,
  { B, R }: HostData,
  { logprobs, values }: Outputs,
  [returns, weights, logPi, advantages, oldValues]: readonly JaxArray[],
  { clip, valueClip, ratioGuard, valueCoefficient }: JaxPpo["settings"],
): JaxArray {
  const clamp = (x: JaxArray, low: number, high: number) => np.minimum(np.maximum(x, low), high);
  const logRatio = np.sum(logprobs.reshape([B, R]).mul(weights), -1).sub(logPi);
  const ratio = clamp(np.exp(clamp(logRatio, -20, 20)), 0, ratioGuard);
  const clippedRatio = clamp(ratio.ref, 1 - clip, 1 + clip);
  const surrogate = np.minimum(ratio.mul(advantages.ref), clippedRatio.mul(advantages));
  const errors = () => {
    if (valueClip === 0) return np.square(values.sub(returns));
    const change = clamp(values.ref.sub(oldValues.ref), -valueClip, valueClip);
    const plain = np.square(values.sub(returns.ref));
    return np.maximum(plain, np.square(change.add(oldValues).sub(returns)));
  };
  const valueLoss = np.sum(errors()).mul(0.5 / B);
  return np.sum(surrogate).mul(-1 / B).add(valueLoss.mul(valueCoefficient));
}

/** Scales the gradients of policy and of value head to norms of at most 1. */
function clipByGroup(
  { numpy: np }: Jax,
  names: readonly string[],
  gradients: readonly JaxArray[],
): JaxArray[] {
  const scaleOf = (isValue: boolean) => {
    const squares = gradients.filter((_, index) => names[index].startsWith("value_head") === isValue)
      .map((gradient) => np.sum(np.square(gradient.ref)));
    return np.maximum(np.sqrt(squares.reduce((sum, square) => sum.add(square))), 1);
  };
  const [policy, value] = [scaleOf(false), scaleOf(true)];
  return gradients.map((gradient, index) =>
    gradient.div((names[index].startsWith("value_head") ? value : policy).ref)
  );
}
