/** Errors that callers tell apart. */

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
