type Seen = Map<unknown, Set<unknown>>;

const bothHave = (a: object, b: object, type: new (...args: never[]) => unknown): boolean =>
  a instanceof type && b instanceof type;

/** NaN equals NaN, and 0 equals -0. */
const sameLeaf = (a: unknown, b: unknown): boolean => a === b || Object.is(a, b);

function sameSet(a: Set<unknown>, b: Set<unknown>, seen: Seen): boolean {
  if (a.size !== b.size) return false;
  const rest = [...b];
  for (const value of a) {
    const at = b.has(value) ? rest.indexOf(value) : rest.findIndex((other) => compare(value, other, seen));
    if (at < 0) return false;
    rest.splice(at, 1);
  }
  return true;
}

function sameMap(a: Map<unknown, unknown>, b: Map<unknown, unknown>, seen: Seen): boolean {
  if (a.size !== b.size) return false;
  const rest = [...b];
  for (const [key, value] of a) {
    const at = rest.findIndex(([otherKey, other]) =>
      compare(key, otherKey, seen) && compare(value, other, seen)
    );
    if (at < 0) return false;
    rest.splice(at, 1);
  }
  return true;
}

function sameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const left = a as unknown as ArrayLike<unknown>, right = b as unknown as ArrayLike<unknown>;
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (!sameLeaf(left[i], right[i])) return false;
  return true;
}

function compare(a: unknown, b: unknown, seen: Seen): boolean {
  if (sameLeaf(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof WeakMap || a instanceof WeakSet || a instanceof WeakRef) {
    throw new TypeError(`Cannot compare ${a.constructor.name} instances`);
  }
  if (a.constructor !== b.constructor && !(plain(a) && plain(b))) return false;
  if (bothHave(a, b, Date)) return Object.is((a as Date).getTime(), (b as Date).getTime());
  if (bothHave(a, b, RegExp) || bothHave(a, b, URL)) return String(a) === String(b);
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b) && !(a instanceof DataView)) return sameBytes(a, b);
  if (a instanceof DataView || a instanceof ArrayBuffer) return sameBytes(bytesOf(a), bytesOf(b as DataView));
  if (seen.get(a)?.has(b)) return true;
  seen.set(a, (seen.get(a) ?? new Set()).add(b));
  const isEqual = compareContents(a, b, seen);
  // Taken for equal only while they are being compared, where they hold themselves.
  if (!isEqual) seen.get(a)!.delete(b);
  return isEqual;
}

/** Compares two objects of one kind. */
function compareContents(a: object, b: object, seen: Seen): boolean {
  if (a instanceof Set) return sameSet(a, b as Set<unknown>, seen);
  if (a instanceof Map) return sameMap(a, b as Map<unknown, unknown>, seen);
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false;
  const left = a as Record<PropertyKey, unknown>, right = b as Record<PropertyKey, unknown>;
  const keys = ownKeys(a);
  if (keys.length !== ownKeys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && compare(left[key], right[key], seen));
}

const plain = (value: object): boolean => value.constructor === Object || value.constructor === undefined;

/** Enumerable keys; of an error all, since its message, cause and stack are not enumerable. */
const ownKeys = (value: object): PropertyKey[] =>
  Reflect.ownKeys(value).filter((key) =>
    value instanceof Error || Object.prototype.propertyIsEnumerable.call(value, key)
  );

const bytesOf = (value: DataView | ArrayBuffer): Uint8Array =>
  value instanceof ArrayBuffer
    ? new Uint8Array(value)
    : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);

/** Deep equality as `assertEquals` understands it: same value at the leaves (NaN equals NaN), same constructors, own keys. */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}
