import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { decode } from "fast-png";
import { ENV_NAMES } from "../../envs/mod.ts";
import { runCommand } from "../../rl/cli/mod.ts";
import { envsCommand } from "../../commands/envs.ts";
import { TempFolder } from "../rl/tiny_run.ts";

/** Runs the command with stdout and stderr of this process captured. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "-R",
      "-W",
      "-E",
      "--allow-ffi",
      "--allow-sys",
      "commands/envs.ts",
      ...args,
    ],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code: output.code, stdout, stderr };
}

Deno.test("every environment is listed, as JSON on request", async () => {
  const [table, json] = await Promise.all([run(), run("--json")]);
  const list = JSON.parse(json.stdout) as { name: string; settings: Record<string, string> }[];
  assertEquals(list.map(({ name }) => name), ENV_NAMES);
  for (const { name, settings } of list) {
    assertStringIncludes(table.stdout, name);
    for (const [setting, meaning] of Object.entries(settings)) {
      assertMatch(table.stdout, new RegExp(`${name} +${setting} +${meaning.replace(/[.+*?()]/g, "\\$&")}`));
    }
  }
  assertEquals(Object.keys(list[0].settings), ["maxPosition", "pairs", "targets", "targetIn", "look"]);
});

Deno.test("a contact sheet is written where it is asked for, and stdout stays empty", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/sheets/cards.png`;
    const { code, stdout, stderr } = await run("--env", "Blackjack", "--sheet", file, "--columns", "2");
    assertEquals([code, stdout], [0, ""], stderr);
    assertEquals(decode(await Deno.readFile(file)).width, 12 + 2 * 312);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an unknown environment is wrong usage, and the nearest one is named", async () => {
  const messages: string[] = [];
  const console = { out: () => {}, err: (text: string) => void messages.push(text) };
  assertEquals(await runCommand(envsCommand, ["--env", "Blakjack"], { console }), 2);
  assert(messages.join("").includes('did you mean "Blackjack"'));
});

Deno.test("an environment of one's own is listed with its file, its settings and whether it has a solver", async () => {
  const path = fromFileUrl("../envs/corridor.ts");
  const { code, stderr } = await run("--env", path);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "it exports 2 definitions (Corridor, Corridor)");
  using folder = new TempFolder();
  const file = `${folder.path}/own.ts`;
  await Deno.writeTextFile(file, `export { unsolvedCorridor as default } from "file://${path}";`);
  const [list, table, checks] = await Promise.all([
    run("--env", `${file},NumberLine`, "--json"),
    run("--env", file),
    run("--env", file, "--check"),
  ]);
  const [own, ours] = JSON.parse(list.stdout);
  assertEquals([own.name, own.reference, own.solver, ours.solver], ["Corridor", file, false, true]);
  assertMatch(table.stdout, /Corridor .*own\.ts +no +left right/);
  assertStringIncludes(table.stdout, "Corridor  length  cells, an integer from 2 to 9; 5 by default");
  assertEquals(checks.code, 0);
  assertStringIncludes(checks.stdout, "  kept    every episode ends once");
});

Deno.test("a broken promise of an environment of one's own is named, with exit code 1", async () => {
  using folder = new TempFolder();
  const file = `${folder.path}/own.ts`;
  const rules =
    "{ ...corridorRules, step: () => ({ state: { place: Math.floor(Math.random() * 4) }, reward: 0 }) }";
  await Deno.writeTextFile(
    file,
    `import { defineEnvironment } from ${urlOf("../../envs/mod.ts")};
    import { corridorRules } from ${urlOf("../envs/corridor.ts")};
    export default defineEnvironment(${rules});`,
  );
  const { code, stdout } = await run("--env", file, "--check");
  assertEquals(code, 1);
  assertStringIncludes(
    stdout,
    "  broken  the same seed gives the same episodes, and different seeds differ: ",
  );
});

/** The address of a module as a literal. */
function urlOf(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href);
}

function fromFileUrl(path: string): string {
  return decodeURIComponent(new URL(path, import.meta.url).pathname);
}
