import { assertEquals, assertThrows } from "@std/assert";
import { composeWgsl } from "../../../kernels/gpu/wgsl.ts";

/** The composed text without the constants in front. */
function expand(source: string, constants: Record<string, number | boolean> = {}): string[] {
  return composeWgsl(source, constants).code.split("\n").slice(Object.keys(constants).length);
}

Deno.test("constants come first, in order, with a point in those that are not integers", () => {
  const { code } = composeWgsl("fn f() {}", { N: 3, HALF: 0.5, TINY: 1e-7, IS_LAST: true, BELOW: -2 });
  assertEquals(code.split("\n"), [
    "const N = 3;",
    "const HALF = 0.5;",
    "const TINY = 1e-7;",
    "const IS_LAST = true;",
    "const BELOW = -2;",
    "fn f() {}",
  ]);
});

Deno.test("enable directives stay in front of the constants", () => {
  const { code, origins } = composeWgsl("// header\nenable f16;\nfn f() {}", { N: 3 });
  assertEquals(code.split("\n"), ["enable f16;", "const N = 3;", "// header", "fn f() {}"]);
  assertEquals(origins.map(({ line }) => line), [2, 0, 1, 3]);
});

Deno.test("a loop repeats its lines with the variable's value", () => {
  assertEquals(expand("a\n//@for i in 1..N\nx_$i = y[$i];\n//@end\nb", { N: 4 }), [
    "a",
    "x_1 = y[1];",
    "x_2 = y[2];",
    "x_3 = y[3];",
    "b",
  ]);
});

Deno.test("loops nest, and their bounds may be quotients rounded down", () => {
  assertEquals(
    expand("//@for i in 0..2\n//@for j in 0..N/2\n$i$j\n//@end\n-$i\n//@end", { N: 5 }),
    ["00", "01", "-0", "10", "11", "-1"],
  );
});

Deno.test("an inner loop may run to the outer one's variable", () => {
  assertEquals(expand("//@for i in 0..3\n//@for j in 0..$i\n$j<$i\n//@end\n//@end"), ["0<1", "0<2", "1<2"]);
});

Deno.test("a loop variable's quotient can be part of a name", () => {
  assertEquals(
    expand("//@for i in 3..6\n//@for j in 1..3\nx_${i/4}_${j/2}[$i, $j]\n//@end\n//@end"),
    ["x_0_0[3, 1]", "x_0_1[3, 2]", "x_1_0[4, 1]", "x_1_1[4, 2]", "x_1_0[5, 1]", "x_1_1[5, 2]"],
  );
});

Deno.test("the divisor of a loop variable's quotient can be a constant", () => {
  assertEquals(expand("//@for i in 3..6\nx_${i/QUADS}\n//@end", { QUADS: 4 }), ["x_0", "x_1", "x_1"]);
});

Deno.test("a loop without values leaves nothing", () => {
  assertEquals(expand("//@for i in 2..2\nx\n//@end"), [""]);
});

Deno.test("a condition keeps one of its branches", () => {
  const source = "//@if HAS_BIAS\nyes\n//@else\nno\n//@end";
  assertEquals(expand(source, { HAS_BIAS: true }), ["yes"]);
  assertEquals(expand(source, { HAS_BIAS: false }), ["no"]);
  assertEquals(expand(source, { HAS_BIAS: 7 }), ["yes"]);
  assertEquals(expand("//@if N/4\nx\n//@end\ny", { N: 3 }), ["y"]);
});

Deno.test("conditions nest in loops and in each other's branches", () => {
  const source =
    "//@for i in 0..2\n//@if A\n//@if B\nab$i\n//@else\na$i\n//@end\n//@else\nnone$i\n//@end\n//@end";
  assertEquals(expand(source, { A: true, B: true }), ["ab0", "ab1"]);
  assertEquals(expand(source, { A: true, B: false }), ["a0", "a1"]);
  assertEquals(expand(source, { A: false, B: true }), ["none0", "none1"]);
});

