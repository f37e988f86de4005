/** The examples as a user runs them: copied to a folder of their own, with ponder as a dependency. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { outsideFolder, runDeno } from "./outside_folder.ts";
import { sideBySide } from "./side_by_side.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const EXAMPLES = `${ROOT}examples`;
const MOST_LINES = 60;

/** What each program prints, at least. */
const PRINTED: Readonly<Record<string, RegExp>> = {
  "act.ts": /maze\.png: the agent writes .*\n.*action: .+\nreward: -?1/s,
  "algorithm.ts": /iteration 2: -?[\d.]+ an episode, [\d.]+ parsed/,
  "choose_algorithm.ts": /grpo: [\s\S]*\d+ steps, success [\d.]+, /,
  "environment.ts": /Bring the orange cat to the blue mouse[\s\S]*"action": "/,
  "evaluate.ts": /chance: success [\s\S]*solver: success 1 [\s\S]*runs\/Maze: success /,
  "kernel.ts": /largest error \S+e-[5-9][\s\S]* GB\/s/,
  "op.ts": /slopes at -1, 0 and 1: 0\.2689, 0\.5000, 0\.7311/,
  "play.ts": /-> .*, reward -?1/,
  "train.ts": /after sft: [\s\S]*\d+ steps, success [\s\S]*after rl: /,
};

const programs = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name).filter((name) =>
  name.endsWith(".ts")
).sort();

/** The folder, copied to a place outside the repository. */
function copyExamples(): string {
  const folder = outsideFolder();
  for (const name of programs) Deno.copyFileSync(`${EXAMPLES}/${name}`, `${folder}/${name}`);
  return folder;
}

Deno.test("every example says what it prints here, fits a screen, and imports nothing but the package", () => {
  assertEquals(programs, Object.keys(PRINTED));
  for (const name of programs) {
    const text = Deno.readTextFileSync(`${EXAMPLES}/${name}`);
    const lines = text.trimEnd().split("\n").length;
    assert(lines <= MOST_LINES, `${name} has ${lines} lines, at most ${MOST_LINES} are wanted`);
    for (const [, from] of text.matchAll(/ from "([^"]+)"/g)) {
      assertMatch(from, /^(@ponder\/ponder(\/(kernels|model|envs|rl))?|\.\/\w+\.ts)$/, name);
    }
    assertMatch(text, new RegExp(`deno run -A ${name}`), `${name} says how to run it`);
  }
});

Deno.test("every example runs outside the repository, and with --all type-checks there", async () => {
  const folder = copyExamples();
  try {
    const runs = async (name: string) => {
      const { code, out, err } = await runDeno(folder, ["run", "-A", name]);
      assertEquals(code, 0, `${name}: ${err}`);
      assertMatch(out, PRINTED[name], name);
    };
    // `train.ts` first: those that need a trained run find its, and train one of their own elsewise.
    await runs("train.ts");
    await sideBySide(programs.filter((name) => name !== "train.ts"), runs);
    // `./ponder test` checks their types within the repository, whose options are stricter.
    if (!Deno.args.includes("--all")) return;
    const { code, err } = await runDeno(folder, ["check", ...programs]);
    assertEquals(code, 0, err);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("the shell takes the same files: an environment to list and check, an algorithm to show", async () => {
  const folder = copyExamples();
  try {
    // As `./ponder` starts a command: in its own folder, told where the user is.
    const command = (name: string, ...args: string[]) =>
      runDeno(ROOT, ["run", "-A", "--cached-only", `commands/${name}.ts`, ...args], {
        PONDER_CWD: folder,
      });
    const listed = await command("envs", "--env", "./environment.ts");
    assertStringIncludes(listed.out, "Maze", listed.err);
    const checked = await command("envs", "--env", "./environment.ts", "--check");
    assertEquals(checked.code, 0, checked.out + checked.err);
    const shown = await command("algorithms", "--algorithm", "./algorithm.ts");
    assertStringIncludes(shown.out, "whole episodes of an iteration", shown.err);
    const help = await command("train", "--algorithm", "./algorithm.ts", "--help");
    assertStringIncludes(help.out, "--episodes", help.err);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
