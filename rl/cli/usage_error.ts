/** A command called wrongly: the message goes to stderr and the command ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** Exit code for wrong usage. */
  readonly exitCode = 2;
}
