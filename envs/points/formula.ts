/**
 * Formulas of the point games, with Python's meaning: what `eval(formula) == target` says there.
 *
 * | Python | here |
 * |---|---|
 * | `int` | `bigint`, exact |
 * | `float` | `number`: the same IEEE doubles, so `8/(3-8/3)` is 23.999999999999986 and not 24 |
 * | `/` of integers | the double nearest to the quotient; `//` floors; `**` binds tighter than a sign on its left |
 * | an exception, a tuple (`()`), a complex number | null: never equal to a target |
 *
 * Python would go on without bounds (the published code hangs at `9**9**9`). Here three things give null: texts over
 * {@linkcode MAX_FORMULA_LENGTH} characters, parentheses deeper than 100, and powers over 65,536 bits.
 */

/** Longest text that is evaluated, in UTF-16 code units. */
export const MAX_FORMULA_LENGTH = 256;

const MAX_DEPTH = 100;
const MAX_POWER_BITS = 65_536;

/** A Python number: `int` as `bigint`, `float` as `number`. */
export type FormulaValue = bigint | number;

/** The formula has no value. Thrown inside this file only. */
class NoValue extends Error {}

/** The value of `formula`, or null if it has none (see the table above). Never throws, never hangs. */
export function evaluateFormula(formula: string): FormulaValue | null {
  if (formula.length > MAX_FORMULA_LENGTH) return null;
  const tokens = tokenize(formula);
  if (tokens === null) return null;
  try {
    return new Evaluator(tokens).evaluate();
  } catch (error) {
    if (error instanceof NoValue) return null;
    throw error;
  }
}

/** Whether `formula` evaluates to the integer `target`, as Python's `==` compares: 24, 24.0 and no other double. */
export function formulaEquals(formula: string, target: number): boolean {
  const value = evaluateFormula(formula);
  return value !== null && Number(value) === target &&
    (typeof value === "number" || value === BigInt(target));
}

/** Maximal munch: digits without a space between them are one number, `**` and `//` one operator. */
function tokenize(formula: string): readonly string[] | null {
  const tokens: string[] = [];
  const pattern = /[ \t]*(?:(\d+)|\*\*|\/\/|[-+*/()])/y;
  const end = formula.trimEnd().length;
  while (pattern.lastIndex < end) {
    const match = pattern.exec(formula);
    if (match === null) return null;
    if (match[1] !== undefined && /^0+[1-9]/.test(match[1])) return null; // no leading zeros
    tokens.push(match[0].trimStart());
  }
  return tokens;
}

/** Recursive descent over `sum: product (± product)*`, `product: factor (* / // factor)*`, `factor: ±factor | power`. */
class Evaluator {
  readonly #tokens: readonly string[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  evaluate(): FormulaValue {
    const value = this.#sum();
    if (this.#next < this.#tokens.length) throw new NoValue();
    return value;
  }

