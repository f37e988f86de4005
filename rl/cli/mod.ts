/**
 * What every command shares: declared options, `--help`, errors with exit codes, the progress line, formatting.
 *
 * @module
 */
export { type Command, commandLine, type Console, processConsole, runCommand } from "./command.ts";
export { boolean, choice, integer, list, number, optionalText, section, text } from "./declare.ts";
export {
  formatBytes,
  formatCount,
  formatDuration,
  formatMarkdown,
  formatShare,
  formatTable,
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
  type Options,
  readValue,
  type StringOption,
  toFlag,
  type Values,
} from "./options.ts";
export { type ParseContext, type Parsed, parseOptions } from "./parse.ts";
export {
  estimateLeftMs,
  formatProgress,
  Progress,
  type ProgressOptions,
  type ProgressState,
} from "./progress.ts";
export { UsageError } from "./usage_error.ts";
