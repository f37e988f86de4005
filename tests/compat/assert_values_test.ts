import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertNotStrictEquals,
  assertStrictEquals,
  assertStringIncludes,
  equal,
  fail,
} from "@std/assert";

/** What the assertion under test threw; plain try/catch, so that no assertion vouches for itself. */
function failure(check: () => void): AssertionError {
  try {
    check();
  } catch (error) {
    if (error instanceof AssertionError) return error;
    throw error;
  }
  throw new Error("the assertion passed");
}

/** Throws unless the assertion fails with a message that has every part. */
function fails(check: () => void, ...parts: string[]): void {
  // deno-lint-ignore no-control-regex
  const message = failure(check).message.replace(/\x1b\[\d+m/g, "");
  for (const part of parts) {
    if (!message.includes(part)) throw new Error(`"${part}" is not in: ${message}`);
  }
}

Deno.test("assert and assertFalse look at truthiness and keep the message", () => {
  assert(1);
  assert("x");
  assertFalse(0);
  assertFalse("");
  fails(() => assert(0, "zero"), "zero");
  fails(() => assertFalse(1, "one"), "one");
  fails(() => fail("never"), "Failed assertion: never");
});

Deno.test("an assertion error is an Error of that name", () => {
  const error = failure(() => assert(false, "no"));
  assertEquals(error.name, "AssertionError");
  assertEquals(error.message, "no");
  assert(error instanceof Error);
});

const twin = { a: [1, { b: new Map([["k", new Set([1, 2])]]) }], d: new Date(5), r: /x/g };

const equalPairs: [name: string, a: unknown, b: unknown][] = [
  ["NaN", NaN, NaN],
  ["nested containers", twin, structuredClone(twin)],
  ["objects in another key order", { a: 1, b: 2 }, { b: 2, a: 1 }],
  ["sets in another order", new Set([{ a: 1 }, { b: 2 }]), new Set([{ b: 2 }, { a: 1 }])],
  ["maps in another order", new Map([["a", 1], ["b", 2]]), new Map([["b", 2], ["a", 1]])],
  ["typed arrays", new Float32Array([1, NaN]), new Float32Array([1, NaN])],
  ["0 and -0", [0, new Float32Array([0])], [-0, new Float32Array([-0])]],
  ["null prototypes and plain objects", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ["URLs", new URL("https://a.b/c"), new URL("https://a.b/c")],
];

for (const [name, a, b] of equalPairs) {
  Deno.test(`equal values: ${name}`, () => {
    assert(equal(a, b));
    assert(equal(b, a));
    assertEquals(a, b);
    fails(() => assertNotEquals(a, b), "not to be");
  });
}

const differentPairs: [name: string, a: unknown, b: unknown][] = [
  ["numbers", 1, 2],
  ["null and undefined", null, undefined],
  ["number and its text", 1, "1"],
  ["a missing and an undefined key", {}, { a: undefined }],
  ["array lengths", [1, 2], [1, 2, 3]],
  ["array and object", [], {}],
  ["typed array elements", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  ["typed array types", new Uint8Array([1]), new Int8Array([1])],
  ["set members", new Set([1, 2]), new Set([1, 3])],
  ["map values", new Map([["a", 1]]), new Map([["a", 2]])],
  ["dates", new Date(1), new Date(2)],
  ["patterns", /a/, /a/g],
  ["error messages", new Error("a"), new Error("b")],
  ["classes", new (class A {})(), new (class B {})()],
  ["symbol keys", { [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 2 }],
];

for (const [name, a, b] of differentPairs) {
  Deno.test(`different values: ${name}`, () => {
    assert(!equal(a, b));
    assert(!equal(b, a));
    assertNotEquals(a, b);
    fails(() => assertEquals(a, b, "why"), "Values are not equal: why");
  });
}

Deno.test("what was found different once stays different where it comes up again", () => {
  const [one, two, otherOne, otherTwo] = [{ a: 1 }, { a: 2 }, { a: 2 }, { a: 1 }];
  // The sets are equal in another order; in looking for it one is compared with otherOne.
  assert(!equal([new Set([one, two]), one], [new Set([otherOne, otherTwo]), otherOne]));
  assert(equal([new Set([one, two]), one], [new Set([otherOne, otherTwo]), otherTwo]));
});

Deno.test("cyclic values compare without end", () => {
  const make = () => {
    const node: Record<string, unknown> = { name: "x" };
    node.self = node;
    return node;
  };
  assert(equal(make(), make()));
  assert(!equal(make(), { ...make(), name: "y" }));
});

Deno.test("the failure of assertEquals shows what differs, actual and expected", () => {
  fails(
    () => assertEquals({ same: 1, a: "left" }, { same: 1, a: "right" }),
    "left",
    "right",
    "Actual",
    "Expected",
  );
});

Deno.test("assertStrictEquals compares identity", () => {
  const object = {};
  assertStrictEquals(object, object);
  assertStrictEquals(NaN, NaN);
  assertNotStrictEquals({}, {});
  fails(() => assertStrictEquals({ a: 1 }, { a: 1 }), "not reference-equal");
  fails(() => assertStrictEquals(1, 2), "not strictly equal");
  fails(() => assertNotStrictEquals(object, object), "to not be strictly equal");
});

Deno.test("assertAlmostEquals takes an absolute tolerance, 1e-7 of the expected by default", () => {
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(1, 1.05, 0.1);
  assertAlmostEquals(Infinity, Infinity);
  assertAlmostEquals(1e9 + 1, 1e9);
  fails(() => assertAlmostEquals(1, 1.2, 0.1), "to be close to", "delta", "is greater than");
  fails(() => assertAlmostEquals(1, 1 + 2e-7), "to be close to");
  fails(() => assertAlmostEquals(NaN, 1), "to be close to");
});

Deno.test("assertExists refuses null and undefined only", () => {
  for (const value of [0, "", false, NaN]) assertExists(value);
  fails(() => assertExists(null), "to not be null or undefined");
  fails(() => assertExists(undefined, "gone"), "gone");
});

Deno.test("text assertions name both texts", () => {
  assertStringIncludes("hello", "ell");
  assertMatch("hello", /^h/);
  assertNotMatch("hello", /^x/);
  fails(() => assertStringIncludes("hello", "bye"), 'Expected actual: "hello" to contain: "bye"');
  fails(() => assertMatch("hello", /^x/), 'Expected actual: "hello" to match: "/^x/"');
  fails(() => assertNotMatch("hello", /^h/), 'Expected actual: "hello" to not match: "/^h/"');
});

Deno.test("order assertions include or exclude equality", () => {
  assertGreater(2, 1);
  assertGreaterOrEqual(2, 2);
  assertLess(1, 2);
  assertLessOrEqual(2, 2);
  fails(() => assertGreater(1, 1), "1 > 1");
  fails(() => assertGreaterOrEqual(1, 2), "1 >= 2");
  fails(() => assertLess(1, 1), "1 < 1");
  fails(() => assertLessOrEqual(2, 1), "2 <= 1");
  fails(() => assertGreater(NaN, 1), "NaN > 1");
});

Deno.test("assertInstanceOf names both classes", () => {
  assertInstanceOf(new RangeError("x"), Error);
  fails(() => assertInstanceOf(new Date(), RegExp), '"RegExp"', '"Date"');
  fails(() => assertInstanceOf(5, RegExp), '"RegExp"', "number");
  fails(() => assertInstanceOf(null, RegExp), '"RegExp"', "null");
});
