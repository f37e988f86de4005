/**
 * Environments: rules, prompts, parsing and drawing. No GPU here.
 *
 * @example
 * ```ts
 * import { makeEnv } from "./mod.ts";
 *
 * const env = makeEnv("NumberLine");
 * const { info } = env.reset({ seed: 7, options: { start: 2, target: 5 } });
 * const { action } = env.parse('{"action": "+"}');
 * const { reward, terminated } = env.step(action ?? env.randomAction());
 * console.log(info, reward, terminated);
 * ```
 */

export { checkEnvironment, type CheckResult, ENVIRONMENT_CHECKS, type EnvironmentCheck } from "./check.ts";
export type { Canvas2D, CanvasImage } from "./shared/canvas.ts";
export { type Card, type FaceValue, type Rank, RANKS, type Suit, SUITS } from "./shared/cards.ts";
export {
  defineEnvironment,
  type Described,
  type EnvironmentDefinition,
  type EnvironmentSettings,
  isEnvironmentDefinition,
  type MadeDefinition,
  type RulesDefinition,
} from "./definition.ts";
export { frame, FRAME_PIXELS } from "./shared/frame.ts";
export { Random } from "./shared/random.ts";
export * from "./table.ts";
export { ENV_NAMES, ENVIRONMENTS, findEnvironment, makeEnv } from "./registry.ts";
export { checkFrame, type EnvironmentParts } from "./shared/complete.ts";
export { editDistance, nearestName } from "./shared/nearest.ts";
export { type Color, gridPicture, picture } from "./shared/picture.ts";
export type { Outcome, Rules } from "./shared/rules.ts";
export { type Part, PARTS } from "./shared/held_out.ts";
export { createTolerantParser } from "./shared/tolerant.ts";
export type { Setting, SettingSpec } from "./shared/settings.ts";
export { keyOf } from "./shared/state_key.ts";
export {
  type ActionValueSettings,
  type Bias,
  type DemonstrationSettings,
  type Environment,
  type Info,
  type Judgement,
  NO_JUDGEMENT,
  type Observation,
  type Parse,
  type PromptSettings,
  type ResetResult,
  type ResetSettings,
  type SolvedEnvironment,
  type StepResult,
} from "./types.ts";
