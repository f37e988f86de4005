/** The task prompt of an environment that has none of its own, in the form of the published ones. */

import type { Info, PromptSettings } from "../types.ts";

/** What a prompt is made of. */
export interface PromptParts {
  readonly name: string;
  readonly actions: readonly string[];
  /** What the task is; it names the game when absent. */
  readonly task?: string;
}

const FORMAT = " Your response should be a valid json file in the following format: \n{\n";
const THOUGHTS =
  ' "thoughts": "{first describe what you see, then think carefully about which action to choose}", \n';

/** Up to this many actions a prompt also lists by name in the form of the answer. */
const MANY_ACTIONS = 12;

/** Writes a prompt: the task, the actions to choose between, and the form of the answer. */
export function writePrompt({ name, actions, task }: PromptParts, { cot }: PromptSettings): string {
  const start = task ?? `You are playing a game called ${name}. You will see its current state in the image.`;
  const choices = ` You can choose between [${actions.map((action) => `'${action}'`).join(", ")}].`;
  const wanted = actions.length > MANY_ACTIONS
    ? '"{one of them}"'
    : actions.map((action) => `"${action}"`).join(" or ");
  return `${start}${choices}${FORMAT}${cot ? THOUGHTS : " "}"action": ${wanted} \n}`;
}

/** The prompt of an environment that says nothing else: the same for every state. */
export function defaultPrompt(parts: PromptParts): (info: Info, settings: PromptSettings) => string {
  return (_info, settings) => writePrompt(parts, settings);
}
