import { foldLines } from "./format.ts";
import { outputColumns, terminalColumns } from "./terminal.ts";
import { failureMessage } from "./failure.ts";
import { type CommandText, formatHelp } from "./help.ts";
import type { Options } from "./options.ts";
import { type Parsed, parseOptions } from "./parse.ts";
import { shellQuote, withoutSecrets } from "./shown.ts";
import { type Console, dropUnwritableMessages, processConsole } from "./streams.ts";
import { UsageError } from "./usage_error.ts";

/** A command: its options, its help, and what it does. */
export interface Command<O extends Options> extends CommandText {
  /** Declared options, or a function that finds them for a command line. */
  readonly options: O | ((args: readonly string[]) => Promise<O>);
  /** Largest number of arguments without a flag. Default 0. */
  readonly maxPositional?: number;
  /** Finds, for a command line, what says of an unknown setting where it belongs. */
  readonly elsewhere?: (args: readonly string[]) => Promise<(setting: string) => string | undefined>;
  /** Does the work. Resolves to an exit code; nothing means 0. */
  readonly run: (parsed: Parsed<O>) => Promise<number | void> | number | void;
}

/**
 * Runs a command line and resolves to its exit code: 0 done, 1 failed, 2 wrong usage. `--help` and
 * `--version` go to stdout. Messages go to stderr; they are dropped if it cannot be written. `debug` adds the stack of a failure.
 */
export async function runCommand<const O extends Options>(
  command: Command<O>,
  args: readonly string[],
  { console = processConsole, debug = false }: { console?: Console; debug?: boolean } = {},
): Promise<number> {
  if (console === processConsole) dropUnwritableMessages();
  try {
    if (args.length === 1 && args[0] === "--version") {
      console.out(`ponder ${ponderVersion()}\ndeno ${Deno.version.deno}\n`);
      return 0;
    }
    const options = typeof command.options === "function" ? await command.options(args) : command.options;
    const elsewhere = await command.elsewhere?.(args);
    const parsed = parseOptions(args, options, { maxPositional: command.maxPositional, elsewhere });
    if (parsed.help) {
      console.out(foldLines(formatHelp(command, options), outputColumns()));
      return 0;
    }
    return (await command.run(parsed)) ?? 0;
  } catch (error) {
    // The reader of our output, such as `head`, has seen enough.
    if (error instanceof Deno.errors.BrokenPipe) return 1;
    const isUsage = error instanceof UsageError;
    const isSeen = console === processConsole && Deno.stderr.isTerminal();
    console.err(`${foldLines(failureMessage(error), isSeen ? terminalColumns() : Infinity)}\n`);
    if (isUsage) console.err(`See: ${command.command} --help\n`);
    else if (debug && error instanceof Error) console.err(`${error.stack}\n`);
    return isUsage ? error.exitCode : 1;
  }
}

/** The version in `deno.json`. */
function ponderVersion(): string {
  return JSON.parse(Deno.readTextFileSync(new URL("../../deno.json", import.meta.url))).version;
}

/** Writes a command line as a shell takes it, by default this process's: `./ponder bench --only 'PPO minibatch'`, without the passwords in URLs. */
export function commandLine(task: string, args: readonly string[] = Deno.args): string {
  return ["./ponder", task, ...args.map((arg) => shellQuote(withoutSecrets(arg)))].join(" ");
}
