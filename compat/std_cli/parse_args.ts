// Types: a declared name maps to its type; with nothing declared, every name is allowed.
type Names<K> = K | readonly K[];
type DefaultOf<D, K> = D extends Record<string, unknown> ? K extends keyof D ? D[K] : undefined : undefined;
type Single<T, D, K, Absent> = DefaultOf<D, K> extends undefined ? T | Absent
  : T | Exclude<DefaultOf<D, K>, undefined>;
type Listed<T, C, K, One> = K extends C ? T[] : One;

/** Parsed arguments: positional ones under `_`, those after `--` under `"--"` when asked for. */
export type Args<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  D = undefined,
> =
  & { _: (string | number)[]; "--"?: string[] }
  & ([B | S | keyof D] extends [never]
    // deno-lint-ignore no-explicit-any
    ? Record<string, any>
    :
      & { [K in B]: Listed<boolean, C, K, Single<boolean, D, K, never>> }
      & { [K in S]: Listed<string, C, K, Single<string, D, K, undefined>> }
      & { [K in Exclude<keyof D & string, B | S>]: unknown });

/** Options of {@linkcode parseArgs}. */
export interface ParseOptions<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  D = undefined,
> {
  /** Put what follows a bare `--` under `"--"` instead of appending it to `_`. Default false. */
  "--"?: boolean;
  /** Other names of an option. */
  alias?: Record<string, string | readonly string[]>;
  /** Options that never take the next argument as their value; `true`: every `--name` without `=`. */
  boolean?: boolean | Names<B>;
  /** Options whose values stay strings, also where they look like numbers. */
  string?: Names<S>;
  /** Values of options that are not given. */
  default?: D & Record<string, unknown>;
  /** Options that may be repeated and give a list. */
  collect?: Names<C>;
  /** Options for which `--no-name` means false. */
  negatable?: boolean | Names<string>;
  /** Take everything after the first positional argument as positional. Default false. */
  stopEarly?: boolean;
  /** Called for every argument that is not declared; `false` leaves it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

const list = (names: unknown): string[] =>
  typeof names === "string" ? [names] : Array.isArray(names) ? [...names] : [];

const isNumber = (text: string): boolean =>
  /^0x[0-9a-f]+$/i.test(text) || /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?$/.test(text);

const isBareLong = (arg: string): boolean => arg.startsWith("--") && !arg.includes("=");

type Tree = Record<string, unknown>;

class Parser {
  readonly result: Tree;
  readonly names = new Map<string, string[]>();
  readonly booleans: Set<string>;
  readonly strings: Set<string>;
  readonly collected: Set<string>;
  readonly negatable: Set<string>;
  readonly declared: Set<string>;
  readonly allBooleans: boolean;
  readonly unknown: ParseOptions["unknown"];
  readonly positional: (string | number)[] = [];

  constructor(options: ParseOptions<string, string, string, unknown>) {
    this.result = { _: this.positional };
    for (const [key, others] of Object.entries(options.alias ?? {})) {
      if (others === undefined) throw new TypeError("Alias value must be defined");
      const group = [key, ...list(others)];
      for (const name of group) {
        this.names.set(name, [...new Set([...(this.names.get(name) ?? [name]), ...group])]);
      }
    }
    const withAliases = (keys: string[]) => new Set(keys.flatMap((key) => this.namesOf(key)));
    this.allBooleans = options.boolean === true;
    this.booleans = withAliases(list(options.boolean));
    this.strings = withAliases(list(options.string));
    this.collected = withAliases(list(options.collect));
    const every = withAliases([
      ...list(options.boolean),
      ...list(options.string),
      ...list(options.collect),
      ...list(options.negatable),
    ]);
    this.negatable = options.negatable === true ? every : withAliases(list(options.negatable));
    this.declared = new Set([...this.booleans, ...this.strings, ...this.collected, ...this.names.keys()]);
    this.unknown = options.unknown;
  }

  namesOf(key: string): string[] {
    return this.names.get(key) ?? [key];
  }

  /** Sets the value at a dotted path; repeated `collect` options append, other repeats replace. */
  private store(key: string, value: unknown): void {
    const path = key.split(".");
    let at = this.result;
    for (const step of path.slice(0, -1)) {
      if (!Object.hasOwn(at, step) || typeof at[step] !== "object") at[step] = {};
      at = at[step] as Tree;
    }
    const leaf = path.at(-1)!;
    if (path.some((step) => step === "__proto__")) return;
    if (!this.collected.has(key)) at[leaf] = value;
    else if (Object.hasOwn(at, leaf) && Array.isArray(at[leaf])) (at[leaf] as unknown[]).push(value);
    else at[leaf] = [value];
  }

  has(key: string): boolean {
    let at: unknown = this.result;
    for (const step of key.split(".")) {
      if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return false;
      at = (at as Tree)[step];
    }
    return true;
  }

  set(key: string, raw: unknown, arg?: string): void {
    if (
      arg !== undefined && this.unknown && !this.declared.has(key) && !(this.allBooleans && isBareLong(arg))
    ) {
      if (this.unknown(arg, key, raw) === false) return;
    }
    const value = typeof raw === "string" && !this.strings.has(key) && isNumber(raw) ? Number(raw) : raw;
    for (const name of this.namesOf(key)) this.store(name, value);
  }

  addPositional(arg: string): void {
    if (this.unknown && this.unknown(arg) === false) return;
    this.positional.push(!this.strings.has("_") && isNumber(arg) ? Number(arg) : arg);
  }
}

