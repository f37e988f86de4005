/** The commands of `scripts/`: what they do takes minutes, so that a wrong flag must not begin it. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Command, type Options, runCommand, taskArguments } from "../rl/cli/mod.ts";
import { soakCommand } from "../bench/soak.ts";
import { faultsCommand } from "../scripts/faults.ts";
import { fuzzCommand } from "../scripts/fuzz.ts";
import { killsCommand } from "../scripts/kills.ts";
import { outagesCommand } from "../scripts/outages.ts";
import { savingCommand } from "../scripts/save_cost.ts";
import { scaleCommand } from "../scripts/scale.ts";
import { tokenizersCommand } from "../scripts/tokenizers.ts";
import { webCommand } from "../scripts/web.ts";

const ROOT = new URL("../", import.meta.url);
const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))) as {
  tasks: Record<string, { command: string }>;
};
/** They hand their arguments to Deno, or take none. */
const PASSING = ["run", "test", "ok", "docs"];

// deno-lint-ignore no-explicit-any
const commands: readonly Command<any>[] = [
  ...[soakCommand, faultsCommand, fuzzCommand, killsCommand, outagesCommand, savingCommand, scaleCommand],
  ...[tokenizersCommand, webCommand],
];

async function call<O extends Options>(command: Command<O>, ...args: string[]) {
  let [out, err] = ["", ""];
  const console = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await runCommand(command, args, { console });
  return { code, out, err };
}

Deno.test("every task reads its command line by declared options", () => {
  for (const [name, { command }] of Object.entries(tasks)) {
    if (PASSING.includes(name)) continue;
    const program = command.split(" ").at(-1)!;
    assertStringIncludes(Deno.readTextFileSync(new URL(program, ROOT)), "runCommand(", `${name}: ${program}`);
  }
});

for (const command of commands) {
  const name = command.command.split(" ")[1];

  Deno.test(`${name} --help says what it does and begins nothing`, async () => {
    const { code, out, err } = await call(command, "--help");
    assertEquals([code, err], [0, ""]);
    assert(out.startsWith(`Usage: ${command.command}`), out);
  });

  Deno.test(`${name} refuses a flag that it does not know`, async () => {
    const { code, out, err } = await call(command, "--no-such-flag");
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, "--no-such-flag");
  });
}

Deno.test("with the permissions of its task each of them starts", async () => {
  const starts = commands.filter(({ command }) => command !== "./ponder tokenizers").map(
    async ({ command }) => {
      const args = [...taskArguments(command.split(" ")[1]), "--help"];
      const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" })
        .output();
      return [command, code, new TextDecoder().decode(stderr).replace(/^error: XDG_RUNTIME_DIR.*\n/gm, "")];
    },
  );
  for (const [command, code, err] of await Promise.all(starts)) {
    assertEquals([command, code, err], [command, 0, ""]);
  }
});
