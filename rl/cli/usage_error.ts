/** The error of a command that was called wrongly. Its message goes to stderr, and the command exits with code 2. */
export class UsageError extends Error {
  /** `UsageError`. */
  override readonly name = "UsageError";
  /** Exit code for wrong usage. */
  readonly exitCode = 2;
}
