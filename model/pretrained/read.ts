/**
 * A pretrained model from its `config.json` and its weights.
 *
 * @module
 */
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { adapterEntries, type AdapterEntry, type LoraConfig, readLoraConfig, transpose } from "../lora.ts";
import { quoteName } from "../quote.ts";
import { Vlm } from "../vlm.ts";
import type { Weights } from "../weights.ts";
import { type PretrainedConfig, readPretrainedConfig } from "./config.ts";
import { isDerived, pretrainedEntries, type PretrainedEntry, toOurs } from "./names.ts";

/** A pretrained model on a GPU. */
export interface Pretrained extends PretrainedConfig {
  /** The model, its value head newly drawn. */
  readonly vlm: Vlm;
  /** `config.json` as it was read. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the folder's weights are kept in, such as `BF16`. */
  readonly dtype: string;
}

/** What a pretrained model gets beside its weights. */
export interface PretrainedOptions {
  /** Seed of what no folder has: the value head, and new adapters. 0 by default. */
  readonly seed?: number;
  /** New adapters, which change nothing before they are trained. */
  readonly lora?: LoraConfig;
  /** A trained PEFT adapter: its parsed `adapter_config.json`, and its weights. */
  readonly adapter?: { readonly config: unknown; readonly weights: Weights };
}

/**
 * Makes the model that a `config.json` describes, with these weights. F16 and BF16 become f32; buffers of whole numbers are
 * passed over by name. The value head, which no folder has, is drawn from the seed.
 *
 * @throws {RangeError} when the architecture is not known, or tensors are missing, unknown or of another shape: it names them.
 */
export async function readPretrained(
  gpu: Gpu,
  config: unknown,
  weights: Weights,
  { seed = 0, lora, adapter }: PretrainedOptions = {},
): Promise<Pretrained> {
  const { model, ...known } = readPretrainedConfig(config);
  const adapted = adapter === undefined
    ? lora
    : readLoraConfig(adapter.config, adapter.weights.tensors.keys());
  const read = { ...known, model: adapted === undefined ? model : { ...model, lora: adapted } };
  const entries = pretrainedEntries(read.format, read.model);
  requireTensors(weights, entries);
  const vlm = new Vlm(gpu, read.model, { keepsFeatures: true });
  vlm.parameters.initialize(seed, ({ part, kind }) => part === "value_head" || kind === "adapter");
  let pending = 0;
  for (const entry of entries) {
    const data: Float32Array[] = [];
    for (const { name } of entry.theirs) data.push((await weights.read(name)).data);
    const values = entry.how === "copy" && data.length === 1 ? data[0] : toOurs(entry, data);
    requireFiniteValues(entry.theirs[0].name, values);
    vlm.parameters.write(entry.ours, values);
    // The driver holds a copy of what is written until it is submitted and done.
    pending += values.byteLength;
    if (pending < MOST_PENDING) continue;
    await gpu.settle();
    pending = 0;
  }
  if (adapter !== undefined) {
    const own = adapterEntries(read.model, read.format);
    requireOfText(adapter.weights, own);
    requireTensors(
      adapter.weights,
      own.map(({ ours, ...theirs }) => ({ ours, theirs: [theirs], how: "copy" })),
    );
    for (const { ours, name, shape } of own) {
      const { data } = await adapter.weights.read(name);
      requireFiniteValues(name, data);
      vlm.parameters.write(ours, transpose(data, shape));
    }
  }
  const dtype = weights.tensors.get(entries[0].theirs[0].name)!.dtype;
  return { ...read, vlm, config: config as Record<string, unknown>, dtype };
}

/** Bytes of weights that are on their way to the GPU at most. */
const MOST_PENDING = 2 ** 26;

function requireFiniteValues(name: string, values: Float32Array): void {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * 0; // NaN and infinity times 0 are NaN, and NaN stays
  if (sum === 0) return;
  throw new RangeError(
    `Cannot load ${quoteName(name)}: it has values that are NaN or infinite, use other weights`,
  );
}

/** In SmolVLM and nanoVLM the vision encoder has layers of the same names, which PEFT takes too. */
function requireOfText(weights: Weights, own: readonly AdapterEntry[]): void {
  const known = new Set(own.map(({ name }) => name));
  const others = [...weights.tensors.keys()].filter((name) => FACTOR.test(name) && !known.has(name));
  if (others.length === 0) return;
  const layers = [...new Set(others.map((name) => name.replace(PEFT_ROOT, "").replace(FACTOR, "")))];
  const mine = own[0].name.replace(PEFT_ROOT, "").replace(/\d+\..*$/, "");
  throw new RangeError(
    `Cannot use this adapter: it adapts ${
      listed(layers)
    }; only linear layers in ${mine}* can have adapters here, ` +
      "train it with target_modules of these alone",
  );
}

const PEFT_ROOT = /^base_model\.model\./;
/** How the name of an adapter's matrix ends. */
const FACTOR = /\.lora_[AB]\.weight$/;

/** At most so many names in a message. */
const MOST_NAMES = 5;

/**
 * Requires weights to be the tensors of these entries, with their shapes, and no others.
 *
 * @throws {RangeError} naming those that are missing, unknown or of another shape.
 */
export function requireTensors(
  weights: Pick<Weights, "tensors">,
  entries: readonly Pick<PretrainedEntry, "theirs">[],
): void {
  const expected = new Map(entries.flatMap(({ theirs }) => theirs.map(({ name, shape }) => [name, shape])));
  const missing = [...expected.keys()].filter((name) => !weights.tensors.has(name));
  const extra = [...weights.tensors.keys()].filter((name) => !expected.has(name) && !isDerived(name));
  const complaints = [
    missing.length > 0 ? `the folder lacks ${listed(missing)}` : "",
    extra.length > 0 ? `its config.json has no place for ${listed(extra)}` : "",
  ].filter((complaint) => complaint !== "");
  if (complaints.length > 0) {
    throw new RangeError(
      `Cannot load the weights: ${complaints.join("; ")}; use the config.json and weights of one model`,
    );
  }
  for (const [name, shape] of expected) {
    const found = weights.tensors.get(name)!.shape;
    if (found.join() === shape.join()) continue;
    throw new RangeError(
      `Cannot load tensor ${name}: the folder has it as (${found.join(",")}), its config.json says (${
        shape.join(",")
      }), use the config.json and weights of one model`,
    );
  }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map(quoteName).join(", ");
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}
