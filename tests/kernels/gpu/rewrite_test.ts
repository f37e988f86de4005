import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { hideUniforms, sampleTexels } from "../../../kernels/gpu/rewrite.ts";

const TEXT = `@group(0) @binding(0) var A: texture_storage_2d<rgba32float, read>; // A holds texels
@group(0) @binding(2) var<storage, read_write> Y: array<vec4f>;
fn load(i: u32) -> vec4f { return textureLoad(A, texel(i + f(2))); }
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  Y[id.x] = load(id.x);
}
@compute @workgroup_size(4)
fn other() {
  Y[0] = vec4f();
}`;

Deno.test("sampling rewrites loads of texels line by line, and binds a sampler behind the other bindings", () => {
  const { code, samplerBinding } = sampleTexels(TEXT);
  assertEquals(samplerBinding, 3);
  const lines = code.split("\n");
  assertStringIncludes(lines[0], "@binding(0) var A: texture_2d<f32>; var<private> A_scale: f32;");
  assertEquals(lines[2], "fn load(i: u32) -> vec4f { return sampledTexel(A, A_scale, (i + f(2))); }");
  assertStringIncludes(lines[4], "{ A_scale = 1 / f32(textureDimensions(A).y);");
  // An entry point that reads no texture leaves the binding out of its layout.
  assertEquals(lines[8], "fn other() {");
  assertEquals(sampleTexels(TEXT, "other").samplerBinding, null);
  assertStringIncludes(code, "@group(0) @binding(3) var texelSampler: sampler;");
});

Deno.test("a texture that is read at coordinates of its own is not sampled", () => {
  const own = TEXT.replace("textureLoad(A, texel(i + f(2)))", "textureLoad(A, vec2u(i, 0))");
  assertEquals(sampleTexels(own), { code: own, samplerBinding: null });
  const both = TEXT.replace("Y[0] = vec4f()", "Y[0] = textureLoad(A, vec2u())");
  assertEquals(sampleTexels(both).samplerBinding, null);
});

Deno.test("hidden uniforms are copied where an entry point uses them, and nowhere else", () => {
  const code = hideUniforms(
    `@group(0) @binding(0) var<uniform> n: u32;
@compute @workgroup_size(1) fn one() { _ = n; }
@compute @workgroup_size(1) fn two() { }`,
  );
  assertStringIncludes(code, "var<storage, read> n_stored: u32; var<private> n: u32;");
  assertStringIncludes(code, "fn one() { n = n_stored; _ = n; }");
  assert(code.endsWith("fn two() { }"));
});
