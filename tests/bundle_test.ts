/** The libraries bundle for browsers: WGSL as text, and no host-only module outside the files meant to be swapped. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";

async function bundle(entry: string, external: string[] = []): Promise<string> {
  const result = await esbuild.build({
    entryPoints: [fileURLToPath(new URL(`../${entry}`, import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    loader: { ".wgsl": "text" },
    external,
    logLevel: "silent",
  });
  assertEquals(result.warnings, []);
  return result.outputFiles[0].text;
}

Deno.test({
  name: "kernels and model bundle for browsers with their WGSL",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    try {
      for (const entry of ["kernels/mod.ts", "model/mod.ts"]) {
        const text = await bundle(entry);
        assertStringIncludes(text, "fn main(@builtin(workgroup_id)");
        assertStringIncludes(text, "fn gelu(x: Value) -> Value");
        assert(!/\bDeno\.(mkdir|open|readFile|rename|remove)\b/.test(text), "files are reached");
        assert(!/from "(node|npm|jsr):/.test(text), "a host-only module is imported");
      }
      // Drawing goes through one canvas factory, which a browser replaces.
      await bundle("envs/mod.ts", ["@napi-rs/canvas", "@resvg/resvg-js", "node:*"]);
    } finally {
      await esbuild.stop();
    }
  },
});
