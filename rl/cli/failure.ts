import { printable } from "./shown.ts";
import { UsageError } from "./usage_error.ts";
import { placedMessage, placeInUserCode } from "./user_code.ts";

/** The remedy for an error of the system, by a part of its message. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/no space left|quota exceeded/i, "free some space"],
  [/read-only file system/i, "choose a place that can be written to"],
  [/permission denied|operation not permitted/i, "check whose it is and its permissions"],
  [/no such file or directory/i, "check the path"],
  [/not a directory|is a directory/i, "check the path: a file and a folder are mixed up"],
  [/file exists/i, "choose another name"],
  [/file name too long/i, "choose a shorter name"],
  [/too many open files/i, "raise the limit, as with: ulimit -n 4096"],
  [/cannot allocate memory|out of memory/i, "close other programs or choose smaller sizes"],
];

/** Plain verbs for Deno's names of operations. */
const VERBS: Readonly<Record<string, string>> = {
  readfile: "read",
  writefile: "write",
  mkdir: "make the folder",
  readdir: "list",
  stat: "find",
  lstat: "find",
};

/** Deno's own message when it lacks a permission. */
const NOT_CAPABLE = /^Requires (\w+) access(?: to (.+?))?, run again with the (--[\w-]+) flag/;

/** Finds the error in which Deno says that it lacks a permission. */
function missingPermission(error: unknown): Error | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    // If a module may not be read, Deno throws a TypeError with the same message.
    if (NOT_CAPABLE.test(at.message)) return at;
  }
  return undefined;
}

/**
 * Makes the message of a failure: `Cannot VERB X: state, remedy`. Errors of this toolkit have that form already. Errors of the
 * system and of Deno's permissions are put into it. An error in a user's own module is told with its function, file and line.
 */
export function failureMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const denied = missingPermission(error)?.message.match(NOT_CAPABLE);
  if (denied) {
    const [, access, what = "it", flag] = denied;
    const isFile = access === "read" || access === "write";
    const remedy = isFile
      ? "./ponder grants the repository, its cache and the paths on the command line"
      : `${flag} would grant it`;
    return printable(
      `Cannot ${isFile ? access : `use ${access}`} ${what}: no permission, ${remedy}; see SECURITY.md`,
    );
  }
  const system = message.match(/^(.+?) \(os error \d+\)(?:: (.+))?$/s);
  if (system && !message.startsWith("Cannot ")) {
    const [, state, what] = system;
    const remedy = REMEDIES.find(([pattern]) => pattern.test(state!))?.[1] ?? "check the path";
    const [, verb = "go on", path = ""] = what?.match(/^(\w+)(.*)$/s) ?? [];
    const doing = `Cannot ${VERBS[verb] ?? verb}${path.replaceAll("'", "")}`;
    return printable(`${doing}: ${state!.toLowerCase()}, ${remedy}`);
  }
  if (error instanceof UsageError) return printable(message);
  const isThrownThere = placeInUserCode(error)?.isThrownThere ?? false;
  return printable(
    isThrownThere ? `Cannot go on: ${placedMessage(error)}` : withoutSystemsWords(placedMessage(error)),
  );
}

/** Takes the system's number and call out of a message that says itself what cannot be done: `(os error 13): open 'run.lock'`. */
function withoutSystemsWords(message: string): string {
  return message.replace(/ \(os error \d+\)(?:: \w+ '.*?'(?=[,;)]|$))?/gs, "");
}
