import { assertEquals, assertThrows } from "@std/assert";
import { declarationsOf } from "../../../kernels/gpu/declarations.ts";

Deno.test("bindings come by number, with the kind that a launch binds them as", () => {
  const code = `
    // @group(0) @binding(9) var<storage, read> commented: array<f32>;
    /* @group(0) @binding(8) var<storage, read> commented: array<f32>; */
    @group(0) @binding(2) var<storage,read_write> Y : array<vec4<f32>>;
    @binding(1) @group(0)
    var W: texture_storage_2d<rgba32float, read>;
    @group(0) @binding(0u) var<storage> X: array<f32>;
    @group(0) @binding(3) var<uniform> n: u32;
    var<workgroup> shared_words: array<f32, 8>;
    fn main() { Y[n] = X[0]; W; }`;
  assertEquals(
    declarationsOf(code, "x.wgsl").map(({ binding, name, kind }) => `${binding} ${name} ${kind}`),
    ["0 X read", "1 W texels", "2 Y write", "3 n params"],
  );
});

Deno.test("a uniform's fields come in the struct's order, with their types", () => {
  const code = `struct Other { z: u32 }
    struct Params {
      rows: u32, // how many
      shift : i32,
      epsilon: f32
    }
    @group(0) @binding(0) var<uniform> params: Params;`;
  assertEquals(declarationsOf(code, "x.wgsl")[0].fields, [
    { name: "rows", type: "u32" },
    { name: "shift", type: "i32" },
    { name: "epsilon", type: "f32" },
  ]);
});

Deno.test("a uniform that is no struct is one field of its own name", () => {
  const [{ fields }] = declarationsOf("@group(0) @binding(0) var<uniform> rounds: f32;", "x.wgsl");
  assertEquals(fields, [{ name: "rounds", type: "f32" }]);
});

Deno.test("a field that parameters cannot fill is refused with its file and type", () => {
  const code = `struct Params { size: vec2u }
    @group(0) @binding(0) var<uniform> params: Params;`;
  assertThrows(
    () => declarationsOf(code, "mine.wgsl"),
    SyntaxError,
    "Cannot compile mine.wgsl: uniform params has size: vec2u, use u32, i32 or f32",
  );
});
