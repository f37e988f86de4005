/**
 * Offline stand-in for the parts of `@std/assert` this repository uses: same names, signatures and meaning of
 * messages. Where JSR is reachable, delete the `links` line of deno.json to use the published package.
 *
 * @module
 */
export { AssertionError } from "./assertion_error.ts";
export { equal } from "./equal.ts";
export {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertNotStrictEquals,
  assertStrictEquals,
  assertStringIncludes,
  fail,
} from "./values.ts";
export { assertIsError, assertRejects, assertThrows } from "./errors.ts";
