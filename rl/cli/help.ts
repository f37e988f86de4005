import { type Option, type Options, toFlag } from "./options.ts";

/** What `--help` says about a command beside its options. */
export interface CommandText {
  /** The command as it is typed, such as `./ponder train`. */
  readonly command: string;
  /** One or two sentences: what it does. */
  readonly summary: string;
  /** Placeholder for arguments without a flag, such as `[RUN]`. */
  readonly positional?: string;
  /** Command lines worth copying. */
  readonly examples?: readonly string[];
}

const placeholder = (option: Option): string => {
  if (option.type === "boolean") return "";
  if (option.type === "string" && option.choices) return ` ${option.choices.join("|")}`;
  const text = option.type === "path" ? "PATH" : "TEXT";
  if ("bare" in option && option.bare !== undefined) return ` [${text}]`;
  return {
    string: " TEXT",
    path: " PATH",
    number: " NUMBER",
    integer: " INTEGER",
    list: " A,B,..",
  }[option.type];
};

const shownDefault = (option: Option): string => {
  const value = option.default;
  if (value === undefined || value === false) return "";
  if (Array.isArray(value)) return value.length ? value.join(",") : "";
  return String(value);
};

function row(name: string, option: Option): readonly [string, string] {
  // A switch that is on by default is typed only to turn it off.
  const isOnByDefault = option.type === "boolean" && option.default === true;
  const flag = `${isOnByDefault ? "--no-" : "--"}${toFlag(name)}`;
  const left = `${option.short ? `-${option.short}, ` : ""}${flag}${placeholder(option)}`;
  const fallback = isOnByDefault ? "" : shownDefault(option);
  const notes = [option.unit, fallback && `default ${fallback}`].filter(Boolean).join(", ");
  const meaning = isOnByDefault ? `turn off: ${option.meaning}` : option.meaning;
  return [left, notes ? `${meaning} (${notes})` : meaning];
}

const MAX_LEFT_COLUMNS = 30;

function table(rows: readonly (readonly [string, string])[], left: number): string[] {
  return rows.map(([flag, meaning]) =>
    flag.length > left ? `  ${flag}\n  ${" ".repeat(left)}  ${meaning}` : `  ${flag.padEnd(left)}  ${meaning}`
  );
}

/** Makes the text of `--help`: usage, summary, examples, and options by group with type, unit, meaning and default. */
export function formatHelp(text: CommandText, options: Options): string {
  const groups = new Map<string, (readonly [string, string])[]>([["Options", []]]);
  for (const [name, option] of Object.entries(options)) {
    const group = option.group ?? "Options";
    groups.set(group, [...(groups.get(group) ?? []), row(name, option)]);
  }
  groups.get("Options")!.push(
    ["--config FILE", "settings from a JSON object by name; flags win"],
    ["-h, --help", "show this text"],
    ["--version", "show the versions of ponder and Deno"],
  );
  const widths = [...groups.values()].flat().map(([flag]) => flag.length).filter((w) =>
    w <= MAX_LEFT_COLUMNS
  );
  const left = Math.max(...widths);
  const usage = ["Usage:", text.command, "[OPTION...]", text.positional].filter(Boolean).join(" ");
  const lines = [usage, "", text.summary];
  for (const [group, rows] of groups) lines.push("", `${group}:`, ...table(rows, left));
  if (text.examples?.length) lines.push("", "Examples:", ...text.examples.map((line) => `  ${line}`));
  return lines.join("\n") + "\n";
}
