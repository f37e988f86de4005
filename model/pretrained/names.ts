/**
 * Which tensors of a pretrained folder make each of our parameters: one table a format, read in both directions.
 *
 * @module
 */
import type { HostTensor } from "../checkpoint.ts";
import { deriveSizes, type VlmConfig } from "../config.ts";
import { attentionSizes } from "../decode.ts";
import type { PretrainedFormat } from "./config.ts";

/** A tensor of a folder. */
export interface PretrainedTensor {
  /** As the folder has it. */
  readonly name: string;
  /** Extents there. */
  readonly shape: readonly number[];
}

/** One of our parameters, and what makes it. */
export interface PretrainedEntry {
  /** Our parameter's name. */
  readonly ours: string;
  /** The folder's tensors, in order. */
  readonly theirs: readonly PretrainedTensor[];
  /**
   * `copy`: their elements one after another; `columns`: matrices (out,in), transposed and side by side; `patches`: a
   * convolution's weight (out,3,p,p), whose rows become (y, x, channel).
   */
  readonly how: "copy" | "columns" | "patches";
}

/** The names of a format, `#` standing for a layer. */
interface Names {
  readonly vision: string;
  readonly text: string;
  /** Below `vision` or `text` and a layer: our part, and its tensors there. */
  readonly visionQkv: readonly string[];
  readonly visionBlocks: string;
  readonly textBlocks: string;
  readonly parts: Readonly<Record<string, string>>;
}

const NAMES: Readonly<Record<PretrainedFormat, Names>> = {
  idefics3: {
    vision: "model.vision_model",
    text: "model.text_model",
    visionBlocks: "model.vision_model.encoder.layers",
    textBlocks: "model.text_model.layers",
    visionQkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    parts: {
      patches: "model.vision_model.embeddings.patch_embedding",
      positions: "model.vision_model.embeddings.position_embedding.weight",
      visionNorm1: "layer_norm1",
      visionOut: "self_attn.out_proj",
      visionNorm2: "layer_norm2",
      visionNorm: "model.vision_model.post_layernorm",
      projector: "model.connector.modality_projection.proj.weight",
      tokens: "model.text_model.embed_tokens.weight",
      norm1: "input_layernorm",
      attention: "self_attn",
      out: "o_proj",
      norm2: "post_attention_layernorm",
      norm: "model.text_model.norm.weight",
      head: "lm_head.weight",
    },
  },
  nanovlm: {
    vision: "vision_encoder",
    text: "decoder",
    visionBlocks: "vision_encoder.blocks",
    textBlocks: "decoder.blocks",
    visionQkv: ["attn.qkv_proj"],
    parts: {
      patches: "vision_encoder.patch_embedding.conv",
      positions: "vision_encoder.patch_embedding.position_embedding",
      visionNorm1: "ln1",
      visionOut: "attn.out_proj",
      visionNorm2: "ln2",
      visionNorm: "vision_encoder.layer_norm",
      projector: "MP.proj.weight",
      tokens: "decoder.token_embedding.weight",
      norm1: "norm1",
      attention: "attn",
      out: "out_proj",
      norm2: "norm2",
      norm: "decoder.norm.weight",
      head: "decoder.head.weight",
    },
  },
};

/** Whole-number buffers and tables that follow from the config: passed over if a folder has them. */
const DERIVED = /(^|\.)(position_ids|inv_freq|mask|cos|sin)$/;

/** Whether a tensor of a folder holds nothing that a model learns. */
export const isDerived = (name: string): boolean => DERIVED.test(name);

