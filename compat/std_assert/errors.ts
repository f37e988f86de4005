import { AssertionError } from "./assertion_error.ts";
import { suffix } from "./format.ts";

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;
type Expectation<E extends Error> = { type?: ErrorClass<E>; includes?: string; msg?: string };

/** Sorts out the two call forms `(fn, msg?)` and `(fn, ErrorClass, msgIncludes?, msg?)`. */
function expectation<E extends Error>(
  first?: ErrorClass<E> | string,
  second?: string,
  third?: string,
): Expectation<E> {
  if (typeof first === "string") return { msg: first };
  // An Error class carries a prototype chain to Error; anything else is a caller's mistake.
  if (first === undefined) return { msg: third };
  if (first.prototype !== Error.prototype && !(first.prototype instanceof Error)) {
    throw new TypeError("The error class passed is not a subclass of Error");
  }
  return { type: first, includes: second, msg: third };
}

function checkThrown<E extends Error>(
  error: unknown,
  { type, includes, msg }: Expectation<E>,
  verb: string,
): void {
  if (type === undefined) return;
  if (!(error instanceof Error)) throw new AssertionError(`A non-Error object was ${verb}${suffix(msg)}`);
  assertIsError(error, type, includes, msg);
}

/** Asserts that `error` is an Error, of the class and with the message part where they are given. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(`Expected "error" to be an Error object${suffix(msg)}`);
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor?.name}"${
        suffix(msg)
      }`,
    );
  }
  if (msgMatches === undefined) return;
  const matches = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : msgMatches.test(error.message);
  if (matches) return;
  const wanted = typeof msgMatches === "string"
    ? `include ${JSON.stringify(msgMatches)}`
    : `match ${msgMatches}`;
  throw new AssertionError(
    `Expected error message to ${wanted}, but got ${JSON.stringify(error.message)}${suffix(msg)}`,
  );
}

/** Runs `fn`, asserts that it throws, and returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Runs `fn`, asserts that it throws that error class with that part in its message, and returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  first?: ErrorClass<E> | string,
  second?: string,
  third?: string,
): E | Error | unknown {
  const expected = expectation(first, second, third);
  try {
    fn();
  } catch (error) {
    checkThrown(error, expected, "thrown");
    return error;
  }
  throw new AssertionError(`Expected function to throw${suffix(expected.msg)}`);
}

/** Runs `fn`, asserts that its promise rejects, and resolves to what it was rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Runs `fn`, asserts that its promise rejects with that class and message part, and resolves to the error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  first?: ErrorClass<E> | string,
  second?: string,
  third?: string,
): Promise<E | Error | unknown> {
  const expected = expectation(first, second, third);
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    throw new AssertionError(`Function throws when expected to reject${suffix(expected.msg)}`, {
      cause: error,
    });
  }
  if (typeof (promise as PromiseLike<unknown> | undefined)?.then !== "function") {
    throw new AssertionError(`Function returned a value when expected to reject${suffix(expected.msg)}`);
  }
  try {
    await promise;
  } catch (error) {
    checkThrown(error, expected, "rejected");
    return error;
  }
  throw new AssertionError(`Expected function to reject${suffix(expected.msg)}`);
}
