/** From a name or a file to a definition, and what a file can get wrong. */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { checkFrame, numberLine } from "../../../envs/mod.ts";
import { UsageError } from "../../../rl/cli/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import { loadEnvironment } from "../../../rl/run/load_environment.ts";
import {
  isJudged,
  requireActionValues,
  requireDemonstrations,
  requireSeededReset,
  requireSolver,
} from "../../../rl/requirements.ts";
import { scriptedPolicy } from "../../../rl/scripted_policy.ts";
import { corridor, corridorRules, unsolvedCorridor } from "../../envs/corridor.ts";
import { defineEnvironment } from "../../../envs/mod.ts";
import { TempFolder } from "../tiny_run.ts";

const ENVS = new URL("../../../envs/mod.ts", import.meta.url).href;

const RULES = `{
  name: "Coin", actions: ["heads", "tails"],
  reset: (random) => ({ side: random.integer(2) }),
  step: ({ side }, action) => ({ state: { side }, reward: side === action ? 1 : -1, terminated: true }),
  render: ({ side }) => ({ width: 2, height: 1, data: new Uint8Array(6).fill(255 * side) }),
}`;

/** Writes a module to a folder of its own and loads it from there by a relative path. */
async function load(source: string, name = "./coin.ts") {
  using folder = new TempFolder();
  await Deno.writeTextFile(
    `${folder.path}/coin.ts`,
    `import { defineEnvironment } from "${ENVS}";\n${source}`,
  );
  Deno.env.set("PONDER_CWD", folder.path);
  try {
    return { path: `${folder.path}/coin.ts`, definition: await loadEnvironment(name) };
  } finally {
    Deno.env.delete("PONDER_CWD");
  }
}

Deno.test("a name loads what comes with ponder, and a wrong one is answered with the nearest", async () => {
  assertEquals(await loadEnvironment("NumberLine"), numberLine);
  assertEquals(await loadEnvironment("gym_cards/NumberLine-v0"), numberLine);
  const { message } = await assertRejects(() => loadEnvironment("NumberLin"), UsageError);
  assertStringIncludes(message, 'did you mean "NumberLine"?');
  assertStringIncludes(message, "or name a file, such as ./maze.ts");
});

Deno.test("a file loads by a path from where the user is, its default export or its only definition", async () => {
  for (const form of ["export default", "export const coin ="]) {
    const { path, definition } = await load(`${form} defineEnvironment(${RULES});`);
    assertEquals([definition.name, definition.reference], ["Coin", path]);
    assertEquals(definition.make().reset({ seed: 1 }).observation.width, 2);
  }
});

Deno.test(
  "a file may have any name that its system allows",
  { ignore: Deno.build.os === "windows" },
  async () => {
    using folder = new TempFolder();
    for (const name of ["a b#c?d=e", "100%20", "%zz", "é😀", 'it\'s "q"', "back\\slash", "a:b", "-x"]) {
      const path = `${folder.path}/${name}.ts`;
      await Deno.writeTextFile(
        path,
        `import { defineEnvironment } from "${ENVS}";\nexport default defineEnvironment(${RULES});`,
      );
      assertEquals((await loadEnvironment(path)).reference, path);
    }
  },
);

Deno.test("a run remembers the file, and takes the definition's own preset", async () => {
  const preset = "preset: { maxNewTokens: 9, gamma: 0.5 }, ...";
  const { path, definition } = await load(`export default defineEnvironment({ ${preset}${RULES} });`);
  const { env, maxNewTokens, gamma } = resolveConfig({ gamma: 0.7 }, definition);
  assertEquals([env, maxNewTokens, gamma], [path, 9, 0.7]);
});

Deno.test("a preset with an unknown setting or an illegal value is named", () => {
  const resolve = (preset: Record<string, unknown>) =>
    resolveConfig({}, defineEnvironment({ ...corridorRules, preset }));
  assertThrows(() => resolve({ gama: 1 }), UsageError, 'Unknown setting "gama" in the preset of Corridor');
  assertThrows(() => resolve({ gamma: 2 }), UsageError, '"gamma" in the preset of Corridor');
});

