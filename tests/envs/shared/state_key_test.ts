import { assertEquals, assertThrows } from "@std/assert";
import { keyOf } from "../../../envs/mod.ts";

Deno.test("equal data have equal keys, whatever the order of fields, maps and sets", () => {
  for (
    const [a, b] of [
      [{ x: 1, y: [2, "3"] }, { y: [2, "3"], x: 1 }],
      [new Map([["a", 1], ["b", 2]]), new Map([["b", 2], ["a", 1]])],
      [new Set([1, 2]), new Set([2, 1])],
      [0, -0],
      [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    ]
  ) assertEquals(keyOf(a), keyOf(b));
});

Deno.test("different data have different keys", () => {
  const values = [
    ...[1, "1", 1n, true, "true", null, undefined, NaN, Infinity, 1.5, ""],
    ...[[], [1], [[1]], [1, 2], ["1,2"], [undefined], {}, { a: 1 }, { a: "1" }, { a: undefined }, {
      "a:1": 1,
    }],
    ...[new Map(), new Set(), new Map([["a", 1]]), new Set(["a"]), new Map([[1, 1]]), new Map([["1", 1]])],
    ...[Uint8Array.of(1), Float32Array.of(1), Uint8Array.of(1, 1)],
    ...[{ a: { b: 1 }, c: 2 }, { a: { b: 1, c: 2 } }],
  ];
  assertEquals(new Set(values.map(keyOf)).size, values.length);
});

Deno.test("what is no data is refused", () => {
  assertThrows(() => keyOf({ act: () => 1 }), TypeError, "it holds a function");
  assertThrows(() => keyOf([Symbol()]), TypeError, "it holds a symbol");
});
