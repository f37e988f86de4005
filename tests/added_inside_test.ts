/** What it takes to add something to ponder itself: its file or folder, and one row that names it. */
import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** Library files that import a file, apart from those that stand beside it for their own reasons. */
function rowsFor(path: RegExp, folders: readonly string[]): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  const visit = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
      if (isDirectory) visit(`${folder}${name}/`);
      else if (name.endsWith(".ts")) {
        const text = Deno.readTextFileSync(new URL(folder + name, ROOT));
        for (const [, from] of text.matchAll(/ from "(\.[^"]+)"/g)) {
          const target = new URL(from, new URL(folder + name, ROOT)).href.slice(ROOT.href.length);
          if (path.test(target)) rows.set(target, [...rows.get(target) ?? [], folder + name]);
        }
      }
    }
  };
  folders.forEach(visit);
  return rows;
}

Deno.test("an algorithm is a page and a row: tables name each, and nothing else needs to", () => {
  // The last one that was added shows it; `ppo` is the default, and others share parts of `grpo`.
  const rows = rowsFor(/^rl\/algorithms\/(gigpo|vl_dac|rloo|expert_iteration|token_ppo|reinforce)\.ts$/, [
    "rl/",
    "bench/",
  ]);
  assertEquals(rows.size, 6);
  for (const [file, from] of rows) assertEquals(from, ["rl/algorithms/table.ts"], file);
});

Deno.test("an op is a file and a row", () => {
  const rows = rowsFor(/^model\/tape\/ops\/(row_sum|gather_rows|unfold|attention|layernorm)\.ts$/, [
    "model/tape/",
  ]);
  for (const [file, from] of rows) assertEquals(from, ["model/tape/ops.ts"], file);
  assertEquals(rows.size, 5);
});
