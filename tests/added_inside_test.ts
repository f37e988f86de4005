/** What it takes to add something to ponder itself: its file or folder, and one row that names it. */
import { assert, assertEquals } from "@std/assert";
import { casesByFolder } from "../bench/folders.ts";
import { ENVIRONMENTS } from "../envs/mod.ts";

const ROOT = new URL("../", import.meta.url);

/** Library files that import a file or folder from outside of it, by what the pattern captures of the path. */
function rowsFor(path: RegExp, folders: readonly string[]): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  const visit = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
      if (isDirectory) visit(`${folder}${name}/`);
      else if (name.endsWith(".ts")) {
        const text = Deno.readTextFileSync(new URL(folder + name, ROOT));
        for (const [, from] of text.matchAll(/ from "(\.[^"]+)"/g)) {
          const target = new URL(from, new URL(folder + name, ROOT)).href.slice(ROOT.href.length);
          const own = path.exec(target)?.[1];
          if (own === undefined || (folder + name).startsWith(own)) continue;
          rows.set(own, [...new Set([...rows.get(own) ?? [], folder + name])]);
        }
      }
    }
  };
  folders.forEach(visit);
  return rows;
}

Deno.test("an algorithm is a page and a row: tables name each, and nothing else needs to", () => {
  // The last one that was added shows it; `ppo` is the default, and others share parts of `grpo`.
  const rows = rowsFor(/^(rl\/algorithms\/(?:gigpo|vl_dac|rloo|expert_iteration|token_ppo|reinforce)\.ts)$/, [
    "rl/",
    "bench/",
  ]);
  assertEquals(rows.size, 6);
  for (const [file, from] of rows) assertEquals(from, ["rl/algorithms/table.ts"], file);
});

Deno.test("an op is a file and a row", () => {
  const rows = rowsFor(/^(model\/tape\/ops\/(?:row_sum|gather_rows|unfold|attention|layernorm)\.ts)$/, [
    "model/tape/",
  ]);
  for (const [file, from] of rows) assertEquals(from, ["model/tape/ops.ts"], file);
  assertEquals(rows.size, 5);
});

Deno.test("a kernel is a folder and a row: the benchmark finds its cases by itself", () => {
  // Shapes that are timed beside other libraries are chosen by hand; they need no kernel to be complete.
  const byHand = ["bench/headline.ts", "bench/large.ts"];
  const folders = Object.keys(casesByFolder);
  const rows = rowsFor(/^(kernels\/(?!gpu|wgsl|own)\w+\/)/, ["kernels/", "bench/"]);
  assertEquals([...rows.keys()].sort(), folders.map((folder) => `kernels/${folder}/`));
  for (const [folder, from] of rows) {
    assertEquals(from.filter((file) => !byHand.includes(file)), ["kernels/mod.ts"], folder);
  }
  for (const folder of folders) assert(casesByFolder[folder].length > 0, folder);
  const half = casesByFolder.matmul.filter(({ kernel }) => kernel === "matmul half");
  assert(half.length > 0, "lists beside `cases` are found too");
});

Deno.test("an environment is a folder and a row", () => {
  const rows = rowsFor(/^(envs\/(?!shared)\w+\/)/, ["envs/", "rl/", "bench/", "model/"]);
  assertEquals(rows.size, 4);
  for (const [folder, from] of rows) assertEquals(from, ["envs/table.ts"], folder);
  const published = ["NumberLine", "EZPoints", "Points24", "Blackjack", "Household"];
  assertEquals(ENVIRONMENTS.map(({ name }) => name), published, "the order of the published suite");
});

Deno.test("the how-to pages name these rows, and no others", () => {
  const page = Deno.readTextFileSync(new URL("docs/how_to/README.md", ROOT));
  const named = Array.from(page.matchAll(/a row in `([^`]+)`/g), ([, row]) => row);
  assertEquals(named, ["envs/table.ts", "rl/algorithms/table.ts", "kernels/mod.ts", "model/tape/ops.ts"]);
  for (const kind of ["an_environment", "an_algorithm", "a_kernel", "an_op"]) {
    const rows = Deno.readTextFileSync(new URL(`docs/how_to/add_${kind}.md`, ROOT)).matchAll(
      /^\| a row in `([^`]+)`(, if need be)?/gm,
    );
    const needed = Array.from(rows).filter(([, , ifNeedBe]) => ifNeedBe === undefined);
    assertEquals(needed.length, 1, kind);
    assert(named.includes(needed[0][1]), kind);
  }
});
