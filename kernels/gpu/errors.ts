/** Errors that callers tell apart, and the check that throws one of them. */

/** A value was NaN or infinite where none may be. */
export class NotFiniteError extends RangeError {
  /** `NotFiniteError`. */
  override name = "NotFiniteError";
}

/** The device has no memory left, which other programs may hold. */
export class OutOfMemoryError extends Error {
  /** `OutOfMemoryError`. */
  override name = "OutOfMemoryError";
}

/** The device is gone: its driver was reset, the card was removed, or it was destroyed. Work can go on only on another one. */
export class DeviceLostError extends Error {
  /** `DeviceLostError`. */
  override name = "DeviceLostError";
}

/**
 * The device refused something, such as a submission, a launch, or a kernel's text. Work that depends on it did not happen. The
 * device itself can still be used.
 */
export class SubmissionError extends Error {
  /** `SubmissionError`. */
  override name = "SubmissionError";
}

/**
 * Checks values that came back from a model.
 *
 * @param nameOf what the value at an index is, as `the log-probability of token 3`
 * @throws {NotFiniteError} naming the first that is NaN or infinite: `Cannot ACTION: NAME is NaN; …`.
 */
export function requireFinite(
  action: string,
  values: ArrayLike<number>,
  nameOf: (index: number) => string,
): void {
  for (let index = 0; index < values.length; index++) {
    if (Number.isFinite(values[index])) continue;
    throw new NotFiniteError(
      `Cannot ${action}: ${nameOf(index)} is ${values[index]}; ` +
        "the weights hold NaN or infinity, or are so large that sums overflow: use an earlier checkpoint",
    );
  }
}
