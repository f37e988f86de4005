/**
 * Pretrained folders on disk.
 *
 * @module
 */
import type { Gpu } from "../../kernels/gpu/mod.ts";
import { readJson } from "../files.ts";
import { openWeights } from "../weights_folder.ts";
import { type Pretrained, type PretrainedOptions, readPretrained } from "./read.ts";

/**
 * Loads a pretrained vision-language model from a folder as the hub has them: `config.json`, and `model.safetensors` or its
 * shards. Idefics3 (SmolVLM) and nanoVLM are known.
 *
 * @param options As of {@linkcode readPretrained}, but the adapter is a PEFT folder.
 * @throws {Deno.errors.NotFound} when there is no such folder, or it has no `config.json`.
 * @throws {RangeError} as {@linkcode readPretrained} does, or when weights are missing.
 * @throws {SyntaxError} when a file is not what its name says.
 */
export async function loadPretrained(
  folder: string,
  gpu: Gpu,
  { adapter, ...options }: Omit<PretrainedOptions, "adapter"> & { readonly adapter?: string } = {},
): Promise<Pretrained> {
  const config = await readJson(`${folder}/config.json`);
  using weights = await openWeights(folder);
  if (adapter === undefined) return await readPretrained(gpu, config, weights, options);
  using own = await openWeights(adapter, "adapter_model");
  const given = { config: await readJson(`${adapter}/adapter_config.json`), weights: own };
  return await readPretrained(gpu, config, weights, { ...options, adapter: given });
}
