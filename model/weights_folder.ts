/**
 * The weights of a model's folder, whether it has one file or shards.
 *
 * @module
 */
import { namesIn, openBytes, readJson } from "./files.ts";
import { type ByteSource, MODEL_STEM, requireIndexed, weightFiles, Weights } from "./weights.ts";

/**
 * Opens the weights of a folder: `STEM.safetensors`, or all shards of `STEM.safetensors.index.json`. Headers are read and
 * checked, data are not.
 *
 * @param stem `model`, or `adapter_model` for a PEFT adapter.
 * @throws {Deno.errors.NotFound} If there is no such folder.
 * @throws {RangeError} If it has no weights, or shards are missing in it or in the index.
 * @throws {SyntaxError} If a file is not what its name says.
 */
export async function openWeights(folder: string, stem: string = MODEL_STEM): Promise<Weights> {
  const names = await namesIn(folder);
  const indexName = `${stem}.safetensors.index.json`;
  const index = names.includes(indexName) ? await readJson(`${folder}/${indexName}`) : undefined;
  const files = weightFiles(names, index, stem);
  const sources: ByteSource[] = [];
  try {
    for (const name of files.names) sources.push(await openBytes(`${folder}/${name}`));
  } catch (error) {
    for (const source of sources) source.close();
    throw error;
  }
  const weights = await Weights.open(sources);
  try {
    requireIndexed(weights, files);
    return weights;
  } catch (error) {
    weights[Symbol.dispose]();
    throw error;
  }
}
