/**
 * From a `.wgsl` file to the text a device compiles: `const` lines in front, and three comment directives that keep
 * register-tiled kernels readable. naga bounds every loop and clamps every dynamic index, so tiles held in
 * registers must be unrolled before the compiler sees them:
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
 * Loop variables are one lower-case letter; `${i/8}` stands for the quotient of one, in names. Bounds and conditions are integers, constants, or `NAME/2`-like quotients.
 *
 * @module
 */

/** Values put in front of a shader as `const NAME = value;`. Integers become u32-compatible abstract integers. */
export type WgslConstants = Readonly<Record<string, number | boolean>>;

interface Line {
  text: string;
  /** 1-based line in the `.wgsl` file, 0 for the constants in front. */
  fileLine: number;
}

/** The composed shader text and, for each of its lines, the line of the `.wgsl` file it came from. */
export interface ComposedWgsl {
  readonly code: string;
  readonly fileLines: readonly number[];
}

/** Puts the constants in front and expands `//@for`, `//@if`, `//@else`, `//@end`. */
export function composeWgsl(source: string, constants: WgslConstants): ComposedWgsl {
  const lines: Line[] = Object.entries(constants).map(([name, value]) => ({
    text: `const ${name} = ${formatConstant(value)};`,
    fileLine: 0,
  }));
  const body = source.split("\n").map((text, index) => ({ text, fileLine: index + 1 }));
  // `enable` directives must precede every declaration.
  const enables = body.filter((line) => line.text.startsWith("enable "));
  expand(body.filter((line) => !line.text.startsWith("enable ")), constants, lines);
  const all = [...enables, ...lines];
  return { code: all.map((line) => line.text).join("\n"), fileLines: all.map((line) => line.fileLine) };
}

function formatConstant(value: number | boolean): string {
  if (typeof value === "boolean" || Number.isInteger(value)) return String(value);
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function expand(lines: readonly Line[], constants: WgslConstants, out: Line[]): void {
  for (let index = 0; index < lines.length; index++) {
    const directive = lines[index].text.trim();
    if (!directive.startsWith("//@")) {
      out.push(lines[index]);
      continue;
    }
    const loop = directive.match(/^\/\/@for ([a-z]) in (\S+)\.\.(\S+)$/);
    const condition = directive.match(/^\/\/@if (\S+)$/);
    if (loop === null && condition === null) {
      throw new SyntaxError(
        `Cannot expand line ${
          lines[index].fileLine
        }: "${directive}" is not //@for, //@if, or an //@else or //@end of one`,
      );
    }
    const { middle, end } = findEnd(lines, index);
    if (loop !== null) {
      const [, variable, from, to] = loop;
      const block = lines.slice(index + 1, end);
      const quotient = new RegExp(`\\$\\{${variable}/(\\d+)\\}`, "g");
      for (let value = evaluate(from, constants); value < evaluate(to, constants); value++) {
        const unrolled = block.map((line) => ({
          ...line,
          text: line.text.replaceAll(quotient, (_, divisor) => `${Math.floor(value / divisor)}`)
            .replaceAll(`$${variable}`, `${value}`),
        }));
        expand(unrolled, constants, out);
      }
    } else {
      const holds = evaluate(condition![1], constants) !== 0;
      expand(holds ? lines.slice(index + 1, middle) : lines.slice(middle + 1, end), constants, out);
    }
    index = end;
  }
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
    `Cannot expand line ${lines[start].fileLine}: "${lines[start].text.trim()}" has no //@end`,
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