Deno.test("a file that cannot be used names the file, the field and what was expected", async () => {
  for (
    const [source, message] of [
      ["", "it exports nothing, expected a definition: export default defineEnvironment("],
      ["export const size = 3;", "its exports (size) are no definition, expected one"],
      [`export default ${RULES};`, "its exports (default) are no definition"],
      [
        `export const a = defineEnvironment(${RULES}); export const b = defineEnvironment({ ...${RULES}, name: "B" });`,
        "it exports 2 definitions (Coin, B), make one of them the default export",
      ],
      [
        `export default defineEnvironment({ ...${RULES}, step: undefined });`,
        "Cannot define Coin: step is missing, expected a function (state, action, random)",
      ],
      [
        `export default defineEnvironment({ ...${RULES}, render: () => ({ width: 2, height: 2, data: new Uint8Array(6) }) });`,
        "Cannot use the frame of Coin: observation.data has 6 bytes, expected 2 x 2 x 3 = 12",
      ],
      [
        'export default defineEnvironment({ name: "Coin", make: () => ({ actions: ["a", "b"], reset: () => ({}) }) });',
        "Cannot make Coin: step is missing, expected a function",
      ],
      ["export default 1 +;", "coin.ts"],
      ['throw new Error("no luck");', "no luck"],
    ]
  ) {
    const error = await assertRejects(() => load(source), UsageError);
    assertStringIncludes(error.message, "Cannot load environment ./coin.ts: ");
    assertStringIncludes(error.message, message);
    assertEquals(error.exitCode, 2);
  }
  const missing = await assertRejects(() => load("", "./cion.ts"), UsageError);
  assertStringIncludes(missing.message, "Cannot load environment ./cion.ts: there is no file /");
});

Deno.test("what an environment lacks is named with what else would do", () => {
  const env = unsolvedCorridor.make();
  assertThrows(
    () => requireDemonstrations(env),
    UsageError,
    "Cannot demonstrate Corridor: its definition has no solver; " +
      "begin from given weights with --warm-start RUN, or from noise with --demonstrations 0",
  );
  assertThrows(() => requireSolver(env), UsageError, "Cannot solve Corridor: its definition has no solver");
  assertThrows(() => requireActionValues(env, "compare values of"), UsageError, "has no actionValues");
  const solved = corridor.make();
  assertEquals([requireDemonstrations(solved), requireSolver(solved)].every((env) => env === solved), true);
  assertEquals([isJudged(corridor), isJudged(numberLine)], [false, true]);
});

Deno.test("an environment whose reset does not follow the seed cannot share a deal", () => {
  requireSeededReset(corridor, "train grpo on");
  let place = 0;
  const unseeded = defineEnvironment({ ...corridorRules, reset: () => ({ place: place++ % 4 }) });
  assertThrows(
    () => requireSeededReset(unseeded, "train grpo on"),
    UsageError,
    "Cannot train grpo on Corridor: its reset does not follow the seed",
  );
});

Deno.test("the solver's policy needs a solver", () => {
  const env = unsolvedCorridor.make();
  const state = env.reset({ seed: 0 });
  const settings = { temperature: 1, greedy: false, maxNewTokens: 1, random: new Uint32Array(2) };
  assertThrows(
    () => scriptedPolicy("optimal", 0).respond([{ env, ...state }], settings),
    UsageError,
    "no solver",
  );
  checkFrame("Corridor", state.observation);
});

Deno.test("an environment that draws its starts elsewhere is refused: one seed must give one episode", async () => {
  const source = RULES.replace("random.integer(2)", "Math.random()");
  await assertRejects(
    () => load(`export default defineEnvironment(${source});`),
    UsageError,
    "Cannot reset Coin to a seed: it gave two states",
  );
});
