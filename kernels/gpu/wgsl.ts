/**
 * From a `.wgsl` file to the text a device compiles: `const` lines in front, and comment directives. Snippets that
 * several kernels share are included by name, once each:
 *
 * ```wgsl
 * //@include "gelu.wgsl"
 * ```
 * naga bounds every loop and clamps every dynamic index, so tiles held in registers must be unrolled before the
 * compiler sees them:
 *
 * ```wgsl
 * //@for i in 0..ROWS
 * var sum_$i = vec4f();
 * //@end
 * //@if HAS_BIAS
 * ...
 * //@else
 * ...
 * //@end
 * ```
 * Loop variables are one lower-case letter; `${i/8}` stands for the quotient of one, in names,
 * and the divisor may be a constant. Bounds and conditions are integers, constants, or `NAME/2`-like quotients.
 *
 * @module
 */

/** Values put in front of a shader as `const NAME = value;`. Integers become u32-compatible abstract integers. */
export type WgslConstants = Readonly<Record<string, number | boolean>>;

/** Where a line of composed text comes from. */
export interface Origin {
  /** The file as messages name it; null for the constants in front. */
  readonly file: string | null;
  /** 1-based line in the file, 0 for the constants in front. */
  readonly line: number;
  /** Whether the line stands in its file letter by letter: unrolled ones differ. */
  readonly isVerbatim: boolean;
}

interface Line extends Origin {
  readonly text: string;
}

/** The composed shader text and, for each of its lines, where it comes from. */
export interface ComposedWgsl {
  readonly code: string;
  readonly origins: readonly Origin[];
}

/** What {@linkcode composeWgsl} may include, and how messages name files. */
export interface WgslFiles {
  /** The file that the source is the text of; messages say only the line without it. */
  readonly file?: string;
  /** Texts by the names that `//@include` says. */
  readonly snippets?: Readonly<Record<string, Snippet>>;
}

/** A text that kernels include. */
export interface Snippet {
  /** Its file as messages name it. */
  readonly file: string;
  readonly text: string;
}

/**
 * Puts the constants in front and expands `//@include`, `//@for`, `//@if`, `//@else`, `//@end`.
 *
 * @throws {SyntaxError} when a directive is malformed, or names a snippet or constant that there is not.
 */
export function composeWgsl(source: string, constants: WgslConstants, files: WgslFiles = {}): ComposedWgsl {
  const { file = "", snippets = {} } = files;
  const lines: Line[] = Object.entries(constants).map(([name, value]) => ({
    text: `const ${name} = ${formatConstant(value)};`,
    file: null,
    line: 0,
    isVerbatim: true,
  }));
  const body = linesOf(source, file);
  // `enable` directives must precede every declaration.
  const enables = body.filter((line) => line.text.startsWith("enable "));
  const rest = body.filter((line) => !line.text.startsWith("enable "));
  expand(rest, { constants, snippets, included: new Set() }, lines);
  const all = [...enables, ...lines];
  return { code: all.map((line) => line.text).join("\n"), origins: all };
}

function linesOf(text: string, file: string): Line[] {
  return text.split("\n").map((text, index) => ({ text, file, line: index + 1, isVerbatim: true }));
}

/** A line as messages name it. */
const placeOf = ({ file, line }: Line) => file ? `${file}:${line}` : `line ${line}`;

function formatConstant(value: number | boolean): string {
  if (typeof value === "boolean" || Number.isInteger(value)) return String(value);
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

interface Expansion {
  readonly constants: WgslConstants;
  readonly snippets: Readonly<Record<string, Snippet>>;
  /** Names of the snippets that the text has already. */
  readonly included: Set<string>;
}

function expand(lines: readonly Line[], expansion: Expansion, out: Line[]): void {
  const { constants } = expansion;
  for (let index = 0; index < lines.length; index++) {
    const directive = lines[index].text.trim();
    if (!directive.startsWith("//@")) {
      out.push(lines[index]);
      continue;
    }
    const include = directive.match(/^\/\/@include "([^"]+)"$/);
    if (include !== null) {
      expand(snippetLines(lines[index], include[1], expansion), expansion, out);
      continue;
    }
    const loop = directive.match(/^\/\/@for ([a-z]) in (\S+)\.\.(\S+)$/);
    const condition = directive.match(/^\/\/@if (\S+)$/);
    if (loop === null && condition === null) {
      throw new SyntaxError(
        `Cannot expand ${placeOf(lines[index])}: "${directive}" is not //@for, //@if, ` +
          "or an //@else or //@end of one, or //@include",
      );
    }
    const { middle, end } = findEnd(lines, index);
    if (loop !== null) {
      const [, variable, from, to] = loop;
      const block = lines.slice(index + 1, end);
      const quotient = new RegExp(`\\$\\{${variable}/(\\w+)\\}`, "g");
      for (let value = evaluate(from, constants); value < evaluate(to, constants); value++) {
        const unrolled = block.map((line) => {
          const text = line.text.replaceAll(
            quotient,
            (_, divisor) => `${Math.floor(value / evaluate(divisor, constants))}`,
          )
            .replaceAll(`$${variable}`, `${value}`);
          return text === line.text ? line : { ...line, text, isVerbatim: false };
        });
        expand(unrolled, expansion, out);
      }
    } else {
      const holds = evaluate(condition![1], constants) !== 0;
      expand(holds ? lines.slice(index + 1, middle) : lines.slice(middle + 1, end), expansion, out);
    }
    index = end;
  }
}

/** The lines of a snippet; none when the text has them already. */
function snippetLines(from: Line, name: string, { snippets, included }: Expansion): Line[] {
  if (included.has(name)) return [];
  included.add(name);
  const snippet = Object.hasOwn(snippets, name) ? snippets[name] : undefined;
  if (snippet === undefined) {
    throw new SyntaxError(
      `Cannot expand ${placeOf(from)}: there is no snippet "${name}", known are ${
        Object.keys(snippets).sort().join(", ") || "none"
      }`,
    );
  }
  return linesOf(snippet.text.trimEnd(), snippet.file);
}

/** The lines of the matching `//@end` and, if there is one, of its `//@else` (else the end itself). */
function findEnd(lines: readonly Line[], start: number): { middle: number; end: number } {
  let depth = 0;
  let middle = -1;
  for (let index = start; index < lines.length; index++) {
    const text = lines[index].text.trim();
    if (text.startsWith("//@for") || text.startsWith("//@if")) depth++;
    else if (text === "//@else" && depth === 1) middle = index;
    else if (text === "//@end" && --depth === 0) return { middle: middle < 0 ? index : middle, end: index };
  }
  throw new SyntaxError(
    `Cannot expand ${placeOf(lines[start])}: "${lines[start].text.trim()}" has no //@end`,
  );
}

function evaluate(expression: string, constants: WgslConstants): number {
  const match = expression.match(/^(\w+)(?:\/(\d+))?$/);
  const value = match === null ? undefined : /^\d+$/.test(match[1]) ? Number(match[1]) : constants[match[1]];
  if (match === null || value === undefined) {
    throw new SyntaxError(`Cannot evaluate "${expression}": it is neither an integer nor a constant`);
  }
  return Math.floor(Number(value) / Number(match[2] ?? 1));
}
