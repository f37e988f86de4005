/** Finds commands in texts of any length, in one pass. */

import { NO_ACTION } from "../parse.ts";
import type { Parse } from "../types.ts";
import { COMMANDS } from "./vocabulary.ts";

/** Characters that commands are made of, each a branch of the tree; the others end a match. */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz123/ ";

/** Branch of each byte of UTF-8, upper case as lower, 0 for one that no command has. */
const branchOf = new Uint8Array(256);
for (const [i, letter] of [...ALPHABET].entries()) {
  branchOf[letter.charCodeAt(0)] = branchOf[letter.toUpperCase().charCodeAt(0)] = i + 1;
}

/** A prefix tree: `next[node * 32 + branch]` is a node, 0 for none; `command[node]` ends there, -1 for none. */
interface Tree {
  readonly next: Uint16Array;
  readonly command: Int16Array;
}

const BRANCHES = 32;

function growTree(): Tree {
  const nodes: Uint16Array[] = [new Uint16Array(BRANCHES)];
  const command = [-1];
  for (const [index, { text }] of COMMANDS.entries()) {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const branch = branchOf[text.charCodeAt(i)];
      if (nodes[node][branch] === 0) {
        nodes[node][branch] = nodes.length;
        nodes.push(new Uint16Array(BRANCHES));
        command.push(-1);
      }
      node = nodes[node][branch];
    }
    command[node] = index;
  }
  const next = new Uint16Array(nodes.length * BRANCHES);
  nodes.forEach((node, i) => next.set(node, i * BRANCHES));
  return { next, command: Int16Array.from(command) };
}

const { next, command } = growTree();

/** The node that each pair of bytes leads to from the root: most pairs begin no command, and that is the end of it. */
const nodeOfPair = new Uint16Array(2 ** 16);
for (const [first, branch] of branchOf.entries()) {
  if (branch === 0 || next[branch] === 0) continue;
  for (const [second, then] of branchOf.entries()) {
    if (then > 0) nodeOfPair[(first << 8) | second] = next[next[branch] * BRANCHES + then];
  }
}

// As in ../parse.ts: without the `u` flag offsets stay those of the original text.
const KEY = /"action":/i;

/** Without the key the published code looks at the end of the text. */
const TAIL_LENGTH = 30;

/** The last characters, which take one or two code units each. */
const tailOf = (text: string): string => [...text.slice(-2 * TAIL_LENGTH)].slice(-TAIL_LENGTH).join("");

/**
 * The action of a response, given which commands are admissible (ascending).
 *
 * The published rule: look, in any letter case, at the text from the first `"action":` on, or at its last 30
 * characters if it has no such key; the first admissible command, in the order of the list, that occurs there is the
 * action. A text without one is illegal, and published code hands it to the engine, which says "Nothing happens."; here
 * the first command of the vocabulary in the text stands for it, and only a text without any gives null.
 * The span is the first occurrence.
 *
 * Source: RL4VLM, `process_action`.
 */
export function parseCommand(text: string, admissible: readonly number[]): Parse {
  const key = text.search(KEY);
  const from = key < 0 ? text.length - tailOf(text).length : key;
  // Bytes are several times faster to walk through than a string, which may be a rope. Commands are ASCII.
  const bytes = encoder.encode(text.slice(from));
  const { firstAt, earliest } = findCommands(bytes);
  const action = admissible.find((index) => firstAt[index] >= 0) ?? earliest;
  if (action < 0) return NO_ACTION;
  const start = from + decoder.decode(bytes.subarray(0, firstAt[action])).length;
  return { action, start, end: start + COMMANDS[action].text.length };
}

const encoder = new TextEncoder();
// Lone surrogates come back as another character, but as one, so lengths are those of the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Where each command first occurs in the text, -1 where it does not, and the command that occurs first of all, or -1.
 * No command begins inside the beginning of another one, but for a few letters, so walking down the tree from every
 * byte takes linear time.
 */
function findCommands(bytes: Uint8Array): { firstAt: Int32Array; earliest: number } {
  const firstAt = new Int32Array(COMMANDS.length).fill(-1);
  let earliest = -1;
  let pair = bytes.length > 0 ? bytes[0] : 0;
  for (let start = 0; start + 1 < bytes.length; start++) {
    pair = ((pair << 8) | bytes[start + 1]) & 0xffff;
    let node = nodeOfPair[pair];
    for (let i = start + 2; node !== 0; i++) {
      const index = command[node];
      if (index >= 0 && firstAt[index] < 0) {
        firstAt[index] = start;
        if (earliest < 0) earliest = index;
      }
      const branch = i < bytes.length ? branchOf[bytes[i]] : 0;
      node = branch === 0 ? 0 : next[node * BRANCHES + branch];
    }
  }
  return { firstAt, earliest };
}
