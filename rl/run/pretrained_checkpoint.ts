/**
 * Checkpoints of runs that train a pretrained model: they name it, and keep what was trained beside it.
 *
 * @module
 */
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  type HostTensor,
  type LoraConfig,
  type Parameters,
  type ParameterSpec,
  parameterSpecs,
  quote,
  type VlmConfig,
} from "../../model/mod.ts";
import type { Agent, AgentBase, AgentSettings } from "../agent.ts";
import {
  agentOf,
  loadBase,
  openBaseOf,
  requireSameBase,
  type RunBase,
  runModel,
} from "../pretrained/agent.ts";
import { ADAPTED_LAYERS } from "../pretrained/options.ts";

/** What a checkpoint's `config.json` says about the model below it. */
export interface PretrainedReference {
  /** Its folder. */
  readonly model: string;
  /** The folder's fingerprint. */
  readonly sha256: string;
  /** Are pictures split into tiles? */
  readonly splitPictures: boolean;
  /** The adapters that were trained; absent if the whole model was. */
  readonly lora?: LoraConfig;
}

/** Where a base is. */
export interface BasePlace {
  /** Its folder, if it moved. */
  readonly model?: string;
  /** The base itself, if it was opened already. */
  readonly base?: RunBase | null;
}

/** Describes the base of an agent. */
export function referenceOf({ folder, digest, talk }: AgentBase, { lora }: VlmConfig): PretrainedReference {
  const { processor: { splits } } = talk;
  return { model: folder, sha256: digest, splitPictures: splits, ...lora && { lora } };
}

/** The parameters that a checkpoint keeps: beside adapters these and the value head alone. */
export function keptParameters<Spec extends ParameterSpec>(list: readonly Spec[]): readonly Spec[] {
  if (!list.some(({ kind }) => kind === "adapter")) return list;
  return list.filter(({ kind, part }) => kind === "adapter" || part === "value_head");
}

/** Values of the parameters that a checkpoint keeps. */
export async function heldTensors(gpu: Gpu, parameters: Parameters): Promise<Map<string, HostTensor>> {
  const kept = keptParameters(parameters.list);
  if (kept === parameters.list) return await parameters.toHost();
  const values = await gpu.read(...kept.map(({ name }) => parameters.get(name).data));
  return new Map(kept.map(({ name, shape }, i) => [name, { shape: [...shape], data: values[i] }]));
}

/**
 * Loads the agent of a checkpoint that names a pretrained model.
 *
 * @throws {SyntaxError} when the reference cannot be one.
 * @throws {Deno.errors.NotFound} when the model is not where it was.
 * @throws {Deno.errors.InvalidData} when it is another one.
 */
export async function loadBaseAgent(
  gpu: Gpu,
  reference: unknown,
  { path, model, base: given }: BasePlace & { readonly path: string },
  { settings, decode }: {
    readonly settings: AgentSettings;
    /** Reads the kept tensors, which must be of these. */
    readonly decode: (specs: readonly ParameterSpec[]) => ReadonlyMap<string, HostTensor>;
  },
): Promise<Agent> {
  const { sha256, splitPictures, lora, model: was } = readReference(reference, path);
  const opened = given ?? (await openBaseOf(path, { model: model ?? was, splitPictures }))!;
  requireSameBase(path, sha256, opened);
  const specs = keptParameters(parameterSpecs({ ...runModel(opened, lora), ...lora && { lora } }));
  const tensors = decode(specs);
  const vlm = await loadBase(gpu, opened, lora, 0);
  for (const { name } of specs) gpu.write(vlm.parameters.get(name).data, tensors.get(name)!.data);
  return agentOf(vlm, opened, settings);
}

/** Checks what a file says. */
export function readReference(reference: unknown, path: string): PretrainedReference {
  const { model, sha256, splitPictures = false, lora } = (reference ?? {}) as Partial<PretrainedReference>;
  const isLora = lora === undefined ||
    typeof lora === "object" && lora !== null && Number.isInteger(lora.rank) && lora.rank >= 1 &&
      lora.rank <= 65_536 && Number.isFinite(lora.alpha) && Array.isArray(lora.targets) &&
      lora.targets.every((target) => (ADAPTED_LAYERS as readonly unknown[]).includes(target));
  const isGood = typeof model === "string" && model !== "" && !model.includes("\0") &&
    typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256) && typeof splitPictures === "boolean";
  if (isGood && isLora) return { model, sha256, splitPictures, ...lora && { lora } };
  throw new SyntaxError(
    `Cannot load ${path}: "pretrained" in its config.json must be { model, sha256, splitPictures, lora }, got ${
      quote(reference)
    }`,
  );
}
