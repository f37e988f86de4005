import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Command, commandLine, defineOptions, runCommand } from "../../../rl/cli/mod.ts";

const options = defineOptions({ seed: { type: "integer", default: 0, meaning: "seed" } });

async function run(args: string[], work: Command<typeof options>["run"] = () => {}, debug = false) {
  let out = "", err = "";
  const console = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const command = { command: "./ponder x", summary: "Does x.", options, run: work };
  const code = await runCommand(command, args, { console, debug });
  return { code, out, err };
}

Deno.test("a command that is done exits with 0, or with the code it gives", async () => {
  assertEquals(await run(["--seed", "7"]), { code: 0, out: "", err: "" });
  assertEquals((await run([], () => Promise.resolve(1))).code, 1);
});

Deno.test("a command gets its typed values", async () => {
  let seed = -1;
  await run(["--seed", "7"], ({ values }) => void (seed = values.seed));
  assertEquals(seed, 7);
});

Deno.test("--help goes to stdout, without running anything", async () => {
  const { code, out, err } = await run(["--help"], () => {
    throw new Error("must not run");
  });
  assertEquals([code, err], [0, ""]);
  assertStringIncludes(out, "Usage: ./ponder x");
});

Deno.test("--version prints the versions of deno.json and of Deno, without running anything", async () => {
  const { version } = JSON.parse(Deno.readTextFileSync("deno.json"));
  const { code, out } = await run(["--version"], () => {
    throw new Error("must not run");
  });
  assertEquals([code, out], [0, `ponder ${version}\ndeno ${Deno.version.deno}\n`]);
});

Deno.test("wrong usage goes to stderr with the way to the help, exit 2", async () => {
  assertEquals(await run(["--sede", "7"]), {
    code: 2,
    out: "",
    err: "Unknown flag --sede: did you mean --seed?\nSee: ./ponder x --help\n",
  });
});

Deno.test("a failure shows its message, exit 1; its stack only for debugging", async () => {
  const fail = () => {
    throw new RangeError("Cannot train: no data, make some");
  };
  assertEquals(await run([], fail), { code: 1, out: "", err: "Cannot train: no data, make some\n" });
  assertStringIncludes((await run([], fail, true)).err, "command_test.ts");
});

Deno.test("a command line can be pasted into a shell", () => {
  assertEquals(
    commandLine("train", ["--env", "EZPoints", "--lambda=0.3"]),
    "./ponder train --env EZPoints --lambda=0.3",
  );
  assertEquals(commandLine("bench", ["--only", "SFT step"]), "./ponder bench --only 'SFT step'");
  assertEquals(commandLine("eval", ["it's", "", "$HOME"]), `./ponder eval 'it'\\''s' '' '$HOME'`);
});
