/** The published prompt, with its wording as it is, and the pieces it is made of. */

import { RESPONSE_TOKENS } from "./thought.ts";
import {
  LAMP_NAME,
  OBJECT_KINDS,
  OBJECTS,
  RECEPTACLE_KINDS,
  RECEPTACLES,
  type Treatment,
} from "./vocabulary.ts";
import { NOTHING_HAPPENS } from "./world.ts";

const EXPERT = "Your are an expert in the ALFRED Embodied Environment. ";
const SCENE = "You are also given the following text description of the current scene: ";
const TASK = "Your task is to ";
const ADMISSIBLE = ". Your admissible actions of the current situation are: ['";
const ADMISSIBLE_END = "']. ";
const SEPARATOR = "'\n '";
const FORMAT = "Your response should be a valid json file in the following format: \n\\{\n";
const THOUGHTS =
  '"thoughts": "{first describe what do you see in the image using the text description, then carefully think about which action to complete the task. }", \n';
const ACTION = '"action": "{an admissible action}"\n\\}';

/** What the prompt quotes of a state. */
export interface PromptState {
  readonly scene: string;
  readonly task: string;
  readonly admissible: readonly string[];
}

/** The prompt of a state; `showsText` puts the scene and the admissible commands in. Source: RL4VLM, `get_alfworld_prompt`. */
export function writePrompt(
  { scene, task, admissible }: PromptState,
  { cot, showsText }: { cot: boolean; showsText: boolean },
): string {
  const format = FORMAT + (cot ? THOUGHTS : "") + ACTION;
  if (!showsText) return `${EXPERT}${TASK}${task}. ${format}`;
  const commands = admissible.join(SEPARATOR);
  return `${EXPERT}${SCENE}${scene} ${TASK}${task}${ADMISSIBLE}${commands}${ADMISSIBLE_END}${format}`;
}

const TREATMENT_NAMES: readonly Treatment[] = ["heat", "cool", "clean"];

/** Pieces that cover prompts and responses by greedy longest match, each once. */
export function listTokens(): string[] {
  const things = [...OBJECTS, LAMP_NAME];
  const scene = [
    "You are in the middle of a room. Looking quickly around you, you see a ",
    ...RECEPTACLES.map((name) => `, a ${name}`),
    ...[
      "You arrive at ",
      ". On the ",
      ". The ",
      " is closed.",
      " is open. In it, you see a ",
      ", you see a ",
    ],
    ...[" is open. In it, you see nothing.", ", you see nothing.", ", a ", ", and a ", "."],
    ...["You open the ", "You close the ", "You pick up the ", " from the ", "You put the ", " in/on the "],
    ...["You turn on the ", ...TREATMENT_NAMES.map((treatment) => `You ${treatment} the `), " using the "],
    ...["You are carrying: a ", "You are not carrying anything.", "There's nothing special about "],
    ...["This is a ", "hot and clean ", "cool and clean ", "You are facing the "],
    ...[". Next to it, you see nothing.", "On the ", "The ", NOTHING_HAPPENS],
  ];
  const task = [
    ...["put a ", "put a clean ", "put a hot ", "put a cool ", "put two ", "look at ", " in ", " under the "],
    ...[...OBJECT_KINDS, ...RECEPTACLE_KINDS],
  ];
  const commands = [
    ...RECEPTACLES.flatMap((name) => [`go to ${name}${SEPARATOR}`, `${name}${SEPARATOR}`]),
    ...OBJECTS.flatMap((name) => [`take ${name} from `, `put ${name} in/on `]),
    ...[`use ${LAMP_NAME}${SEPARATOR}`, `inventory${SEPARATOR}look`, `${SEPARATOR}examine `],
  ];
  return [
    ...new Set([
      ...[EXPERT + SCENE, " " + TASK, EXPERT + TASK, ADMISSIBLE, ADMISSIBLE_END + FORMAT, ". " + FORMAT],
      ...[THOUGHTS + ACTION, ACTION],
      ...[...scene, ...task, ...commands, ...RESPONSE_TOKENS, ...RECEPTACLES, ...things],
    ]),
  ];
}