Deno.test("every composed line knows its line in the file", () => {
  const { origins } = composeWgsl("a\n//@for i in 0..2\nb\n//@if N\nc\n//@end\n//@end\nd", { N: 1 });
  assertEquals(origins.map(({ line }) => line), [0, 1, 3, 5, 3, 5, 8]);
});

const snippets = {
  "two.wgsl": { file: "shared/two.wgsl", text: "// two\n//@if N\nfn two() {}\n//@end\n" },
  "three.wgsl": { file: "shared/three.wgsl", text: '//@include "two.wgsl"\nfn three() {}' },
};

Deno.test("a snippet stands where it is included first, and its directives are expanded", () => {
  const source = 'a\n//@include "two.wgsl"\nb\n//@include "two.wgsl"\nc';
  const { code, origins } = composeWgsl(source, { N: 1 }, { file: "own.wgsl", snippets });
  assertEquals(code.split("\n"), ["const N = 1;", "a", "// two", "fn two() {}", "b", "c"]);
  assertEquals(origins.map(({ file, line }) => `${file} ${line}`), [
    "null 0",
    "own.wgsl 1",
    "shared/two.wgsl 1",
    "shared/two.wgsl 3",
    "own.wgsl 3",
    "own.wgsl 5",
  ]);
});

Deno.test("snippets include snippets, each once", () => {
  const source = '//@include "three.wgsl"\n//@include "two.wgsl"';
  const { code } = composeWgsl(source, { N: 1 }, { snippets });
  assertEquals(code.split("\n").slice(1), ["// two", "fn two() {}", "fn three() {}"]);
});

Deno.test("lines that a loop changes are not their file's letter by letter", () => {
  const { origins } = composeWgsl("//@for i in 0..2\nx_$i\ny\n//@end", {});
  assertEquals(origins.map(({ isVerbatim }) => isVerbatim), [false, true, false, true]);
});

Deno.test("an unknown snippet is refused with the file, the line and the known ones", () => {
  assertThrows(
    () => composeWgsl('a\n//@include "four.wgsl"', {}, { file: "own.wgsl", snippets }),
    SyntaxError,
    'Cannot expand own.wgsl:2: there is no snippet "four.wgsl", known are three.wgsl, two.wgsl',
  );
});

Deno.test("a mistake in a snippet is named with the snippet's file and line", () => {
  const broken = { "broken.wgsl": { file: "shared/broken.wgsl", text: "a\n//@unless N" } };
  assertThrows(
    () => composeWgsl('a\nb\n//@include "broken.wgsl"', {}, { file: "own.wgsl", snippets: broken }),
    SyntaxError,
    'Cannot expand shared/broken.wgsl:2: "//@unless N" is not',
  );
});

const mistakes: [source: string, message: string][] = [
  ["a\n//@for i in 0..2\nx", 'Cannot expand line 2: "//@for i in 0..2" has no //@end'],
  ["//@if N\n//@if N\nx\n//@end", 'Cannot expand line 1: "//@if N" has no //@end'],
  ["a\n//@end", 'Cannot expand line 2: "//@end" is not //@for, //@if'],
  ["//@for i in 0..2\n//@else\n//@end", 'Cannot expand line 2: "//@else" is not //@for, //@if'],
  ["//@unless N\nx\n//@end", 'Cannot expand line 1: "//@unless N" is not //@for, //@if'],
  ["//@for row in 0..2\nx\n//@end", 'Cannot expand line 1: "//@for row in 0..2" is not //@for, //@if'],
  ["//@for i in 0..M\nx\n//@end", 'Cannot evaluate "M": it is neither an integer nor a constant'],
  ["//@if N+1\nx\n//@end", 'Cannot evaluate "N+1"'],
];
for (const [source, message] of mistakes) {
  Deno.test(`the composer refuses ${JSON.stringify(source)}`, () => {
    assertThrows(() => composeWgsl(source, { N: 3 }), SyntaxError, message);
  });
}