const isBoolean = (p: Parser, key: string): boolean => p.booleans.has(key);
/** A value, as opposed to the next option; a negative number has to be written `--name=-5`. */
const isValue = (next: string | undefined): next is string =>
  next !== undefined && next !== "" && !next.startsWith("-");

/** Reads `--name`, `--name=value`, `--name value`, `--no-name`; returns how many arguments it used. */
function readLong(p: Parser, arg: string, next: string | undefined): number {
  const equals = arg.indexOf("=");
  if (equals > 2) {
    const key = arg.slice(2, equals), text = arg.slice(equals + 1);
    p.set(key, isBoolean(p, key) ? text !== "false" : text, arg);
    return 1;
  }
  const key = arg.slice(2);
  if (key.startsWith("no-") && p.negatable.has(key.slice(3))) {
    p.set(key.slice(3), false, arg);
    return 1;
  }
  if (isValue(next) && !isBoolean(p, key) && !p.allBooleans) {
    p.set(key, next, arg);
    return 2;
  }
  if ((isBoolean(p, key) || p.allBooleans) && (next === "true" || next === "false")) {
    p.set(key, next === "true", arg);
    return 2;
  }
  p.set(key, p.strings.has(key) ? "" : true, arg);
  return 1;
}

/** Reads `-a`, `-abc`, `-n5`, `-n=5`, `-n 5`; returns how many arguments it used. */
function readShort(p: Parser, arg: string, next: string | undefined): number {
  const letters = arg.slice(1);
  for (let i = 0; i < letters.length - 1; i++) {
    const letter = letters[i]!, rest = letters.slice(i + 1);
    if (rest === "-") {
      p.set(letter, rest, arg);
      continue;
    }
    if (/[A-Za-z]/.test(letter) && rest.startsWith("=")) {
      p.set(letter, rest.slice(1), arg);
      return 1;
    }
    if (/[A-Za-z]/.test(letter) && isNumber(rest)) {
      p.set(letter, rest, arg);
      return 1;
    }
    if (/\W/.test(letters[i + 1]!)) {
      p.set(letter, rest, arg);
      return 1;
    }
    p.set(letter, p.strings.has(letter) ? "" : true, arg);
  }
  const key = letters.at(-1)!;
  if (key === "-") return 1;
  if (next && !/^--?[^-]/.test(next) && !isBoolean(p, key)) {
    p.set(key, next, arg);
    return 2;
  }
  if (isBoolean(p, key) && (next === "true" || next === "false")) {
    p.set(key, next === "true", arg);
    return 2;
  }
  p.set(key, p.strings.has(key) ? "" : true, arg);
  return 1;
}

/**
 * Parses command-line arguments: `--name value`, `--name=value`, `--flag`, `--no-flag`, `-n value`, `-abc`,
 * positional ones under `_`. Undeclared values that look like numbers become numbers.
 *
 * @example
 * ```ts
 * import { parseArgs } from "@std/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const args = parseArgs(["--seed", "7", "--json", "run"], { boolean: ["json"], string: ["seed"] });
 * assertEquals(args, { _: ["run"], seed: "7", json: true });
 * ```
 */
export function parseArgs<
  const B extends string = never,
  const S extends string = never,
  const C extends string = never,
  const D extends Record<string, unknown> | undefined = undefined,
>(args: string[], options: ParseOptions<B, S, C, D> = {}): Args<B, S, C, D> {
  const parser = new Parser(options as ParseOptions<string, string, string, unknown>);
  const end = args.indexOf("--");
  const before = end < 0 ? args : args.slice(0, end);
  const after = end < 0 ? [] : args.slice(end + 1);

  for (let i = 0; i < before.length;) {
    const arg = before[i]!;
    if (/^--.+/.test(arg)) i += readLong(parser, arg, before[i + 1]);
    else if (/^-[^-]+/.test(arg)) i += readShort(parser, arg, before[i + 1]);
    else {
      parser.addPositional(arg);
      i++;
      if (!options.stopEarly) continue;
      parser.positional.push(...before.slice(i));
      break;
    }
  }

  for (const [key, value] of Object.entries(options.default ?? {})) {
    if (!parser.has(key)) { for (const name of parser.namesOf(key)) setDefault(parser, name, value); }
  }
  for (const key of parser.booleans) {
    if (!parser.has(key)) setDefault(parser, key, parser.collected.has(key) ? [] : false);
  }
  for (const key of parser.strings) {
    if (parser.collected.has(key) && !parser.has(key)) setDefault(parser, key, []);
  }

  if (options["--"]) parser.result["--"] = after;
  else parser.positional.push(...after);
  return parser.result as Args<B, S, C, D>;
}

function setDefault(parser: Parser, key: string, value: unknown): void {
  const path = key.split(".");
  let at = parser.result;
  for (const step of path.slice(0, -1)) at = (at[step] ??= {}) as Tree;
  at[path.at(-1)!] = value;
}
