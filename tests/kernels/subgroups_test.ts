/** What WGSL asks of shaders with subgroup functions and naga does not check: read from their texts. */
import { assert, assertEquals } from "@std/assert";

import { snippets } from "../../kernels/wgsl/mod.ts";

const KERNELS = new URL("../../kernels/", import.meta.url);

const shaders = [...Deno.readDirSync(KERNELS)].filter(({ isDirectory }) => isDirectory).flatMap((folder) =>
  [...Deno.readDirSync(new URL(folder.name, KERNELS))].filter(({ name }) => name.endsWith(".wgsl")).map(
    ({ name }) => {
      const path = `${folder.name}/${name}`;
      return { path, text: withSnippets(path).replaceAll(/\/\/.*/g, "") };
    },
  )
).filter(({ path, text }) => /\bsubgroup[A-Z]/.test(text) && !path.startsWith("wgsl/"));

/** A file's text with what it includes of `kernels/wgsl/`. */
function withSnippets(path: string): string {
  return Deno.readTextFileSync(new URL(path, KERNELS)).replaceAll(
    /^\/\/@include "(.+)"$/gm,
    (_, name) => Object.hasOwn(snippets, name) ? snippets[name] : "",
  );
}

/** Lines that call subgroup functions and those that open the blocks around them, `for (...) {` and the like. */
function linesAround(text: string): string[] {
  const open: string[] = [];
  const found: string[] = [];
  for (const line of text.split("\n").map((line) => line.trim())) {
    if (line.startsWith("}")) open.pop();
    if (/\bsubgroup[A-Z]/.test(line)) found.push(...open, line);
    if (line.endsWith("{")) open.push(line);
  }
  return [...new Set(found)];
}

Deno.test("shaders with subgroup functions have workgroups of one dimension, whose subgroups are neighbours", () => {
  assert(shaders.length > 8);
  const wrong = shaders.filter(({ text }) => !/@workgroup_size\([^,)]+\)/.test(text));
  assertEquals(wrong.map(({ path }) => path), []);
});

Deno.test("no loop or branch around a subgroup function depends on the invocation", () => {
  const controls = shaders.map(({ path, text }) => ({
    path,
    lines: linesAround(text).filter((line) => /\b(for|if|while|switch)\b/.test(line)),
  }));
  assert(controls.find(({ path }) => path === "decode/step.wgsl")!.lines.length >= 3);
  const wrong = controls.map(({ path, lines }) => ({
    path,
    lines: lines.filter((line) => /\b(lane|slot|own|id)\b/.test(line.split(") {")[0])),
  })).filter(({ lines }) => lines.length > 0);
  assertEquals(wrong, []);
});
