/**
 * `completions`: what a shell needs to complete command lines of `./ponder`, from the declarations that `--help` shows.
 *
 * @module
 */
import { ENV_NAMES } from "../envs/mod.ts";
import { algorithms } from "../rl/algorithms/mod.ts";
import {
  type Command,
  defineOptions,
  type Option,
  type Options,
  processConsole,
  runCommand,
  toFlag,
  UsageError,
} from "../rl/cli/mod.ts";

/** Shells that completions are written for, and the place in which each looks for them. */
const SHELLS = { bash: bashCompletions, zsh: zshCompletions, fish: fishCompletions } as const;

/** A flag as a shell completes it. */
export interface CompletedFlag {
  /** With its dashes. */
  readonly flag: string;
  readonly meaning: string;
  /** What a value may be; null for a switch. */
  readonly values: readonly string[] | null;
  /** Whether a value may be a file. */
  readonly isFile: boolean;
}

/** A command as a shell completes it. */
export interface CompletedCommand {
  readonly name: string;
  readonly meaning: string;
  readonly flags: readonly CompletedFlag[];
}

/** Names that texts may be beside files, by setting. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  env: ENV_NAMES,
  algorithm: Object.keys(algorithms),
};

const ROOT = new URL("../", import.meta.url);

/** All commands: the tasks of `deno.json`, with the options that the programs behind them declare. */
export async function completedCommands(): Promise<CompletedCommand[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))) as {
    tasks: Record<string, { description: string; command: string }>;
  };
  return await Promise.all(
    Object.entries(tasks).map(async ([name, { description, command }]) => {
      const program = /\S*\b(?:commands|bench)\/\w+\.ts$/.exec(command)?.[0];
      const flags = program === undefined ? [] : flagsOf(await optionsIn(program));
      return { name, meaning: description, flags };
    }),
  );
}

async function optionsIn(program: string): Promise<Options> {
  const module: Record<string, unknown> = await import(new URL(program, ROOT).href);
  for (const exported of Object.values(module)) {
    const { options, run } = Object(exported) as Partial<Command<Options>>;
    if (options === undefined || run === undefined) continue;
    return typeof options === "function" ? await options([]) : options;
  }
  return {};
}

function flagsOf(options: Options): CompletedFlag[] {
  const flags = Object.entries(options).map(([name, option]) => ({
    flag: `--${option.type === "boolean" && option.default === true ? "no-" : ""}${toFlag(name)}`,
    meaning: option.meaning,
    values: valuesOf(name, option),
    isFile: option.type !== "boolean" && !("choices" in option && option.choices),
  }));
  return [...flags, {
    flag: "--help",
    meaning: "what the command does, and its options",
    values: null,
    isFile: false,
  }];
}

function valuesOf(name: string, option: Option): readonly string[] | null {
  if (option.type === "boolean") return null;
  return option.type === "string" && option.choices ? option.choices : KNOWN[name] ?? [];
}

