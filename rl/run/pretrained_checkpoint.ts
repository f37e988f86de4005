/**
 * Checkpoints of runs that train a pretrained model: they name it, and keep what was trained beside it.
 *
 * @module
 */
import type { Gpu } from "../../kernels/gpu/mod.ts";
import {
  type HostTensor,
  type Parameters,
  type ParameterSpec,
  parameterSpecs,
  type VlmConfig,
} from "../../model/mod.ts";
import type { Agent, AgentBase, AgentSettings } from "../agent.ts";
import { agentOf, loadBase } from "../pretrained/agent.ts";
import {
  keptParameters,
  openBaseOf,
  type PretrainedReference,
  readReference,
  requireSameBase,
  type RunBase,
  runModel,
} from "../pretrained/run_base.ts";

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
