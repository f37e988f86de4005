import { parseArgs } from "@std/cli";
import { suggestion } from "../../envs/shared/nearest.ts";
import { defaultsOf, fromFlag, type Given, type Options, readValue, toFlag, type Values } from "./options.ts";
import { userPath } from "./paths.ts";
import { clip, shown } from "./shown.ts";
import { UsageError } from "./usage_error.ts";

/** What a command line says. */
export interface Parsed<O extends Options> {
  /** Was `--help` given? Then nothing else was read. */
  readonly help: boolean;
  /** The value of every option: the flag's, else the file's, else the default, else undefined. */
  readonly values: Values<O>;
  /** Only the values that a flag or the `--config` file gave. They override a preset. */
  readonly given: Given<O>;
  /** Arguments without a flag. */
  readonly positional: readonly string[];
}

/** What {@linkcode parseOptions} gets from outside; tests replace it. */
export interface ParseContext {
  /** Largest number of arguments without a flag. Default 0. */
  readonly maxPositional?: number;
  /** Reads the `--config` file. */
  readonly readText?: (path: string) => string;
  /** Says of a setting that was not declared where it belongs, if that is known. */
  readonly elsewhere?: (setting: string) => string | undefined;
}

/**
 * Mends three things that `parseArgs` gets wrong. It would read `-1` in `--lambda -1` as a flag: the two are joined with `=`. It
 * would read `--json=maybe` as true, and `-dash` as `-h` with others: these are refused.
 */
function prepare(args: readonly string[], options: Options, elsewhere: Elsewhere): string[] {
  const kinds = new Map(Object.entries(options).map(([name, option]) => [`--${toFlag(name)}`, option.type]));
  const prepared: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") return [...prepared, ...args.slice(i)];
    const [flag, text] = arg.split(/=(.*)/s) as [string, string | undefined];
    // `parseArgs` keeps arguments without a flag under this name.
    const isInternal = flag === "--_" || flag === "--no-_" || /^-[^-]*_/.test(flag);
    // It would also read `-dash` as `-d -a -s -h`, and show the help.
    if (isInternal || /^-[^-\d.]./.test(arg) && arg !== "-help") {
      throw unknownFlag(flag, options, elsewhere);
    }
    const kind = kinds.get(flag);
    if (kind === "boolean" && text !== undefined && text !== "true" && text !== "false") {
      throw new UsageError(`${flag} needs true or false, got ${shown(text)}`);
    }
    const takesNext = text === undefined && (kind === "number" || kind === "integer");
    if (takesNext && /^-[\d.]/.test(args[i + 1] ?? "")) prepared.push(`${arg}=${args[++i]}`);
    else prepared.push(arg);
  }
  return prepared;
}

function knownFlags(options: Options): string[] {
  const flags = Object.entries(options).flatMap(([name, option]) =>
    option.type === "boolean" ? [`--${toFlag(name)}`, `--no-${toFlag(name)}`] : [`--${toFlag(name)}`]
  );
  return [...flags, "--config", "--help"];
}

type Elsewhere = ParseContext["elsewhere"];

function unknownFlag(flag: string, options: Options, elsewhere: Elsewhere): UsageError {
  const names = [flag.replace(/^--/, ""), flag.replace(/^--no-/, "")].map(fromFlag);
  const place = names.map((name) => elsewhere?.(name)).find((place) => place !== undefined);
  if (place !== undefined) return new UsageError(`Cannot use ${clip(flag)}: ${place}`);
  return new UsageError(`Unknown flag ${clip(flag)}${suggestion(flag, knownFlags(options))}`);
}

/** Size limit of the `--config` file in bytes; settings take a few thousand. */
const MAX_CONFIG_BYTES = 1 << 20;

/**
 * Reads a file of settings. It has to be a plain file, since a pipe might never end.
 *
 * @throws {TypeError | RangeError} when it is none, or far too long.
 */
export function readPlainFile(path: string): string {
  const { isFile, isDirectory, size } = Deno.statSync(path);
  if (!isFile) {
    const kind = isDirectory ? "a folder" : "a pipe or device, no plain file";
    throw new TypeError(`it is ${kind}, name a JSON file`);
  }
  if (size > MAX_CONFIG_BYTES) throw new RangeError(`it holds ${size} bytes, settings take a few thousand`);
  const bytes = Deno.readFileSync(path);
  const [first, second] = bytes;
  // PowerShell writes UTF-16.
  const encoding = first === 0xff && second === 0xfe
    ? "utf-16le"
    : first === 0xfe && second === 0xff
    ? "utf-16be"
    : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

/** Parses the text of a file of settings. Editors on Windows begin one with a byte order mark. */
export function parseSettings(text: string): unknown {
  return JSON.parse(text.replace(/^\ufeff/, ""));
}

/** Says in plain words why a file could not be read. */
function stateOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file, check the path";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied, check whose it is";
  return (error as Error).message;
}

