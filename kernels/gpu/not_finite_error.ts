/** A value was NaN or infinite where none may be. */
export class NotFiniteError extends RangeError {
  override name = "NotFiniteError";
}
