/**
 * What every command shares: declared options, `--help`, errors with exit codes, the progress line, formatting.
 *
 * @module
 */
export { type Command, commandLine, runCommand } from "./command.ts";
export {
  boolean,
  type BooleanSetting,
  choice,
  type ChoiceSetting,
  integer,
  list,
  type ListSetting,
  number,
  type NumberRange,
  type NumberSetting,
  optionalText,
  path,
  section,
  text,
  type TextSetting,
} from "./declare.ts";
export { failureMessage } from "./failure.ts";
export { noteUserModule, placedMessage } from "./user_code.ts";
export {
  foldLines,
  formatBytes,
  formatCount,
  formatDuration,
  formatMarkdown,
  formatShare,
  formatTable,
  wrapWords,
} from "./format.ts";
export { type CommandText, formatHelp } from "./help.ts";
export { editDistance, nearestName, suggestion } from "../../envs/shared/nearest.ts";
export {
  type BooleanOption,
  defaultsOf,
  defineOptions,
  type Given,
  type ListOption,
  type NumberOption,
  type Option,
  type OptionBase,
  type Options,
  type PathOption,
  readValue,
  type StringOption,
  toFlag,
  type Values,
  type ValueType,
} from "./options.ts";
export { runPath, RUNS_FOLDER, userFolder, userPath } from "./paths.ts";
export { type ParseContext, type Parsed, parseOptions, parseSettings, readPlainFile } from "./parse.ts";
export {
  estimateLeftMs,
  formatProgress,
  Progress,
  type ProgressOptions,
  type ProgressState,
} from "./progress.ts";
export { clip, printable, shellQuote, shown, withoutSecrets } from "./shown.ts";
export { type Console, processConsole } from "./streams.ts";
export { taskArguments } from "./task.ts";
export { UsageError } from "./usage_error.ts";
export { outputColumns, terminalColumns, terminalRows } from "./terminal.ts";
