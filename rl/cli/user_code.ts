/**
 * Where an error left the code of a user's own module: an environment or an algorithm of a file.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url).href;

// deno-lint-ignore no-control-regex -- they are what colours a terminal
const COLORS = /\x1b\[[\d;]*m/g;

const modules = new Set<string>();

/** Notes that a module is the user's own, so that {@linkcode placeInUserCode} knows its lines. */
export function noteUserModule(href: string): void {
  modules.add(href);
}

/** A place in a user's own code. */
export interface UserPlace {
  /** The function that this toolkit called, such as `step`; "the module" if it failed while it was loaded. */
  readonly method: string;
  /** The file and line of the error: `/home/me/maze.ts:12:7`. */
  readonly at: string;
  /** True if the error was thrown there; false if a function of this toolkit threw it, which was called from there. */
  readonly isThrownThere: boolean;
}

/** Finds where an error, or what caused it, left a user's own code. Null if none of it was running. */
export function placeInUserCode(error: unknown): UserPlace | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    const frames = (at.stack ?? "").split("\n").map(readFrame).filter((frame) => frame !== null);
    const first = frames.findIndex(({ href }) => isUsers(href));
    if (first < 0) continue;
    // The functions of the user's that call each other end where this toolkit's begin.
    const after = frames.findIndex(({ href }, i) => i > first && !isUsers(href) && href.startsWith("file:"));
    const outermost = frames.slice(first, after < 0 ? undefined : after).findLast(({ href }) =>
      isUsers(href)
    )!;
    const { href, position } = frames[first]!;
    return {
      method: outermost.name || "the module",
      at: `${decodeURIComponent(new URL(href).pathname)}${position}`,
      // What JavaScript itself threw, as JSON.parse does, was thrown there.
      isThrownThere: !frames.slice(0, first).some(({ href }) => href.startsWith("file:")),
    };
  }
  return null;
}

/** The message of an error. If it left a user's own code, it is told with the function, file and line there. */
export function placedMessage(error: unknown): string {
  // Deno colours what it says of a module that is not there, and adds a line with the place.
  const message = (error instanceof Error ? error.message : String(error)).replace(COLORS, "")
    .replace(/\n +at \S+:\d+:\d+$/, "");
  const place = placeInUserCode(error);
  if (place === null) return message;
  const { method, at, isThrownThere } = place;
  const name = error instanceof Error ? error.name : "an error";
  return isThrownThere ? `${method} threw ${name} at ${at}: ${message}` : `${message} (${method} at ${at})`;
}

/** A line of a stack: `at Maze.step (file:///home/me/maze.ts:12:7)`. */
function readFrame(line: string): { name: string; href: string; position: string } | null {
  const frame = line.match(/^ +at (?:async )?(?:(.+) \()?((?:file:|ext:|node:|<).*?)((?::\d+){0,2})\)?$/);
  if (frame === null) return null;
  const [, name = "", href, position] = frame;
  return {
    name: name.replace(/^new /, "").replace(/ \[as (.+)\]$/, ".$1").replace(/^.*\./, ""),
    href: href!,
    position: position!,
  };
}

function isUsers(href: string): boolean {
  if (modules.has(href)) return true;
  return !href.startsWith(ROOT) &&
    [...modules].some((module) => href.startsWith(module.replace(/[^/]*$/, "")));
}
