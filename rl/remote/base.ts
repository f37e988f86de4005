/**
 * The pretrained model of a run, as a worker finds it on its own machine. Its files are never sent.
 *
 * @module
 */
import { shown } from "../cli/mod.ts";
import { openBase, type PretrainedReference, readReference, type RunBase } from "../pretrained/run_base.ts";
import type { RunCard } from "./card.ts";

/** Where a worker has pretrained models. */
export interface ModelPlace {
  /** The folder of the model of that name on this machine. */
  readonly modelOf: (name: string) => string;
}

/**
 * Opens this machine's copy of the pretrained model that a run trains; null if it trains none. The learner's path of it is not
 * used: what comes over the wire names no file.
 *
 * @throws {SyntaxError} when the card does not say properly which it is.
 * @throws {Error} when there is none here, or its files are others than the learner's.
 */
export async function openSameBase(card: RunCard, { modelOf }: ModelPlace): Promise<RunBase | null> {
  const reference = pretrainedOf(card);
  if (reference === null) return null;
  const { model, sha256, splitPictures } = reference;
  const name = model.split(/[/\\]/).at(-1)!;
  if (["", ".", ".."].includes(name)) {
    throw new SyntaxError(`Cannot work for a run: its model is called ${shown(model)}, look who sends there`);
  }
  const folder = modelOf(name);
  const refuse = (state: string, cause?: unknown) =>
    new Error(
      `Cannot work for ${card.place}: it trains the pretrained model ${shown(name)}, ${state}; ` +
        "copy the learner's folder or import the same one, and name it with --model",
      { cause },
    );
  let base: RunBase;
  try {
    base = (await openBase({ model: folder, splitPictures }))!;
  } catch (error) {
    throw refuse(`which cannot be used here (${(error as Error).message})`, error);
  }
  if (base.digest === sha256) return base;
  throw refuse(`with sha256 ${sha256}, but that of ${folder} is ${base.digest}`);
}

function pretrainedOf({ files, place }: RunCard): PretrainedReference | null {
  const bytes = Object.hasOwn(files, "config.json") ? files["config.json"] : new Uint8Array(0);
  let config: { pretrained?: unknown } | null;
  try {
    config = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new SyntaxError(`Cannot work for ${place}: its config.json is no JSON, look who sends there`);
  }
  return config?.pretrained === undefined ? null : readReference(config.pretrained, place);
}
