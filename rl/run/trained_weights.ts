/**
 * What a run trained, read from its checkpoint without a GPU, for other programs.
 *
 * @module
 */
import { assertFits, decodeSafetensors, parameterSpecs, Tokenizer, type VlmConfig } from "../../model/mod.ts";
import { formatShare, shellQuote, UsageError } from "../cli/mod.ts";
import {
  keptParameters,
  openBaseOf,
  readReference,
  requireSameBase,
  type RunBase,
  runModel,
} from "../pretrained/run_base.ts";
import type { Trained } from "../pretrained/export.ts";
import { RunFolder } from "./folder.ts";

/** What a run trained, and on what. */
export interface TrainedWeights {
  readonly trained: Trained;
  /** The pretrained model; null if it was made here. */
  readonly base: RunBase | null;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
}

/**
 * Reads the weights of a run's latest checkpoint.
 *
 * @param model Where its base model is now; where it was then when absent.
 * @throws {UsageError} when the run has no checkpoint yet, or trained no language model.
 * @throws {Deno.errors.NotFound | Deno.errors.InvalidData} when its base model is gone, or another.
 */
export async function readTrainedWeights(run: string, model?: string): Promise<TrainedWeights> {
  const folder = await RunFolder.open(run);
  const checkpoint = await folder.readCheckpoint();
  if (checkpoint === null) {
    throw new UsageError(
      `Cannot export ${run}: it has no checkpoint yet, train it on with --resume --out ${shellQuote(run)}`,
    );
  }
  const read = async (name: string) => (await checkpoint.read(name))[name];
  const json = async (name: string) => JSON.parse(new TextDecoder().decode(await read(name)));
  const said = await json("config.json");
  if (said.policy === "cnn") {
    throw new UsageError(`Cannot export ${run} in Hugging Face form: its policy is no language model`);
  }
  const { tensors, others } = decodeSafetensors(await read("model.safetensors"));
  const settings = await folder.readConfig();
  const summary = await folder.readSummary();
  if (said.pretrained === undefined) {
    const { cot: _, parse: _parse, sampling: _sampling, actionNames: _names, ...config } = said;
    assertFits(tensors, parameterSpecs(config), others);
    const card = modelCard({ run, settings, summary, base: null });
    const tokenizer = Tokenizer.fromJson(await json("tokenizer.json"));
    return { trained: { run, config, ours: tensors, card }, base: null, tokenizer };
  }
  const { model: was, sha256, splitPictures, lora } = readReference(said.pretrained, checkpoint.path);
  const base = (await openBaseOf(run, { model: model ?? was, splitPictures }))!;
  requireSameBase(run, sha256, base);
  const config: VlmConfig = { ...runModel(base, lora), ...lora && { lora } };
  assertFits(tensors, keptParameters(parameterSpecs(config)), others);
  const card = modelCard({ run, settings, summary, base });
  return { trained: { run, config, ours: tensors, card }, base, tokenizer: base.talk.tokenizer };
}

/** What a run says of itself, for its model card. */
interface CardFacts {
  readonly run: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Null while it trains. */
  readonly summary: Readonly<Record<string, unknown>> | null;
  readonly base: RunBase | null;
}

/** A model card, as the hub shows one. */
function modelCard({ run, settings, summary, base }: CardFacts): string {
  const { env, algorithm, seed, envSteps, cot, lora, loraRank, loraTargets } = settings;
  const name = run.split("/").at(-1);
  const below = base?.base.folder.split("/").at(-1);
  const evaluation = summary?.evaluation as
    | Record<"sampled" | "greedy", { success: number; ci95: readonly [number, number]; parse_rate?: number }>
      & {
        episodes: number;
      }
    | undefined;
  const rows = evaluation === undefined ? ["The run had not ended, so there is no evaluation."] : [
    `Success over ${evaluation.episodes} held-out episodes:`,
    "",
    "| decoding | success | 95% interval |",
    "| -------- | ------- | ------------ |",
    ...(["sampled", "greedy"] as const).map((how) => {
      const { success, ci95: [low, high] } = evaluation[how];
      return `| ${how} | ${formatShare(success)} | ${formatShare(low)} to ${formatShare(high)} |`;
    }),
  ];
  const what = base === null
    ? "A compact vision-language model, trained from nothing"
    : `${below} (sha256 ${base.digest}), trained ` +
      (lora === true
        ? `with LoRA of rank ${loraRank} on ${(loraTargets as string[]).join(", ")}`
        : "as a whole");
  return [
    "---",
    "library_name: " + (lora === true ? "peft" : "transformers"),
    ...base === null ? [] : [`base_model: ${JSON.stringify(below)}`],
    "tags:",
    "- reinforcement-learning",
    "- vision-language-model",
    "- ponder",
    "---",
    "",
    `# ${name}`,
    "",
    `${what}, to act in ${env} by ${algorithm} (${envSteps} environment steps, seed ${seed}, ` +
    `${cot === false ? "action only" : "chain of thought"}), with ponder.`,
    "",
    ...rows,
    "",
    ...base === null ? [] : ["The licence of the model that it began as applies.", ""],
  ].join("\n");
}
