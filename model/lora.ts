/**
 * Low-rank adapters of `llama` blocks (LoRA), with PEFT's names and meaning: y = W x + scaling B A x, while W is frozen.
 *
 * Sources: arXiv:2106.09685; `lora/layer.py` of https://github.com/huggingface/peft
 *
 * @module
 */
import type { BlockSizes } from "./block.ts";
import type { HostTensor } from "./checkpoint.ts";
import type { VlmConfig } from "./config.ts";
import { type LoraPattern, ofPattern, readLoraPattern } from "./lora_patterns.ts";
import type { PretrainedFormat } from "./pretrained/config.ts";
import { linearStd, type Parameters, type ParameterSpec, specOf } from "./parameters.ts";
import { quote } from "./quote.ts";
import { addColumns, linear, type Tape, type Tensor } from "./tape/mod.ts";

/** Which linear layers have adapters, and how large they are. */
export interface LoraConfig {
  /** Rank of every adapter that `rankPattern` does not name, `r` in PEFT. */
  readonly rank: number;
  /** Adapters are multiplied by alpha / rank. */
  readonly alpha: number;
  /** Are they multiplied by alpha / sqrt(rank) instead? False when absent. */
  readonly rslora?: boolean;
  /** Names of linear layers as PEFT has them: `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`, `up_proj`, `down_proj`. */
  readonly targets: readonly string[];
  /** Other ranks by layer, as PEFT has them. */
  readonly rankPattern?: LoraPattern;
  /** Other alphas by layer. */
  readonly alphaPattern?: LoraPattern;
}

/** The place of a linear layer in one of ours, which packs several. */
interface Place {
  readonly layer: string;
  readonly rows: number;
  readonly column: number;
  readonly columns: number;
}

/** All linear layers of a block, by PEFT's names. */
function placesOf({ width: C, heads: H, keyValueHeads: K = H, headSize, inner: I = 4 * C }: BlockSizes) {
  const D = headSize ?? C / H;
  const [Q, E] = [H * D, K * D];
  const places: Record<string, Place> = {
    q_proj: { layer: "attention.qkv", rows: C, column: 0, columns: Q },
    k_proj: { layer: "attention.qkv", rows: C, column: Q, columns: E },
    v_proj: { layer: "attention.qkv", rows: C, column: Q + E, columns: E },
    o_proj: { layer: "attention.out", rows: Q, column: 0, columns: C },
    gate_proj: { layer: "mlp.gate_up", rows: C, column: 0, columns: I },
    up_proj: { layer: "mlp.gate_up", rows: C, column: I, columns: I },
    down_proj: { layer: "mlp.down", rows: I, column: 0, columns: C },
  };
  return places;
}

/** Rank and factor of an adapter of the block of that name, `language.blocks.0`. */
function adapterOf(lora: LoraConfig, block: string, target: string): { rank: number; scaling: number } {
  const layer = Number(block.split(".").at(-1));
  const paths = Object.values(ADAPTER_PATHS).map((pathOf) => pathOf(layer, target));
  const rank = ofPattern(lora.rankPattern, paths, lora.rank);
  const alpha = ofPattern(lora.alphaPattern, paths, lora.alpha);
  return { rank, scaling: alpha / (lora.rslora ? Math.sqrt(rank) : rank) };
}

/**
 * Parameters of a block's adapters: A (in,r), drawn, and B (r,out), zero.
 *
 * @throws {RangeError} when a target is no linear layer.
 */
export function adapterSpecs(name: string, sizes: BlockSizes): ParameterSpec[] {
  const { lora } = sizes;
  if (lora === undefined) return [];
  const places = placesOf(sizes);
  return lora.targets.flatMap((target) => {
    const place = Object.hasOwn(places, target) ? places[target] : undefined;
    if (place === undefined) {
      throw new RangeError(
        `Cannot adapt ${quote(target)}: linear layers are ${Object.keys(places).join(", ")}`,
      );
    }
    const { rank } = adapterOf(lora, name, target);
    return [
      specOf(`${name}.lora.${target}.A`, "adapter", [place.rows, rank], linearStd(place.rows)),
      specOf(`${name}.lora.${target}.B`, "adapter", [rank, place.columns]),
    ];
  });
}

