/** What holds of every kernel folder: it is public, and its files say what they are. */
import { assert, assertEquals } from "@std/assert";
import * as kernels from "../../kernels/mod.ts";
import { snippets } from "../../kernels/wgsl/mod.ts";

const KERNELS = new URL("../../kernels/", import.meta.url);

const folders = [...Deno.readDirSync(KERNELS)].filter(({ isDirectory }) => isDirectory).map(({ name }) =>
  name
);
const filesIn = (folder: string) =>
  [...Deno.readDirSync(new URL(folder, KERNELS))].map(({ name }) => name).sort();
const shaders = folders.flatMap((folder) =>
  filesIn(folder).filter((name) => name.endsWith(".wgsl")).map((name) => {
    const text = Deno.readTextFileSync(new URL(`${folder}/${name}`, KERNELS));
    const header = text.split("\n").slice(0, text.split("\n").findIndex((line) => !/^\/\/(?!@)/.test(line)));
    return {
      path: `${folder}/${name}`,
      text,
      keys: header.flatMap((line) => line.match(/^\/\/ (\w+)/)?.[1] ?? []),
    };
  })
);

Deno.test("every kernel's launches are exported", async () => {
  const missing: string[] = [];
  for (const folder of folders.filter((name) => filesIn(name).includes("cases.ts"))) {
    const launches = await import(new URL(`${folder}/mod.ts`, KERNELS).href);
    missing.push(
      ...Object.keys(launches).filter((name) => !(name in kernels)).map((name) => `${folder}: ${name}`),
    );
  }
  assert(folders.length > 10);
  assertEquals(missing, []);
});

Deno.test("every shader's header says shapes, bindings, work, traffic and source", () => {
  const incomplete = shaders.filter(({ path }) =>
    !path.startsWith("wgsl/") && path !== "elementwise/ops.wgsl"
  )
    .flatMap(({ path, keys }) =>
      ["shapes", "bindings", "work", "traffic", "source"].filter((key) => !keys.includes(key)).map((key) =>
        `${path}: ${key}`
      )
    );
  assertEquals(incomplete, []);
});

Deno.test("every shared snippet is listed, says its source, and is used by at least two shaders", () => {
  const own = shaders.filter(({ path }) => path.startsWith("wgsl/"));
  assertEquals(Object.keys(snippets).sort(), own.map(({ path }) => path.slice("wgsl/".length)));
  const users = (name: string) => shaders.filter(({ text }) => text.includes(`//@include "${name}"`)).length;
  assertEquals(own.filter(({ keys }) => !keys.includes("source")).map(({ path }) => path), []);
  assertEquals(Object.keys(snippets).filter((name) => users(name) < 2), []);
});

Deno.test("every uniform is a struct Params called params", () => {
  const others = shaders.filter(({ path }) => !path.startsWith("bench/")).flatMap(({ path, text }) =>
    [...text.matchAll(/var<uniform> (\w+: \w+)/g)].filter(([, declared]) => declared !== "params: Params")
      .map(
        ([, declared]) => `${path}: ${declared}`,
      )
  );
  assertEquals(others, []);
});
