/**
 * What a shader's text becomes for adapters that read some of its bindings at a fraction of the cost in another form. Nothing
 * moves to another line, so that positions in error messages stay.
 *
 * @module
 */
import { namesReached } from "./entry_points.ts";

/** Binds uniforms as storage; an entry point that uses one, itself or in a function, first copies it to a variable of its name. */
export function hideUniforms(code: string): string {
  const names: string[] = [];
  const hidden = code.replaceAll(/var<uniform> (\w+): ([^;]+);/g, (_, name, type) => {
    names.push(name);
    return `var<storage, read> ${name}_stored: ${type}; var<private> ${name}: ${type};`;
  });
  return atEntryPoints(hidden, names, (name) => `${name} = ${name}_stored;`);
}

/** A text whose textures are sampled, and the number of the binding that takes the sampler; null if the entry point samples none. */
export interface SampledText {
  readonly code: string;
  readonly samplerBinding: number | null;
}

/**
 * Reads texels with a sampler. SwiftShader compiles a `textureLoad` into code of its own at each place, with checks of each
 * coordinate. What samples is compiled once and called: a third of the time. Textures of which the text does anything else
 * than `textureLoad(name, texel(i))` stay as they are.
 */
export function sampleTexels(code: string, entryPoint = "main"): SampledText {
  const names: string[] = [];
  let sampled = code.replaceAll(/var (\w+): texture_storage_2d<rgba32float, read>;/g, (declaration, name) => {
    const load = String.raw`textureLoad\(${name}, texel\(`;
    const mentions = code.replaceAll(/\/\/[^\n]*/g, "").matchAll(
      new RegExp(String.raw`${load}|\b${name}\b`, "g"),
    );
    if ([...mentions].filter(([text]) => text === name).length > 1) return declaration;
    names.push(name);
    return `var ${name}: texture_2d<f32>; var<private> ${name}_scale: f32;`;
  });
  if (names.length === 0) return { code, samplerBinding: null };
  for (const name of names) {
    sampled = sampled.replaceAll(`textureLoad(${name}, texel(`, `sampledTexel(${name}, ${name}_scale, (`);
  }
  sampled = atEntryPoints(sampled, names, (name) => `${name}_scale = 1 / f32(textureDimensions(${name}).y);`);
  const numbers = [...code.matchAll(/@binding\(\s*(\d+)u?\s*\)/g)].map(([, number]) => Number(number));
  const number = 1 + Math.max(...numbers);
  const isSampling = namesReached(sampled, entryPoint).has("sampledTexel");
  // A texel's place in rows of 1024 is exact in f32 up to 2^24 texels. The middle of a texel is what is nearest to it alone.
  return {
    code: `${sampled}
@group(0) @binding(${number}) var texelSampler: sampler;
fn sampledTexel(image: texture_2d<f32>, scale: f32, i: u32) -> vec4f {
  let place = f32(i32(i)) * ${1 / 1024};
  let row = floor(place);
  return textureSampleLevel(image, texelSampler, vec2f(place - row + ${0.5 / 1024}, (row + 0.5) * scale), 0);
}`,
    samplerBinding: isSampling ? number : null,
  };
}

/** Puts a statement for each of the names that an entry point reaches at its beginning. */
function atEntryPoints(code: string, names: readonly string[], statement: (name: string) => string): string {
  return code.split(/(?=@compute)/).map((text) => {
    if (!text.startsWith("@compute")) return text;
    const reached = namesReached(code, text.match(/\bfn\s+(\w+)/)?.[1] ?? "");
    const statements = names.filter((name) => reached.has(name)).map((name) => ` ${statement(name)}`);
    return text.replace("{", `{${statements.join("")}`);
  }).join("");
}
