/** How much of a user's text a message repeats at most, in characters. */
const SHOWN = 80;

/** Shortens a text for a message: its first 80 characters, and how many there are in all. */
export function clip(text: string, limit: number = SHOWN): string {
  if (text.length <= limit) return text;
  // Half of a surrogate pair is no character.
  const head = text.slice(0, limit).replace(/[\ud800-\udbff]$/, "");
  return `${head}… (${text.length} characters)`;
}

/** Writes a value for a message: as JSON, shortened, with all control characters escaped. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    if (value.length <= SHOWN) return json(value);
    // A text keeps its closing quote.
    return `${json(value.slice(0, SHOWN)).slice(0, -1)}…" (${value.length} characters)`;
  }
  return clip(json(value));
}

/** JSON leaves DEL and the C1 controls as they are, and some terminals obey them. */
function json(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).replace(
    /[\x7f-\x9f]/g,
    (control) => `\\u00${control.charCodeAt(0).toString(16)}`,
  );
}

/** Takes users, passwords and tokens out of the URLs in a text. */
export function withoutSecrets(text: string): string {
  return text.replace(/\/\/[^@/,\s]*@/g, "//");
}

/** Makes a message fit for a terminal: without control characters and without words of hundreds of characters. */
export function printable(message: string): string {
  // deno-lint-ignore no-control-regex -- they are what is taken out
  return message.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "\ufffd").replace(
    /\S{400,}/g,
    (word) => clip(word),
  );
}

/** Writes a word as a POSIX shell takes it: quoted if it holds anything but plain characters. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
