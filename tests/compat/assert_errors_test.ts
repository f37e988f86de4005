import { assertEquals, AssertionError, assertIsError, assertRejects, assertThrows } from "@std/assert";

const boom = () => {
  throw new RangeError("index 7 out of range");
};

Deno.test("assertThrows returns the error, checked by class and message part", () => {
  const error: RangeError = assertThrows(boom, RangeError, "out of range");
  assertEquals(error.message, "index 7 out of range");
  assertThrows(boom, Error);
  assertEquals(
    assertThrows(() => {
      throw "text";
    }),
    "text",
  );
});

Deno.test("assertThrows fails when nothing is thrown", () => {
  assertThrows(() => assertThrows(() => 1, "why"), AssertionError, "Expected function to throw: why");
});

Deno.test("assertThrows fails on another class or message", () => {
  assertThrows(() => assertThrows(boom, TypeError), AssertionError, 'instance of "TypeError"');
  assertThrows(() => assertThrows(boom, RangeError, "negative"), AssertionError, "index 7 out of range");
});

Deno.test("assertThrows with a class refuses what is no Error", () => {
  const text = () => {
    throw "text";
  };
  assertThrows(() => assertThrows(text, Error), AssertionError, "non-Error object was thrown");
});

Deno.test("assertRejects resolves to the error, checked by class and message part", async () => {
  const error = await assertRejects(() => Promise.reject(new TypeError("no such")), TypeError, "such");
  assertEquals(error.message, "no such");
  assertEquals(await assertRejects(() => Promise.reject("text")), "text");
});

Deno.test("assertRejects fails when the promise resolves, or on another class", async () => {
  await assertRejects(
    () => assertRejects(() => Promise.resolve(1)),
    AssertionError,
    "Expected function to reject",
  );
  await assertRejects(
    () => assertRejects(() => Promise.reject(new Error("x")), TypeError),
    AssertionError,
    'instance of "TypeError"',
  );
});

Deno.test("assertRejects fails when the function throws instead of rejecting", async () => {
  await assertRejects(
    () =>
      assertRejects(() => {
        throw new Error("too early");
      }),
    AssertionError,
    "throws when expected to reject",
  );
});

Deno.test("assertIsError checks class and message, by text or pattern", () => {
  assertIsError(new RangeError("a b"), RangeError, "a b");
  assertIsError(new RangeError("a b"), Error, /^a/);
  assertThrows(() => assertIsError("x"), AssertionError, "to be an Error object");
  assertThrows(() => assertIsError(new Error("x"), Error, /y/), AssertionError);
});
