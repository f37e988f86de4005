/** Completions of the shells, from the declarations of the commands; bash is run with them. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { completedCommands, completionsCommand, completionsFor } from "../../commands/completions.ts";
import { commonOptions } from "../../rl/config.ts";
import { toFlag, UsageError } from "../../rl/cli/mod.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** Runs a program on a script; null if it is not installed. */
async function check(shell: string, args: readonly string[]): Promise<Deno.CommandOutput | null> {
  try {
    return await new Deno.Command(shell, { args: [...args] }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

Deno.test("every command and every flag of train is completed in every shell", async () => {
  const commands = await completedCommands();
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assertEquals(commands.map(({ name }) => name), Object.keys(tasks));
  const train = commands.find(({ name }) => name === "train")!;
  for (const [name, option] of Object.entries(commonOptions)) {
    const isOnByDefault = option.type === "boolean" && option.default === true;
    assert(train.flags.some(({ flag }) => flag === `--${isOnByDefault ? "no-" : ""}${toFlag(name)}`), name);
  }
  for (const shell of SHELLS) {
    const text = await completionsFor(shell);
    for (const part of ["replay", "env-steps", "NumberLine"]) assertStringIncludes(text, part, shell);
  }
});

Deno.test("bash completes commands, flags, their values and files", async () => {
  const script = await Deno.makeTempFile({ suffix: ".bash" });
  await Deno.writeTextFile(script, await completionsFor("bash"));
  const complete = async (line: string) => {
    const words = line.split(" ").map((word) => `'${word}'`).join(" ");
    const program =
      `source ${script}; cd "$1"; COMP_WORDS=(${words}); COMP_CWORD=${
        line.split(" ").length - 1
      }; _ponder; ` + 'printf "%s\\n" "${COMPREPLY[@]}"';
    const folder = new URL(".", import.meta.url).pathname;
    const output = await check("bash", ["-c", program, "bash", folder]);
    if (output === null) return null;
    assertEquals(new TextDecoder().decode(output.stderr), "");
    return new TextDecoder().decode(output.stdout).split("\n").filter(Boolean);
  };
  const cases: [line: string, completed: string[]][] = [
    ["./ponder tr", ["train"]],
    ["./ponder watch --ex", ["--export"]],
    ["./ponder train --env-st", ["--env-steps"]],
    ["./ponder train --env Num", ["NumberLine"]],
    ["./ponder train --env = Poi", ["Points24"]],
    ["./ponder export --metrics t", ["tensorboard"]],
    ["./ponder check completions_t", ["completions_test.ts"]],
  ];
  for (const [line, completed] of cases) {
    const got = await complete(line);
    if (got === null) return console.error("NO BASH: its completions are not run");
    assertEquals(got, completed, line);
  }
  await Deno.remove(script);
});

Deno.test("zsh and fish accept their completions, where they are installed", async () => {
  for (const shell of ["zsh", "fish"] as const) {
    const script = await Deno.makeTempFile();
    await Deno.writeTextFile(script, await completionsFor(shell));
    const output = await check(shell, ["-n", script]);
    if (output === null) console.error(`NO ${shell.toUpperCase()}: its completions are not parsed`);
    else assertEquals(new TextDecoder().decode(output.stderr), "", shell);
    await Deno.remove(script);
  }
});

Deno.test("another shell is refused with those that are known", async () => {
  const run = async (positional: string[]) => {
    await completionsCommand.run({ positional, values: {}, given: {}, help: false } as never);
  };
  await assertRejects(() => run([]), UsageError, "none is named, use bash, zsh, fish");
  await assertRejects(() => run(["csh"]), UsageError, 'got "csh"');
});
