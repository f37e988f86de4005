import { assert, assertEquals } from "@std/assert";

const read = (path: string): string => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
const withoutComments = (text: string): string => text.replace(/^\s*\/\/.*$/gm, "");

Deno.test("the config for the published @std packages repeats deno.json", () => {
  const project = JSON.parse(read("deno.json"));
  const real = JSON.parse(withoutComments(read("tests/real_std.jsonc")));
  assertEquals(real.imports, project.imports);
  assertEquals(real.nodeModulesDir, project.nodeModulesDir);
});

Deno.test("each stand-in carries the name and a version inside the range deno.json asks for", () => {
  const { imports, links } = JSON.parse(read("deno.json"));
  for (const link of links as string[]) {
    const { name, version } = JSON.parse(read(`${link.slice(2)}/deno.json`));
    assertEquals(imports[name], `jsr:${name}@^1`);
    assert(version.startsWith("1."), `${name} ${version}`);
  }
});