/** A text in single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function bashCompletions(commands: readonly CompletedCommand[]): string {
  const flags = commands.map(({ name, flags }) =>
    `    ${name}) flags=${quoted(flags.map(({ flag }) => flag).join(" "))} ;;`
  );
  const values = commands.flatMap(({ name, flags }) =>
    flags.filter(({ values }) => values !== null && values.length > 0).map(({ flag, values }) =>
      `    ${name}:${flag}) values=${quoted(values!.join(" "))} ;;`
    )
  );
  const valued = (isFile: boolean) =>
    commands.flatMap(({ name, flags }) =>
      flags.filter((each) => each.values !== null && each.isFile === isFile).map(({ flag }) =>
        `${name}:${flag}`
      )
    ).join(" | \\\n    ");
  return `# bash completions of ponder: source this file, or keep it as
# ~/.local/share/bash-completion/completions/ponder
_ponder() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} flags= values=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(commands.map(({ name }) => name).join(" "))} -- "$word"))
    return
  fi
  # --flag=value comes as three words.
  if [ "$word" = = ]; then word=; else
    if [ "$before" = = ]; then before=\${COMP_WORDS[COMP_CWORD-2]}; fi
  fi
  case \${COMP_WORDS[1]}:$before in
${values.join("\n")}
  esac
  case \${COMP_WORDS[1]}:$before in
    ${valued(false)})
      COMPREPLY=($(compgen -W "$values" -- "$word"))
      return ;;
    ${valued(true)})
      COMPREPLY=($(compgen -W "$values" -- "$word") $(compgen -f -- "$word"))
      return ;;
  esac
  case \${COMP_WORDS[1]} in
${flags.join("\n")}
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _ponder ponder ./ponder
`;
}

function zshCompletions(commands: readonly CompletedCommand[]): string {
  const plain = (text: string) => text.replace(/[[\]\\:]/g, "\\$&");
  const specs = commands.map(({ name, flags }) => {
    const lines = flags.map(({ flag, meaning, values, isFile }) => {
      const told = `${flag}[${plain(meaning)}]`;
      if (values === null) return quoted(told);
      const action = values.length === 0
        ? "_files"
        : !isFile
        ? `(${values.join(" ")})`
        : `{_alternative "names:name:(${values.join(" ")})" "files:file:_files"}`;
      return quoted(`${flag}=[${plain(meaning)}]:value:${action}`);
    });
    return `    ${name}) _arguments ${[...lines, quoted("*:file:_files")].join(" \\\n      ")} ;;`;
  });
  return `#compdef ponder
# zsh completions of ponder: keep this file as _ponder in a folder of $fpath, or source it.
_ponder() {
  local -a commands=(
${commands.map(({ name, meaning }) => `    ${quoted(`${name}:${meaning}`)}`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${specs.join("\n")}
  esac
}
compdef _ponder ponder
`;
}

function fishCompletions(commands: readonly CompletedCommand[]): string {
  const fishQuoted = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const lines = commands.flatMap(({ name, meaning, flags }) => [
    `complete -c ponder -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(meaning)}`,
    ...flags.map(({ flag, meaning, values, isFile }) => {
      const needs = values === null
        ? ""
        : ` -r${isFile ? " -F" : " -f"}${values.length === 0 ? "" : ` -a ${fishQuoted(values.join(" "))}`}`;
      return `complete -c ponder -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)}${needs} -d ${
        fishQuoted(meaning)
      }`;
    }),
  ]);
  return `# fish completions of ponder: keep this file as ~/.config/fish/completions/ponder.fish\n${
    lines.join("\n")
  }\n`;
}

/** Writes the completions of a shell. */
export async function completionsFor(shell: keyof typeof SHELLS): Promise<string> {
  return SHELLS[shell](await completedCommands());
}

const options = defineOptions({});

/** The `completions` command. */
export const completionsCommand: Command<typeof options> = {
  command: "./ponder completions",
  positional: Object.keys(SHELLS).join("|"),
  summary: "Write what a shell needs to complete command lines of ./ponder, on stdout.",
  examples: [
    "./ponder completions bash > ~/.local/share/bash-completion/completions/ponder",
    "./ponder completions zsh > ~/.zfunc/_ponder",
    "./ponder completions fish > ~/.config/fish/completions/ponder.fish",
  ],
  options,
  maxPositional: 1,
  async run({ positional: [shell] }) {
    if (shell === undefined || !Object.hasOwn(SHELLS, shell)) {
      const got = shell === undefined ? "none is named" : `got ${JSON.stringify(shell)}`;
      throw new UsageError(`Cannot complete for this shell: ${got}, use ${Object.keys(SHELLS).join(", ")}`);
    }
    processConsole.out(await completionsFor(shell as keyof typeof SHELLS));
  },
};

if (import.meta.main) Deno.exit(await runCommand(completionsCommand, Deno.args));