function readConfigFile(
  options: Options,
  path: string,
  { readText = readPlainFile, elsewhere }: ParseContext,
): Record<string, unknown> {
  let text: string;
  try {
    text = readText(path);
  } catch (error) {
    throw new UsageError(`Cannot read --config ${path}: ${stateOf(error)}`, { cause: error });
  }
  let settings: unknown;
  try {
    settings = parseSettings(text);
  } catch (error) {
    const reason = clip((error as Error).message.replaceAll(/\s+/g, " "), 200);
    throw new UsageError(`Cannot read --config ${path}: not JSON, ${reason}`, { cause: error });
  }
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw new UsageError(`Cannot read --config ${path}: must hold one object of settings`);
  }
  const values: Record<string, unknown> = {};
  for (const [name, raw] of Object.entries(settings)) {
    if (!Object.hasOwn(options, name)) {
      const place = elsewhere?.(name);
      throw new UsageError(
        place === undefined
          ? `Unknown setting ${shown(name)} in ${path}${suggestion(name, Object.keys(options))}`
          : `Cannot use the setting ${shown(name)} in ${path}: ${place}`,
      );
    }
    values[name] = readValue(options[name]!, raw, `"${name}" in ${path}`);
  }
  return values;
}

/**
 * Parses a command line against declared options. Flags override `--config FILE`, a JSON object by setting name, which
 * overrides defaults. `--help`, `-h` and `--config` need not be declared.
 *
 * @throws {UsageError} for an unknown flag or setting (naming the nearest) or a value that does not fit.
 * @throws {UsageError} for a surplus argument, or a file that cannot be read.
 *
 * @example
 * ```ts
 * import { defineOptions, parseOptions } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const options = defineOptions({
 *   seed: { type: "integer", default: 0, min: 0, meaning: "seed of everything random" },
 *   cot: { type: "boolean", default: true, meaning: "write a thought before the action" },
 * });
 * const { values } = parseOptions(["--seed", "7", "--no-cot"], options);
 * assertEquals(values, { seed: 7, cot: false });
 * ```
 */
export function parseOptions<const O extends Options>(
  args: readonly string[],
  options: O,
  context: ParseContext = {},
): Parsed<O> {
  const { maxPositional = 0, elsewhere } = context;
  const entries = Object.entries(options);
  const booleans = entries.filter(([, option]) => option.type === "boolean").map(([name]) => toFlag(name));
  const texts = entries.filter(([, option]) => option.type !== "boolean").map(([name]) => toFlag(name));
  const alias: Record<string, string> = { help: "h" };
  for (const [name, option] of entries) if (option.short) alias[toFlag(name)] = option.short;

  let unknown: string | undefined;
  const raw = parseArgs(prepare(args, options, elsewhere), {
    boolean: [...booleans, "help"],
    string: [...texts, "config", "_"],
    // An absent boolean is undefined, which tells it from a false one.
    default: Object.fromEntries(booleans.map((flag) => [flag, undefined])),
    negatable: booleans,
    alias,
    unknown: (arg, key) => {
      if (key !== undefined) unknown ??= arg.split("=")[0]!;
      return key === undefined;
    },
  }) as { _: (string | number)[]; [flag: string]: unknown };

  const base = { positional: raw._.map(String) };
  const values = defaultsOf(options);
  if (raw.help) return { ...base, help: true, values: values as Values<O>, given: {} };
  if (unknown !== undefined) throw unknownFlag(unknown, options, elsewhere);
  const given: Record<string, unknown> = {};
  if (raw.config === "") throw new UsageError("--config needs the path of a JSON file");
  if (raw.config !== undefined) {
    Object.assign(given, readConfigFile(options, userPath(String(raw.config)), context));
  }
  for (const [name, option] of entries) {
    const flag = toFlag(name), text = raw[flag];
    if (text === undefined) continue;
    const value = text === "" && "bare" in option ? option.bare ?? text : text;
    if (value === "") {
      throw new UsageError(`Missing value of --${flag}${option.unit ? ` (${option.unit})` : ""}`);
    }
    given[name] = readValue(option, value, `--${flag}`);
  }
  const surplus = base.positional[maxPositional];
  if (surplus !== undefined) {
    const allowed = maxPositional === 0 ? "none is" : `at most ${maxPositional} are`;
    throw new UsageError(`Unexpected argument ${shown(surplus)}: ${allowed} allowed, flags start with --`);
  }
  return { ...base, help: false, values: { ...values, ...given } as Values<O>, given: given as Given<O> };
}
