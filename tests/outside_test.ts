/**
 * An op with its kernel in a folder outside the repository. An environment and an algorithm from outside are among the
 * examples: `examples_test.ts`.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { outsideFolder, runDeno } from "./outside_folder.ts";

const CUBE = new URL("outside/cube/", import.meta.url);

/** Runs the op's program in a folder of its own, its shader changed by `edit`. */
async function runCube(edit: (wgsl: string) => string): Promise<{ code: number; out: string; err: string }> {
  const folder = outsideFolder();
  try {
    Deno.mkdirSync(`${folder}/cube`);
    Deno.copyFileSync(new URL("cube.ts", CUBE), `${folder}/cube/cube.ts`);
    Deno.writeTextFileSync(
      `${folder}/cube/cube.wgsl`,
      edit(Deno.readTextFileSync(new URL("cube.wgsl", CUBE))),
    );
    return await runDeno(folder, ["run", "-A", "cube/cube.ts"]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("an op is a folder outside the repository: its shader in a file, its gradient checked", async () => {
  const { code, out, err } = await runCube((wgsl) => wgsl);
  assertEquals(code, 0, err);
  assertMatch(out, /^cubes -1 8 27\nerror of the gradient [\d.]+e-([4-9]|1\d)\n$|gradient 0\.000\d+\n$/);
});

Deno.test("a shader from outside that does not compile is named with its file, line and text", async () => {
  const { code, err } = await runCube((wgsl) => wgsl.replace("Y[i] = X[i]", "Y[i] = Z[i]"));
  assertEquals(code, 1, err);
  assertStringIncludes(err, "SyntaxError: Cannot compile cube/cube.wgsl:13:10: Y[i] = Z[i] * X[i] * X[i];");
});
