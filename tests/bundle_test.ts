/** The libraries bundle for browsers: WGSL as text, and a stand-in for each thing that only Deno has. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { bundle, endBundling, withoutComments } from "../web/bundle.ts";
import { inBrowser, openModule } from "./browser.ts";

const { exports } = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
const entries: readonly string[] = Object.values<string>(exports).map((path) => path.replace(/^\.\//, ""));

Deno.test({
  name: "every entry bundles for browsers, with its WGSL and no module of a host",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    try {
      assertEquals(entries.length, 5);
      for (const entry of entries) {
        const { warnings, outputFiles } = await bundle([entry]);
        assertEquals(warnings, []);
        const { text } = outputFiles.find(({ path }) => path.endsWith(".js"))!;
        if (entry !== "envs/mod.ts") {
          assertStringIncludes(text, "fn main(@builtin(workgroup_id)");
          assertStringIncludes(text, "fn gelu(x: Value) -> Value");
        }
        assert(!/from "(node|npm|jsr):|from "@/.test(text), `${entry} imports a host-only module`);
        const isLibrary = /^(kernels|model)\//.test(entry);
        assert(
          !isLibrary || !/\bDeno\.(mkdir|open|readFile|rename|remove)\b/.test(text),
          `${entry} reaches files`,
        );
      }
    } finally {
      await endBundling();
    }
  },
});

Deno.test({
  name: "mod.ts loads in a browser, and asks for no device",
  ...inBrowser,
  fn: async () => {
    await using module = await openModule("mod.ts");
    assertEquals(module.errors, []);
    assertEquals(
      await module.page.evaluate(() => "train" in (globalThis as unknown as { tested: object }).tested),
      true,
    );
  },
});

Deno.test("WGSL without comments keeps its lines, its code and what the templates read", () => {
  const source = [
    "// header",
    '//@include "gelu.wgsl"',
    "  //@if HAS_U",
    "  let a = b; // why",
    "",
    "  //@end",
    "let c = d / 2;",
  ];
  assertEquals(withoutComments(source.join("\n")).split("\n"), [
    "",
    '//@include "gelu.wgsl"',
    "//@if HAS_U",
    "let a = b;",
    "",
    "//@end",
    "let c = d / 2;",
  ]);
});
