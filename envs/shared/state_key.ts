/** Keys of plain data: equal data have equal keys, different data different ones. */

/**
 * Writes `value` as text. Fields are sorted by name. Lists, maps, sets, typed arrays, `undefined`, `NaN`, infinities and big
 * integers all have different texts. Throws `TypeError` for functions and symbols, which are no data, and for what holds itself.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { keyOf } from "@ponder/ponder/envs";
 *
 * assertEquals(keyOf({ a: 1, b: [2] }), keyOf({ b: [2], a: 1 }));
 * ```
 */
export function keyOf(value: unknown): string {
  return keyAt(value, 0);
}

/** No data are nested as deep as this. */
const MOST_DEPTH = 100;

function keyAt(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return String(value); // 0 and -0 are equal
    case "bigint":
      return `${value}n`;
    case "boolean":
    case "undefined":
      return String(value);
    case "object":
      return value === null ? "null" : keyOfObject(value, depth + 1);
    default:
      throw new TypeError(`Cannot name a state: it holds a ${typeof value}, use plain data`);
  }
}

function keyOfObject(value: object, depth: number): string {
  if (depth > MOST_DEPTH) throw new TypeError("Cannot name a state: it holds itself, use plain data");
  const keyOf = (part: unknown) => keyAt(part, depth);
  if (Array.isArray(value)) return `[${value.map(keyOf).join()}]`;
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name}[${
      Array.from(value as unknown as ArrayLike<number | bigint>, String).join()
    }]`;
  }
  if (value instanceof Set) return `Set{${[...value].map(keyOf).sort().join()}}`;
  const entries = value instanceof Map
    ? [...value].map(([key, field]): [string, string] => [keyOf(key), keyOf(field)])
    : Object.entries(value).map(([key, field]): [string, string] => [JSON.stringify(key), keyOf(field)]);
  entries.sort(([a], [b]) => a < b ? -1 : 1);
  const name = value instanceof Map ? "Map" : "";
  return `${name}{${entries.map(([key, field]) => `${key}:${field}`).join()}}`;
}
