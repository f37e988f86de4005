import { assertEquals, assertThrows } from "@std/assert";
import { checkKernel } from "../../../kernels/mod.ts";

Deno.test("the largest error is relative for large values, absolute for small ones, and has its place", () => {
  assertEquals(checkKernel([1000, 0.5, 2], [1001, 0, 2]), {
    largestError: 0.5,
    index: 1,
    actual: 0.5,
    expected: 0,
  });
});

Deno.test("what is equal has no error, infinities and NaN too", () => {
  const { largestError } = checkKernel([0, Infinity, NaN, 7], [-0, Infinity, NaN, 7], { tolerance: 0 });
  assertEquals(largestError, 0);
});

Deno.test("nothing has no error and no place", () => {
  assertEquals(checkKernel([], []), { largestError: 0, index: -1, actual: NaN, expected: NaN });
});

Deno.test("an error up to the tolerance passes, a larger one is refused with the element", () => {
  assertEquals(checkKernel([0.5], [0], { tolerance: 0.5 }).largestError, 0.5);
  assertThrows(
    () => checkKernel(Float32Array.of(1, 0.5), [1, 0], { tolerance: 0.4, name: "rmsnorm" }),
    RangeError,
    "Cannot accept rmsnorm: word 1 is 0.5, the reference has 0, error 0.5 exceeds 0.4",
  );
});

for (const [got, want] of [[NaN, 1], [1, NaN], [Infinity, 1], [1, Infinity], [Infinity, -Infinity]]) {
  Deno.test(`${got} is no ${want}, whatever the tolerance`, () => {
    assertThrows(() => checkKernel([got], [want], { tolerance: 1e9 }), RangeError, "error Infinity exceeds");
  });
}

Deno.test("a tolerance that is no number accepts nothing", () => {
  assertThrows(() => checkKernel([1], [1], { tolerance: NaN }), RangeError, "error 0 exceeds NaN");
});

Deno.test("another length is refused", () => {
  assertThrows(
    () => checkKernel([1, 2], [1]),
    RangeError,
    "Cannot check the kernel: it wrote 2 words, the reference has 1",
  );
});
