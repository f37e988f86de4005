/**
 * Which bindings an entry point of a shader uses. With `layout: "auto"` a device leaves unused bindings out. Its error about
 * the others then names neither kernel nor binding.
 *
 * @module
 */

import { type Declaration, declarationsOf } from "./declarations.ts";

/** The bindings of group 0 that a composed shader declares, and which an entry point reaches, itself or through functions. */
export interface EntryPointBindings {
  /** All of them. */
  readonly declared: readonly Declaration[];
  /** Those that the entry point uses. */
  readonly used: readonly Declaration[];
  /** Whether the text has that entry point. */
  readonly isFound: boolean;
}

/** Reads them from a shader's text. */
export function bindingsOf(
  code: string,
  entryPoint: string,
  declared: readonly Declaration[] = declarationsOf(code, "the shader"),
): EntryPointBindings {
  const text = code.replaceAll(/\/\/.*/g, "");
  const reached = namesReached(text, entryPoint);
  return {
    declared,
    used: declared.filter(({ name }) => reached.has(name)),
    isFound: new RegExp(`\\bfn\\s+${entryPoint}\\b`).test(text),
  };
}

/**
 * What is wrong with the entry point of a shader that has some, or null. A device's message about it names no kernel. A text
 * without any entry point is left to the compiler, which says more.
 */
export function entryPointFault(
  code: string,
  entryPoint: string,
  { maxComputeInvocationsPerWorkgroup: most }: Pick<GPUSupportedLimits, "maxComputeInvocationsPerWorkgroup">,
): string | null {
  const text = code.replaceAll(/\/\/.*/g, "");
  const entries = [...text.matchAll(/@compute\b[^{;]*?\bfn\s+(\w+)/g)];
  if (entries.length === 0) return null;
  const entry = entries.find(([, name]) => name === entryPoint);
  if (entry === undefined) {
    return `it has no entry point ${entryPoint}, known: ${entries.map(([, name]) => name).join(", ")}`;
  }
  const size =
    /@workgroup_size\(([\d\s,u]+)\)/.exec(entry[0])?.[1].split(",").map((each) => parseInt(each)) ?? [];
  const invocations = size.filter(Number.isFinite).reduce((product, each) => product * each, 1);
  return invocations <= most
    ? null
    : `a workgroup of ${entryPoint} has ${invocations} invocations, this device allows ${most}`;
}

/** The names that a function of a shader mentions, or one that it mentions, and so on. */
export function namesReached(code: string, entryPoint: string): ReadonlySet<string> {
  const bodies = new Map(
    code.replaceAll(/\/\/.*/g, "").split(/(?=\bfn\s+\w+)/).flatMap((part) => {
      const name = part.match(/^fn\s+(\w+)/)?.[1];
      return name === undefined ? [] : [[name, part.slice(0, endOfBody(part))] as const];
    }),
  );
  const reached = new Set<string>();
  const waiting = [entryPoint];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    for (const [mentioned] of (bodies.get(name) ?? "").matchAll(/\b[A-Za-z_]\w*/g)) {
      if (reached.has(mentioned)) continue;
      reached.add(mentioned);
      if (bodies.has(mentioned)) waiting.push(mentioned);
    }
  }
  return reached;
}

/** Where the braces that open first in a text are closed. */
function endOfBody(text: string): number {
  let depth = 0;
  for (let at = text.indexOf("{"); at >= 0 && at < text.length; at++) {
    if (text[at] === "{") depth++;
    if (text[at] === "}" && --depth === 0) return at + 1;
  }
  return text.length;
}

/**
 * What is wrong with a launch that passes `count` bindings to an entry point, or null.
 *
 * @returns a sentence such as `entry point main does not use binding 1 (bias), so the device leaves it out: …`
 */
export function bindingFault(
  { declared, used, isFound }: EntryPointBindings,
  entryPoint: string,
  count: number,
): string | null {
  // A text without the entry point is no WGSL. The compiler says more about that.
  if (!isFound) return null;
  const indices = new Set(used.map(({ binding }) => binding));
  const unused = declared.find(({ binding }) => binding < count && !indices.has(binding));
  if (unused !== undefined) {
    return `entry point ${entryPoint} does not use binding ${unused.binding} (${unused.name}), so the device leaves it out: ` +
      "use it, or take it out of the kernel and the launch";
  }
  if (indices.size === count) return null;
  const list = used.map(({ binding, name }) => `${binding} (${name})`).join(", ");
  return `entry point ${entryPoint} uses ${indices.size} bindings, ${list}, and the launch passes ${count}`;
}
