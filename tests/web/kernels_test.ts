/**
 * The kernels in a browser: the cases of the tests, and what errors say. Large variants take a software adapter seconds to
 * compile for each case, so the first of a kernel and some others are run; `-- --all` runs all.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inBrowser, type ModulePage, openModule } from "../browser.ts";
import type { Checked } from "./kernels_page.ts";

const KERNELS = new URL("../../kernels/", import.meta.url);
const PAGE = "tests/web/kernels_page.ts";
const SAMPLED = Deno.args.includes("--all")
  ? {}
  : { tiled: 32, blocked: 32, vec4: 16, texture: 16, workgroup: 12 };

const folders = [...Deno.readDirSync(KERNELS)].map(({ name }) => name).sort().filter((name) => {
  try {
    return Deno.statSync(new URL(`${name}/cases.ts`, KERNELS)).isFile;
  } catch {
    return false;
  }
});

let shared: Promise<ModulePage> | null = null;
/** The page of this test file. */
const page = () => shared ??= openModule(PAGE);

for (const folder of folders) {
  Deno.test({
    name: `the cases of ${folder} match their reference in the browser`,
    ...inBrowser,
    fn: async () => {
      const { count, failures } = await (await page()).call<Checked>("checkCases", folder, SAMPLED);
      assertEquals(failures, []);
      assert(count > 0);
    },
  });
}

Deno.test({
  name: "a kernel that the browser refuses is named by file and line, as in Deno",
  ...inBrowser,
  fn: async () => {
    const source = [
      "@group(0) @binding(0) var<storage, read_write> Y: array<f32>;",
      "@compute @workgroup_size(1)",
      "fn main() {",
      "  Y[0] = 1u;",
      "}",
    ].join("\n");
    const said = await (await page()).call<string>("compileError", source, { N: 3 });
    assertStringIncludes(said, "Cannot compile kernels/own/faulty.wgsl:4:");
    assertStringIncludes(said, "Y[0] = 1u;");
  },
});

if (!inBrowser.ignore) Deno.test.afterAll(async () => await (await shared)?.[Symbol.asyncDispose]());
