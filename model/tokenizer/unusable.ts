/** What is said of a `tokenizer.json` that cannot serve. */
export function unusable(state: string, cause?: unknown): SyntaxError {
  return new SyntaxError(
    `Cannot read tokenizer.json: ${state}, use a tokenizer without it or one of buildTokenizer()`,
    { cause },
  );
}

/** An object of a `tokenizer.json`, with keys that are not known yet. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** Is this an object, and neither null nor a list? */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
