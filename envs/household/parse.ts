/** Finds commands in texts of any length, in one pass. */

import { afterKey, encodeParts, NO_ACTION } from "../shared/parse.ts";
import type { Parse } from "../types.ts";
import { COMMANDS } from "./vocabulary.ts";

/** Characters that commands are made of, each a branch of the automaton; any other leads back to the root. */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz123/ ";
const LOG_BRANCHES = 5;
const BRANCHES = 2 ** LOG_BRANCHES;

/** Branch of each byte of UTF-8, upper case as lower, 0 for one that no command has. */
const branchOf = new Uint8Array(256);
for (const [i, letter] of [...ALPHABET].entries()) {
  branchOf[letter.charCodeAt(0)] = branchOf[letter.toUpperCase().charCodeAt(0)] = i + 1;
}

/**
 * The Aho-Corasick automaton of the commands: its node after some text is the longest end of it that begins a command.
 * Nodes are multiples of `BRANCHES`, the root 0. None is a command that ends with another one.
 */
interface Automaton {
  /** `next[node + branch]` is a node. */
  readonly next: Int32Array;
  /** `command[node >> LOG_BRANCHES]` ends there, -1 for none. */
  readonly command: Int16Array;
}

/** Source: Aho & Corasick 1975, "Efficient string matching: an aid to bibliographic search". */
function buildAutomaton(): Automaton {
  const most = COMMANDS.reduce((sum, { text }) => sum + text.length, 1);
  const next = new Int32Array(most * BRANCHES);
  const command = new Int16Array(most).fill(-1);
  let end = BRANCHES;
  for (const [index, { text }] of COMMANDS.entries()) {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const edge = node + branchOf[text.charCodeAt(i)];
      if (next[edge] === 0) {
        next[edge] = end;
        end += BRANCHES;
      }
      node = next[edge];
    }
    command[node >> LOG_BRANCHES] = index;
  }
  // Breadth first: the node to fall back on, of the longest shorter end, is complete before its followers need it.
  const fallback = new Int32Array(end >> LOG_BRANCHES);
  const queue = [...next.subarray(0, BRANCHES)].filter((node) => node > 0);
  for (const node of queue) {
    for (let branch = 1; branch < BRANCHES; branch++) {
      const shorter = next[fallback[node >> LOG_BRANCHES] + branch];
      const child = next[node + branch];
      if (child === 0) {
        next[node + branch] = shorter;
      } else {
        fallback[child >> LOG_BRANCHES] = shorter;
        queue.push(child);
      }
    }
  }
  return { next: next.slice(0, end), command: command.slice(0, end >> LOG_BRANCHES) };
}

const { next, command } = buildAutomaton();
/** What every command begins with. */
const HAS_LETTER = /[a-z]/i;

/** Without the key the published code looks at the last characters, which take one or two code units each. */
const TAIL_LENGTH = 30;
const tailOf = (text: string): string => [...text.slice(-2 * TAIL_LENGTH)].slice(-TAIL_LENGTH).join("");

/**
 * Finds the action of a response, given the admissible commands (ascending).
 *
 * The published rule looks at the text from the first `"action":` on, or at its last 30 characters without such a key. Letter
 * case does not matter. The action is the first admissible command, in the order of the list, that occurs there. The span is
 * its first occurrence.
 *
 * A text without an admissible command is illegal. The published code passes it to the engine, which says "Nothing happens."
 * Here the first command of the vocabulary in the text takes its place. Only a text without any command gives null.
 *
 * Source: RL4VLM, `process_action`.
 */
export function parseCommand(text: string, admissible: readonly number[]): Parse {
  const { firstAt, earliest } = findCommands(text, afterKey(text, tailOf(text).length));
  const action = admissible.find((index) => firstAt[index] >= 0) ?? earliest;
  if (action < 0) return NO_ACTION;
  return { action, start: firstAt[action], end: firstAt[action] + COMMANDS[action].text.length };
}

/**
 * Finds the place of each command's first occurrence in the text from `from` on, or -1. It also finds the earliest command of all,
 * or -1. That is the one that ends first, since commands do not overlap.
 */
function findCommands(text: string, from: number): { firstAt: Int32Array; earliest: number } {
  const firstAt = new Int32Array(COMMANDS.length).fill(-1);
  let earliest = -1;
  let node = 0;
  const isWanted = (part: string) => node > 0 || HAS_LETTER.test(part);
  for (const { bytes, placeOf } of encodeParts(text, from, isWanted)) {
    for (let i = 0; i < bytes.length; i++) {
      node = next[node + branchOf[bytes[i]]];
      const index = command[node >> LOG_BRANCHES];
      if (index >= 0 && firstAt[index] < 0) {
        // It may have begun in the part before; its characters take a code unit each.
        firstAt[index] = placeOf(i + 1) - COMMANDS[index].text.length;
        if (earliest < 0) earliest = index;
      }
    }
  }
  return { firstAt, earliest };
}