/** Adds to a layer's Y what its adapters make of X. Y itself is changed, since nothing reads it as it was. */
export function addAdapters(
  tape: Tape,
  parameters: Parameters,
  { name, layer, sizes }: { name: string; layer: string; sizes: BlockSizes },
  X: Tensor,
  Y: Tensor,
): Tensor {
  const { lora } = sizes;
  if (lora === undefined) return Y;
  const places = placesOf(sizes);
  for (const target of lora.targets) {
    if (places[target].layer !== layer) continue;
    const factor = (which: string) => ({
      weight: parameters.get(`${name}.lora.${target}.${which}`),
      bias: null,
    });
    const Z = linear(tape, linear(tape, X, factor("A")), factor("B"));
    const { scaling } = adapterOf(lora, name, target);
    Y = addColumns(tape, Y, Z, { column: places[target].column, scale: scaling, inPlace: true });
  }
  return Y;
}

/** Settings of PEFT that change the model, and that our adapters do not have. */
const UNKNOWN = [
  ...[
    "use_dora",
    "use_qalora",
    "fan_in_fan_out",
    "lora_bias",
    "modules_to_save",
  ],
  ...[
    "layers_to_transform",
    "layers_pattern",
    "exclude_modules",
    "target_parameters",
    "trainable_token_indices",
  ],
  ...["layer_replication", "alora_invocation_tokens"],
];

/** Does a setting of PEFT say anything? Null, false and empty values do not; 0 may be a layer. */
function saysSomething(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return value === 0 || Boolean(value);
}

/** More than any layer is wide. */
const MOST_RANK = 2 ** 16;

/**
 * The settings in a PEFT `adapter_config.json`, parsed.
 *
 * @param tensors Names of the adapter's tensors. A pattern in `target_modules` is not matched: the tensors say what it meant.
 * @throws {RangeError} when it is no LoRA, or one that our model cannot be.
 */
export function readLoraConfig(config: unknown, tensors?: Iterable<string>): LoraConfig {
  const { peft_type, r, lora_alpha, use_rslora = false, target_modules, bias = "none", ...rest } =
    (typeof config === "object" ? config ?? {} : {}) as Record<string, unknown>;
  const { rank_pattern, alpha_pattern } = rest;
  const refuse = (state: string) => new RangeError(`Cannot use this adapter: ${state}`);
  if (peft_type !== "LORA") throw refuse(`its peft_type is ${quote(peft_type)}, only LORA is known`);
  const isRank = (rank: unknown) =>
    Number.isInteger(rank) && (rank as number) >= 1 && (rank as number) <= MOST_RANK;
  if (!isRank(r)) {
    throw refuse(`r must be a whole number from 1 to ${MOST_RANK}, got ${quote(r)}`);
  }
  // JSON's 1e999 is infinite.
  if (typeof lora_alpha !== "number" || !Number.isFinite(lora_alpha)) {
    throw refuse(`lora_alpha must be a finite number, got ${quote(lora_alpha)}`);
  }
  if (bias !== "none") throw refuse(`bias is ${quote(bias)}, only none is known`);
  for (const name of UNKNOWN) {
    if (saysSomething(rest[name])) throw refuse(`it has ${name} (${quote(rest[name])}), which is not known`);
  }
  const isList = Array.isArray(target_modules) && target_modules.every((name) => typeof name === "string");
  const isPattern = typeof target_modules === "string" && tensors !== undefined;
  if (!isList && !isPattern) {
    throw refuse(`target_modules must be a list of names, got ${quote(target_modules)}`);
  }
  const names = isPattern ? [...new Set(Array.from(tensors, moduleOf))] : target_modules as string[];
  // PEFT takes the end of a path for a name; `out_proj` is what nanoVLM calls it.
  const targets = names.map((name) => name.split(".").at(-1)!).map((name) =>
    name === "out_proj" ? "o_proj" : name
  );
  const rankPattern = readLoraPattern("rank_pattern", rank_pattern, isRank);
  const alphaPattern = readLoraPattern("alpha_pattern", alpha_pattern, Number.isFinite);
  return {
    rank: r as number,
    alpha: lora_alpha,
    rslora: use_rslora === true,
    targets: [...new Set(targets)],
    ...rankPattern && { rankPattern },
    ...alphaPattern && { alphaPattern },
  };
}

