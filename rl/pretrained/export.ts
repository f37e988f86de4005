/**
 * A run's weights in the forms of Hugging Face: a PEFT adapter, or the folder of a whole model.
 *
 * @module
 */
import { type FileContent, readBytes, type StreamedContent } from "../../model/files.ts";
import {
  encodeSafetensors,
  type HostTensor,
  type LoraConfig,
  mergeAdapters,
  pretrainedEntries,
  safetensorsPieces,
  type TensorToWrite,
  tensorToWrite,
  toAdapter,
  type Tokenizer,
  toOurs,
  toPretrained,
  type VlmConfig,
  type Weights,
} from "../../model/mod.ts";
import { isFloatDtype } from "../../model/floats.ts";
import { openWeights } from "../../model/weights_folder.ts";
import { UsageError } from "../cli/mod.ts";
import { type BaseModel, modelFilesIn } from "./base.ts";
import { ownForm, requireOwnForm } from "./own_form.ts";

/** Tensors by our names. */
export type Ours = ReadonlyMap<string, HostTensor>;

/** The files of a folder, by name. */
export type Files = Readonly<Record<string, StreamedContent>>;

/** What a run trained. */
export interface Trained {
  /** What messages call the run. */
  readonly run: string;
  /** Its model. */
  readonly config: VlmConfig;
  /** The tensors that its checkpoint keeps. */
  readonly ours: Ours;
  /** Its model card. */
  readonly card: string;
}

/**
 * The PEFT folder of a run's adapters.
 *
 * @throws {UsageError} when the run has none.
 */
export function adapterFiles({ run, config, ours, card }: Trained, base: BaseModel): Files {
  const { lora } = config;
  if (lora === undefined) {
    throw new UsageError(`Cannot export an adapter of ${run}: it trained the whole model, use --merged`);
  }
  return {
    "adapter_model.safetensors": encodeSafetensors(toAdapter(config, ours, base.format), { format: "pt" }),
    "adapter_config.json": JSON.stringify(peftConfig(lora, base), null, 2) + "\n",
    "README.md": card,
  };
}

function peftConfig(
  { rank, alpha, rslora, targets, rankPattern, alphaPattern }: LoraConfig,
  { format, folder }: BaseModel,
) {
  // PEFT finds layers by the names that they have in the model.
  const names = targets.map((target) => format === "nanovlm" && target === "o_proj" ? "out_proj" : target);
  return {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: folder,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    use_rslora: rslora === true,
    target_modules: names,
    rank_pattern: rankPattern ?? {},
    alpha_pattern: alphaPattern ?? {},
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
  };
}

/**
 * The folder of a run's whole model: the tensors of its base, with their names and dtypes, and the base's other files.
 *
 * @throws {RangeError} when the base's weights cannot be read.
 */
export async function mergedFiles(trained: Trained, base: BaseModel): Promise<Files> {
  const { config, ours, card } = trained;
  const { folder, format, model } = base;
  const names = (await modelFilesIn(folder)).filter((name) =>
    !/\.safetensors(?:\.index\.json)?$|^adapter_config\.json$|^README\.md$/.test(name)
  );
  const files: Record<string, FileContent> = {};
  for (const name of names) files[name] = await readBytes(`${folder}/${name}`);
  const weights = await openWeights(folder);
  const values = config.lora === undefined ? ours : await mergedWith(weights, { ...trained, base });
  const theirs = toPretrained(format, model, values);
  const tensors: TensorToWrite[] = [];
  for (const [name, { dtype, shape }] of weights.tensors) {
    const tensor = theirs.get(name);
    if (tensor !== undefined && isFloatDtype(dtype)) {
      tensors.push(tensorToWrite(name, tensor, dtype));
      continue;
    }
    // A buffer that follows from the config.
    const bytes = await weights.readBytes(name);
    tensors.push({ name, dtype, shape, byteLength: bytes.length, bytes: () => bytes });
  }
  return {
    ...files,
    "README.md": card,
    "model.safetensors": closing(weights, safetensorsPieces(tensors, { format: "pt" })),
  };
}

/** The base's tensors by our names, with the run's adapters added. */
async function mergedWith(
  weights: Weights,
  { base: { format, model }, config, ours }: Trained & { readonly base: BaseModel },
): Promise<Ours> {
  const values = new Map<string, HostTensor>(ours);
  for (const entry of pretrainedEntries(format, model)) {
    const data: Float32Array[] = [];
    for (const { name } of entry.theirs) data.push((await weights.read(name)).data);
    const all = toOurs(entry, data);
    values.set(entry.ours, { shape: [all.length], data: all });
  }
  // A run goes on with the adapter in its base's folder; its own tensors are that adapter, trained on.
  return mergeAdapters(config, values);
}

/** The Hugging Face folder of a model that was made here. */
export function ownFiles({ run, config, ours, card }: Trained, tokenizer: Tokenizer): Files {
  requireOwnForm(run, config);
  return {
    ...ownForm(config, tokenizer),
    "README.md": card,
    "model.safetensors": encodeSafetensors(toPretrained("idefics3", config, ours), { format: "pt" }),
  };
}

async function* closing(
  weights: Weights,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  using _ = weights;
  yield* pieces;
}
