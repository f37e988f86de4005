/**
 * What a shader declares: its bindings, and the fields of its uniforms. Launches must match it.
 *
 * @module
 */
import type { Binding } from "./bindings.ts";

/** One field of a uniform; all take one 4-byte word. */
export interface Field {
  /** The field's name in the struct or, for a uniform that is no struct, that of the variable. */
  readonly name: string;
  /** The type of its value. */
  readonly type: "u32" | "i32" | "f32";
}

/** One `@group(0) @binding(n) var` of a shader. */
export interface Declaration {
  /** The number in `@binding`. */
  readonly binding: number;
  /** The variable. */
  readonly name: string;
  /** What may be bound to it. */
  readonly kind: Binding["kind"];
  /** The fields of a uniform, in the struct's order; empty for memory. */
  readonly fields: readonly Field[];
}

const VARIABLE =
  /(?:@group\(\s*0u?\s*\)\s*)?@binding\(\s*(\d+)u?\s*\)\s*(?:@group\(\s*0u?\s*\)\s*)?var\s*(?:<([^>]*)>)?\s*(\w+)\s*:\s*([^;]+?)\s*;/g;
const TYPES: readonly string[] = ["u32", "i32", "f32"];

/**
 * The bindings of a shader, in the order of their numbers; `file` is what messages name.
 *
 * @throws {SyntaxError} when a uniform has a field that is no `u32`, `i32` or `f32`.
 */
export function declarationsOf(code: string, file: string): Declaration[] {
  const text = withoutComments(code);
  return [...text.matchAll(VARIABLE)].map(([, number, space, name, type]) => {
    const isUniform = space?.trim() === "uniform";
    return {
      binding: Number(number),
      name,
      kind: isUniform ? "params" as const : kindOf(space),
      fields: isUniform ? fieldsOf(text, { file, name, type }) : [],
    };
  }).sort((a, b) => a.binding - b.binding);
}

/** What {@linkcode Binding} binds to a variable of a kind, as messages name it. */
export const BINDERS: Readonly<Record<Binding["kind"], string>> = {
  read: "var<storage, read>",
  write: "var<storage, read_write>",
  texels: "texture_storage_2d<rgba32float, read>",
  params: "var<uniform>",
};

function withoutComments(code: string): string {
  return code.replaceAll(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "");
}

/** `var<storage>` may only be read; a variable in no address space is a texture. */
function kindOf(space: string | undefined): Binding["kind"] {
  if (space === undefined) return "texels";
  return /\bread_write\b/.test(space) ? "write" : "read";
}

function fieldsOf(
  text: string,
  { file, name, type }: { file: string; name: string; type: string },
): Field[] {
  const struct = text.match(new RegExp(`\\bstruct\\s+${type}\\s*\\{([^}]*)\\}`));
  const members = struct === null
    ? [[name, type]]
    : struct[1].split(",").map((member) => member.split(":").map((part) => part.trim()))
      .filter(([field]) => field !== "");
  return members.map(([field, fieldType]) => {
    if (!TYPES.includes(fieldType)) {
      throw new SyntaxError(
        `Cannot compile ${file}: uniform ${name} has ${field}: ${fieldType}, use u32, i32 or f32`,
      );
    }
    return { name: field, type: fieldType as Field["type"] };
  });
}