/** Name of the linear layer that a PEFT tensor belongs to, such as `q_proj`. */
const moduleOf = (tensor: string): string => tensor.replace(/\.lora_[AB]\.weight$/, "").split(".").at(-1)!;

/** A tensor of a PEFT adapter, and our parameter, which is its transpose. */
export interface AdapterEntry {
  /** Our parameter's name. */
  readonly ours: string;
  /** As PEFT has it. */
  readonly name: string;
  /** Extents there. */
  readonly shape: readonly [number, number];
}

/** Where PEFT has the linear layer of a block, in each format. */
const ADAPTER_PATHS: Readonly<Record<PretrainedFormat, (layer: number, target: string) => string>> = {
  idefics3: (layer, target) =>
    `model.text_model.layers.${layer}.${isOfMlp(target) ? "mlp" : "self_attn"}.${target}`,
  nanovlm: (layer, target) =>
    `decoder.blocks.${layer}.${isOfMlp(target) ? "mlp" : "attn"}.${
      target === "o_proj" ? "out_proj" : target
    }`,
};

const isOfMlp = (target: string): boolean => /^(gate|up|down)/.test(target);

/** All tensors of the adapter of a model, by PEFT's names. */
export function adapterEntries(config: VlmConfig, format: PretrainedFormat = "idefics3"): AdapterEntry[] {
  const { lora, width, heads, keyValueHeads, headSize, innerWidth, layers } = config;
  const sizes = { width, heads, keyValueHeads, headSize, inner: innerWidth, layers, lora };
  return Array.from(
    { length: layers },
    (_, layer) =>
      adapterSpecs(`language.blocks.${layer}`, sizes).map(({ name, shape }): AdapterEntry => {
        const [target, which] = name.split(".").slice(-2);
        const path = `base_model.model.${ADAPTER_PATHS[format](layer, target)}`;
        return { ours: name, name: `${path}.lora_${which}.weight`, shape: [shape[1], shape[0]] };
      }),
  ).flat();
}

/** (rows, columns) -> (columns, rows): between PEFT's adapter tensors and ours. */
export function transpose(data: Float32Array, [rows, columns]: readonly [number, number]): Float32Array {
  return Float32Array.from(data, (_, i) => data[i % rows * columns + Math.floor(i / rows)]);
}

/** The adapter as PEFT keeps it, from values by our names. */
export function toAdapter(
  config: VlmConfig,
  ours: ReadonlyMap<string, { readonly data: Float32Array }>,
  format: PretrainedFormat = "idefics3",
): Map<string, HostTensor> {
  return new Map(
    adapterEntries(config, format).map(({ ours: own, name, shape }) => [
      name,
      { shape: [...shape], data: transpose(ours.get(own)!.data, [shape[1], shape[0]]) },
    ]),
  );
}

/** Values by our names with the adapters added to the weights that they adapt; the adapters themselves stay. */
export function mergeAdapters<Tensor extends { readonly data: Float32Array }>(
  config: VlmConfig,
  values: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> {
  const merged = new Map(values);
  const { lora, width, heads, keyValueHeads, headSize, innerWidth, layers } = config;
  if (lora === undefined) return merged;
  const places = placesOf({ width, heads, keyValueHeads, headSize, inner: innerWidth, layers });
  for (let block = 0; block < layers; block++) {
    for (const target of lora.targets) {
      const { layer, rows, column, columns } = places[target];
      const blockName = `language.blocks.${block}`;
      const name = `${blockName}.${layer}.weight`;
      const factor = (which: string) => values.get(`${blockName}.lora.${target}.${which}`)!.data;
      const { rank, scaling } = adapterOf(lora, blockName, target);
      const [A, B] = [factor("A"), factor("B")];
      const weight = merged.get(name)!;
      const data = Float32Array.from(weight.data);
      const stride = data.length / rows;
      for (let i = 0; i < rows; i++) {
        for (let o = 0; o < columns; o++) {
          let sum = 0;
          for (let r = 0; r < rank; r++) sum += A[i * rank + r] * B[r * columns + o];
          data[i * stride + column + o] += scaling * sum;
        }
      }
      merged.set(name, { ...weight, data });
    }
  }
  return merged;
}
