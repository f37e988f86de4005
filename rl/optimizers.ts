/**
 * The optimisers of a run's stages: which tensors learn, and how fast.
 *
 * @module
 */
import { AdamW, type Parameter } from "../model/mod.ts";
import { list, type ListSetting, number, type NumberSetting, type Values } from "./cli/mod.ts";
import type { Policy } from "./policy.ts";
import type { SftSettings } from "./sft.ts";

/** Settings of which tensors RL trains, and how fast. */
export const freezeOptions = {
  freeze: list(
    ["head", "embedding", "position", "norm", "bias"],
    "kinds of tensors that RL leaves as they are: matrix, head, embedding, position, norm, bias; vision, which is the encoder " +
      "and the projector; or none",
  ) as ListSetting,
  visionLearningRateScale: number(
    0.1,
    "learning rate of vision encoder and projector over that of the language model",
    { min: 0 },
  ) as NumberSetting,
  valueLearningRateScale: number(1, "the same for the value head", { min: 0 }) as NumberSetting,
};

/**
 * Makes the optimiser of the warm start. Every weight learns; linear weights decay. The vision of a pretrained model stays as it
 * is, if RL leaves it too.
 */
export function sftOptimizer(
  policy: Policy,
  config: Pick<SftSettings, "sftWeightDecay"> & {
    readonly model?: string;
    readonly freeze?: readonly string[];
  },
): AdamW {
  const keepsVision = config.model !== undefined && config.freeze?.includes(VISION) === true;
  const isTrainedBeside = trainedBeside(policy);
  const isTrained = (kind: Parameter["kind"], part: Parameter["part"]) =>
    isTrainedBeside(kind, part) && !(keepsVision && isVision(part));
  return new AdamW(policy.gpu, policy.parameters, ({ kind, part }) => ({
    learningRateScale: isTrained(kind, part) ? 1 : 0,
    weightDecay: kind === "matrix" || kind === "head" ? config.sftWeightDecay : 0,
    clipGroup: clipGroupOf(policy, part),
  }));
}

/** Makes the optimiser of RL. It trains all four parts of the model, except for frozen kinds; the value head is never frozen. */
export function rlOptimizer(policy: Policy, config: Values<typeof freezeOptions>): AdamW {
  const isTrained = trainedBeside(policy);
  const scaleOf = ({ kind, part }: Parameter) => {
    if (part === "value_head") return config.valueLearningRateScale;
    if (!isTrained(kind, part) || config.freeze.includes(kind)) return 0;
    if (!isVision(part)) return 1;
    return config.freeze.includes(VISION) ? 0 : config.visionLearningRateScale;
  };
  return new AdamW(policy.gpu, policy.parameters, (parameter) => ({
    learningRateScale: scaleOf(parameter),
    weightDecay: 0,
    clipGroup: clipGroupOf(policy, parameter.part),
  }));
}

/** What `--freeze` calls the parts that see. */
const VISION = "vision";

function isVision(part: Parameter["part"]): boolean {
  return part === "vision" || part === "projector";
}

/** What is trained at all: everything, or in a model with adapters these and the value head alone. */
function trainedBeside(
  { parameters }: Policy,
): (kind: Parameter["kind"], part: Parameter["part"]) => boolean {
  const hasAdapters = parameters.list.some(({ kind }) => kind === "adapter");
  return (kind, part) => !hasAdapters || kind === "adapter" || part === "value_head";
}

/** The value head is clipped on its own if its gradient does not reach the rest. */
function clipGroupOf({ sharesFeatures }: Policy, part: Parameter["part"]): "policy" | "value" {
  return part === "value_head" && !sharesFeatures ? "value" : "policy";
}
