/**
 * Settings of a run that trains a pretrained model.
 *
 * @module
 */
import type { LoraConfig } from "../../model/mod.ts";
import {
  boolean,
  type BooleanSetting,
  integer,
  list,
  type ListSetting,
  number,
  type NumberSetting,
  optionalText,
  type StringOption,
} from "../cli/mod.ts";

/** Linear layers that can have adapters, by PEFT's names. */
export const ADAPTED_LAYERS = [
  "q_proj",
  "k_proj",
  "v_proj",
  "o_proj",
  "gate_proj",
  "up_proj",
  "down_proj",
] as const;

/** Settings of the pretrained model that a run trains. */
export const pretrainedOptions = {
  model: optionalText(
    "folder of a pretrained model, as `import` makes it; a new model of --preset when absent",
  ) as StringOption,
  lora: boolean(false, "train low-rank adapters beside the model, which stays as it is") as BooleanSetting,
  loraRank: integer(8, "rank of every adapter", { min: 1, max: 1024 }) as NumberSetting,
  loraAlpha: number(16, "adapters are multiplied by alpha / rank", {
    min: 0.001,
    max: 100_000,
  }) as NumberSetting,
  loraTargets: list(
    ADAPTED_LAYERS,
    "linear layers that have adapters, by PEFT's names",
  ) as ListSetting,
  splitPictures: boolean(
    false,
    "show a picture as tiles and as a whole, as its processor can: many times the tokens",
  ) as BooleanSetting,
};

/** What decides on a run's adapters. */
export interface LoraSettings {
  /** Are there any? */
  readonly lora: boolean;
  /** See {@linkcode pretrainedOptions}. */
  readonly loraRank: number;
  /** See {@linkcode pretrainedOptions}. */
  readonly loraAlpha: number;
  /** See {@linkcode pretrainedOptions}. */
  readonly loraTargets: readonly string[];
}

/** The adapters that settings ask for; undefined for none. */
export function loraOf({ lora, loraRank, loraAlpha, loraTargets }: LoraSettings): LoraConfig | undefined {
  return lora ? { rank: loraRank, alpha: loraAlpha, targets: loraTargets } : undefined;
}
