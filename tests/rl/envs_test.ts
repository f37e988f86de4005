import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { decode } from "fast-png";
import { ENV_NAMES } from "../../envs/mod.ts";
import { runCommand } from "../../rl/cli/mod.ts";
import { envsCommand } from "../../rl/envs.ts";

/** Runs the command with stdout and stderr of this process captured. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-R", "-W", "-E", "--allow-ffi", "--allow-sys", "rl/envs.ts", ...args],
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
  assertEquals(Object.keys(list[0].settings), ["maxPosition"]);
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