  /** The next token if it is one of `choices`, and then steps over it. */
  #take(...choices: string[]): string | undefined {
    const token = this.#tokens[this.#next];
    if (!choices.includes(token)) return undefined;
    this.#next++;
    return token;
  }

  #sum(): FormulaValue {
    let value = this.#product();
    for (let operator; (operator = this.#take("+", "-"));) {
      value = apply(operator, value, this.#product());
    }
    return value;
  }

  #product(): FormulaValue {
    let value = this.#factor();
    for (let operator; (operator = this.#take("*", "/", "//"));) {
      value = apply(operator, value, this.#factor());
    }
    return value;
  }

  #factor(): FormulaValue {
    let isNegative = false;
    for (let sign; (sign = this.#take("+", "-"));) isNegative = isNegative !== (sign === "-");
    const value = this.#power();
    return isNegative ? -value : value;
  }

  #power(): FormulaValue {
    const base = this.#atom();
    if (this.#take("**") === undefined) return base;
    if (++this.#depth > MAX_DEPTH) throw new NoValue();
    const exponent = this.#factor(); // to the right first: 2**3**2 is 2**9
    this.#depth--;
    return power(base, exponent);
  }

  #atom(): FormulaValue {
    if (this.#take("(") !== undefined) {
      if (++this.#depth > MAX_DEPTH) throw new NoValue();
      const value = this.#sum();
      if (this.#take(")") === undefined) throw new NoValue();
      this.#depth--;
      return value;
    }
    const token = this.#tokens[this.#next++];
    if (token === undefined || !/^\d/.test(token)) throw new NoValue();
    return BigInt(token);
  }
}

function apply(operator: string, a: FormulaValue, b: FormulaValue): FormulaValue {
  if (typeof a === "bigint" && typeof b === "bigint") {
    if (operator === "+") return a + b;
    if (operator === "-") return a - b;
    if (operator === "*") return a * b;
    if (b === 0n) throw new NoValue();
    return operator === "/" ? divide(a, b) : floorDivide(a, b);
  }
  const x = toFloat(a);
  const y = toFloat(b);
  if (operator === "+") return x + y;
  if (operator === "-") return x - y;
  if (operator === "*") return x * y;
  if (y === 0) throw new NoValue();
  return operator === "/" ? x / y : floorDivideFloats(x, y);
}

/** Throws when the integer is beyond the doubles, as Python's `OverflowError`. */
function toFloat(value: FormulaValue): number {
  const float = Number(value);
  if (typeof value === "bigint" && !Number.isFinite(float)) throw new NoValue();
  return float;
}

/** The double nearest to a/b. */
function divide(a: bigint, b: bigint): number {
  const x = Number(a);
  const y = Number(b);
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) return x / y;
  // At least 66 bits of the quotient, the last one set if something is cut off: the conversion rounds once, rightly.
  const shift = Math.max(0, bits(b) - bits(a) + 67);
  const dividend = magnitude(a) << BigInt(shift);
  let quotient = dividend / magnitude(b);
  if (dividend % b !== 0n) quotient |= 1n;
  const sign = (a < 0n) === (b < 0n) ? 1 : -1;
  const first = Math.min(shift, 500); // 2 ** shift may overflow
  return sign * toFloat(quotient) / 2 ** first / 2 ** (shift - first);
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && (a < 0n) !== (b < 0n) ? quotient - 1n : quotient;
}

/** Python's float `//`, which goes by the exact remainder: `1.0 // 0.1` is 9. */
function floorDivideFloats(x: number, y: number): number {
  const remainder = x % y;
  let quotient = (x - remainder) / y;
  if (remainder !== 0 && (remainder < 0) !== (y < 0)) quotient -= 1;
  const floor = Math.floor(quotient);
  const rounded = quotient - floor > 0.5 ? floor + 1 : floor;
  return rounded === 0 ? 0 * (x / y) : rounded; // the zero has the quotient's sign
}

function power(base: FormulaValue, exponent: FormulaValue): FormulaValue {
  if (typeof base === "bigint" && typeof exponent === "bigint" && exponent >= 0n) {
    if (base === 0n || base === 1n) return exponent === 0n ? 1n : base;
    if (base === -1n) return exponent % 2n === 0n ? 1n : -1n;
    if (exponent > BigInt(MAX_POWER_BITS) || Number(exponent) * bits(base) > MAX_POWER_BITS) {
      throw new NoValue();
    }
    return base ** exponent;
  }
  const x = toFloat(base);
  const y = toFloat(exponent);
  if (x === 0 && y < 0) throw new NoValue(); // division by zero
  if (x < 0 && Number.isFinite(x) && Number.isFinite(y) && !Number.isInteger(y)) throw new NoValue(); // complex
  const value = x === 1 ? 1 : x ** y; // JavaScript has NaN for 1 ** Infinity
  if (!Number.isFinite(value) && Number.isFinite(x) && Number.isFinite(y)) throw new NoValue(); // overflow
  return value;
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** Bits of the magnitude; 1 for zero. */
function bits(value: bigint): number {
  const digits = magnitude(value).toString(16);
  return 4 * (digits.length - 1) + Math.max(1, 32 - Math.clz32(parseInt(digits[0], 16)));
}
