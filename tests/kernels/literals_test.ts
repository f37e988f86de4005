/** Numbers in WGSL: a browser refuses a literal that f32 cannot hold, which Deno's compiler rounds in silence. */
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);
const MOST = (2 - 2 ** -23) * 2 ** 127;

function shadersIn(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
    isDirectory ? shadersIn(`${folder}${name}/`) : name.endsWith(".wgsl") ? [`${folder}${name}`] : []
  );
}

Deno.test("every number in WGSL fits f32", () => {
  const shaders = ["kernels/", "bench/"].flatMap(shadersIn);
  assert(shaders.length > 50);
  const numbersOf = (path: string) =>
    Deno.readTextFileSync(new URL(path, ROOT)).replaceAll(/\/\/.*/g, "").match(
      /\b\d+\.?\d*(?:e[+-]?\d+)?/gi,
    ) ?? [];
  assert(shaders.flatMap(numbersOf).some((text) => Number(text) > 3.4e38), "the lowest f32 is among them");
  const beyond = shaders.flatMap((path) =>
    numbersOf(path).filter((text) => Number(text) > MOST).map((text) => `${path}: ${text}`)
  );
  assertEquals(beyond, []);
});