/** All of our parameters that a folder of this format has: all but the value head's. */
export function pretrainedEntries(format: PretrainedFormat, config: VlmConfig): PretrainedEntry[] {
  const { parts, visionBlocks, textBlocks, visionQkv } = NAMES[format];
  const { patches } = deriveSizes(config);
  const { visionWidth: Cv, patchSize: p, width, mergeFactor, vocabularySize: V } = config;
  const { visionInnerWidth: Iv = 4 * Cv, innerWidth: I = 4 * width } = config;
  const { C: Q, E } = attentionSizes(config);
  const entries: PretrainedEntry[] = [];
  const add = (ours: string, how: PretrainedEntry["how"], ...theirs: [string, readonly number[]][]) =>
    entries.push({ ours, how, theirs: theirs.map(([name, shape]) => ({ name, shape })) });
  const addAffine = (ours: string, rows: number, columns: number, names: readonly string[]) => {
    const each = columns / names.length;
    add(
      `${ours}.weight`,
      "columns",
      ...names.map((name): [string, number[]] => [`${name}.weight`, [each, rows]]),
    );
    add(`${ours}.bias`, "copy", ...names.map((name): [string, number[]] => [`${name}.bias`, [each]]));
  };
  const addNorm = (ours: string, name: string) => {
    add(`${ours}.weight`, "copy", [`${name}.weight`, [Cv]]);
    add(`${ours}.bias`, "copy", [`${name}.bias`, [Cv]]);
  };

  add("vision.patch_embedding.weight", "patches", [`${parts.patches}.weight`, [Cv, 3, p, p]]);
  add("vision.patch_embedding.bias", "copy", [`${parts.patches}.bias`, [Cv]]);
  const leading = format === "nanovlm" ? [1] : [];
  add("vision.position_embedding.weight", "copy", [parts.positions, [...leading, patches, Cv]]);
  for (let layer = 0; layer < config.visionLayers; layer++) {
    const [ours, theirs] = [`vision.blocks.${layer}`, `${visionBlocks}.${layer}`];
    addNorm(`${ours}.norm_1`, `${theirs}.${parts.visionNorm1}`);
    addAffine(`${ours}.attention.qkv`, Cv, 3 * Cv, visionQkv.map((name) => `${theirs}.${name}`));
    addAffine(`${ours}.attention.out`, Cv, Cv, [`${theirs}.${parts.visionOut}`]);
    addNorm(`${ours}.norm_2`, `${theirs}.${parts.visionNorm2}`);
    addAffine(`${ours}.mlp.up`, Cv, Iv, [`${theirs}.mlp.fc1`]);
    addAffine(`${ours}.mlp.down`, Iv, Cv, [`${theirs}.mlp.fc2`]);
  }
  addNorm("vision.norm", parts.visionNorm);
  add("projector.weight", "columns", [parts.projector, [width, mergeFactor ** 2 * Cv]]);
  add("language.token_embedding.weight", "copy", [parts.tokens, [V, width]]);
  for (let layer = 0; layer < config.layers; layer++) {
    const [ours, theirs] = [`language.blocks.${layer}`, `${textBlocks}.${layer}`];
    const attention = `${theirs}.${parts.attention}`;
    add(`${ours}.norm_1.weight`, "copy", [`${theirs}.${parts.norm1}.weight`, [width]]);
    add(
      `${ours}.attention.qkv.weight`,
      "columns",
      [`${attention}.q_proj.weight`, [Q, width]],
      [`${attention}.k_proj.weight`, [E, width]],
      [`${attention}.v_proj.weight`, [E, width]],
    );
    add(`${ours}.attention.out.weight`, "columns", [`${attention}.${parts.out}.weight`, [width, Q]]);
    add(`${ours}.norm_2.weight`, "copy", [`${theirs}.${parts.norm2}.weight`, [width]]);
    add(
      `${ours}.mlp.gate_up.weight`,
      "columns",
      [`${theirs}.mlp.gate_proj.weight`, [I, width]],
      [`${theirs}.mlp.up_proj.weight`, [I, width]],
    );
    add(`${ours}.mlp.down.weight`, "columns", [`${theirs}.mlp.down_proj.weight`, [width, I]]);
  }
  add("language.norm.weight", "copy", [parts.norm, [width]]);
  if (config.head !== "tied") add("language.head.weight", "copy", [parts.head, [V, width]]);
  return entries;
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);

/** Our parameter's elements from the folder's tensors. */
export function toOurs({ theirs, how }: PretrainedEntry, data: readonly Float32Array[]): Float32Array {
  const ours = new Float32Array(data.reduce((count, { length }) => count + length, 0));
  eachRun({ theirs, how }, ({ tensor, from, stride, to, count }) => {
    const own = data[tensor];
    for (let i = 0; i < count; i++) ours[to + i] = own[from + i * stride];
  });
  return ours;
}

/** The folder's tensors from our parameter's elements. */
export function toTheirs({ theirs, how }: PretrainedEntry, ours: Float32Array): Map<string, HostTensor> {
  const data = theirs.map(({ shape }) => new Float32Array(sizeOf(shape)));
  eachRun({ theirs, how }, ({ tensor, from, stride, to, count }) => {
    const own = data[tensor];
    for (let i = 0; i < count; i++) own[from + i * stride] = ours[to + i];
  });
  return new Map(theirs.map(({ name, shape }, i) => [name, { shape: [...shape], data: data[i] }]));
}

/** Elements that lie side by side in ours, from `to` on, and `stride` apart in their tensor, from `from` on. */
interface Run {
  readonly tensor: number;
  readonly from: number;
  readonly stride: number;
  readonly to: number;
  readonly count: number;
}

/** Calls with all runs of a parameter's elements. */
function eachRun({ theirs, how }: Pick<PretrainedEntry, "theirs" | "how">, take: (run: Run) => void): void {
  const width = theirs.reduce((sum, { shape: [out] }) => sum + out, 0);
  let column = 0;
  let start = 0;
  theirs.forEach(({ shape }, tensor) => {
    const [out] = shape;
    const count = sizeOf(shape);
    if (how === "copy") take({ tensor, from: 0, stride: 1, to: start, count });
    else {
      const inner = count / out;
      const area = inner / 3;
      // In blocks of rows, so that what is written stays in the cache.
      for (let o = 0; o < out; o += 16) {
        const most = Math.min(16, out - o);
        for (let i = 0; i < inner; i++) {
          const row = how === "patches" ? i % area * 3 + Math.floor(i / area) : i;
          take({ tensor, from: o * inner + i, stride: inner, to: row * width + column + o, count: most });
        }
      }
    }
    column += out;
    start += count;
  });
}

/**
 * The tensors of a folder from values by our names, as {@linkcode Parameters.toHost} gives them; the value head is left out.
 */
export function toPretrained(
  format: PretrainedFormat,
  config: VlmConfig,
  ours: ReadonlyMap<string, { readonly data: Float32Array }>,
): Map<string, HostTensor> {
  return new Map(
    pretrainedEntries(format, config).flatMap((entry) => [...toTheirs(entry, ours.get(entry.ours)!.data)]),
  );
}
