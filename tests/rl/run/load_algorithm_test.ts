/** Algorithms from a user's file: what is taken, and what is refused. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { numberLine } from "../../../envs/mod.ts";
import { UsageError } from "../../../rl/cli/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import { algorithmOf, loadAlgorithm } from "../../../rl/run/load_algorithm.ts";
import { TempFolder } from "../tiny_run.ts";

const OPTIONS = 'options: { episodes: { type: "integer", default: 4, meaning: "episodes" } }';
const REST =
  `collect: () => ({ kind: "episodes", groups: 4, groupSize: 1 }), objective: (s) => ({ ...s, ratio: "token", values: "none" }), score: () => ({ samples: [] })`;
const GOOD = `{ name: "mine", ${OPTIONS}, ${REST} }`;

async function load(source: string) {
  using temp = new TempFolder();
  const path = `${temp.path}/mine.ts`;
  Deno.writeTextFileSync(path, source);
  return { path, algorithm: await loadAlgorithm(path) };
}

Deno.test("a file's algorithm is its default export, or the only one; the run's settings say where it came from", async () => {
  for (const source of [`export default ${GOOD};`, `export const other = 1; export const mine = ${GOOD};`]) {
    const { path, algorithm } = await load(source);
    assertEquals([algorithm.name, Object.keys(algorithm.options)], ["mine", ["episodes"]]);
    assertEquals(resolveConfig({}, numberLine, algorithm).algorithm, path);
  }
});

Deno.test("a file that cannot be used names the file, the field and what was expected", async () => {
  for (
    const [source, message] of [
      [
        "export const size = 3;",
        "it exports no algorithm, export one made by defineAlgorithm as its default",
      ],
      [
        `export default { ...${GOOD}, collect: undefined };`,
        '"collect" must be a function; export one made by defineAlgorithm',
      ],
      [`export default { ...${GOOD}, objective: 1 };`, '"objective" must be a function'],
      [`export default { ...${GOOD}, score: undefined };`, '"score" must be a function, or `learn` instead'],
      [`export default { ...${GOOD}, options: null };`, '"options" must be an object of options'],
      [`export default { ...${GOOD}, name: "" };`, '"name" must be a text'],
      [
        `export default { ...${GOOD}, options: { seed: { type: "integer", default: 0, meaning: "seed" } } };`,
        'its setting "seed" is one that every run has, give it another name',
      ],
      ["export default 1 +;", "Cannot load the algorithm of"],
      ['throw new Error("no luck");', "no luck"],
    ]
  ) {
    const { message: said } = await assertRejects(() => load(source), UsageError);
    assertStringIncludes(said, message);
    assertStringIncludes(said, "mine.ts");
  }
});

Deno.test("a file of settings names the algorithm, from where the user is and with a byte order mark too", async () => {
  using temp = new TempFolder();
  Deno.writeTextFileSync(`${temp.path}/c.json`, '\ufeff{"algorithm": "grpo", "groups": 4}');
  Deno.env.set("PONDER_CWD", temp.path);
  try {
    assertEquals((await algorithmOf(["--config", "c.json"])).name, "grpo");
    assertEquals((await algorithmOf(["--config=c.json"])).name, "grpo");
    // What is wrong with such a file is said when its settings are read; a device would be read for ever.
    for (const path of ["missing.json", ".", "/dev/zero"]) {
      assertEquals((await algorithmOf(["--config", path])).name, "ppo");
    }
  } finally {
    Deno.env.delete("PONDER_CWD");
  }
});

Deno.test("an unknown name lists the known ones, and the nearest", async () => {
  const { message } = await assertRejects(() => loadAlgorithm("gpro"), UsageError);
  assertStringIncludes(message, 'Unknown algorithm "gpro": did you mean grpo? Known are ppo, ');
  assertStringIncludes(message, "reinforce++");
  assertStringIncludes(message, "or name a file, such as ./mine.ts");
  await assertRejects(() => loadAlgorithm("chess"), UsageError, 'Unknown algorithm "chess". Known are ppo, ');
});
