/** A command called wrongly: the message goes to stderr and the command ends with exit code 2. */
export class UsageError extends Error {
  /** `UsageError`. */
  override readonly name = "UsageError";
  /** Exit code for wrong usage. */
  readonly exitCode = 2;
}
