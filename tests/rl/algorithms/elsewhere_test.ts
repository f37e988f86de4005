/** Settings of other algorithms than the chosen one: who has them, and what comes nearest. */
import { assertEquals, assertThrows } from "@std/assert";
import { numberLine } from "../../../envs/mod.ts";
import { trainCommand } from "../../../commands/train.ts";
import { settingElsewhere } from "../../../rl/algorithms/elsewhere.ts";
import { algorithms, grpo } from "../../../rl/algorithms/mod.ts";
import { runCommand, UsageError } from "../../../rl/cli/mod.ts";
import { commonOptions, resolveConfig } from "../../../rl/config.ts";

/** What `train` says to these arguments, which it must refuse. */
async function refusal(...args: string[]): Promise<string> {
  let err = "";
  const console = { out: () => {}, err: (text: string) => void (err += text) };
  assertEquals(await runCommand(trainCommand, args, { console }), 2);
  return err.split("\n")[0]!;
}

Deno.test("a flag of another algorithm names those that have it, exit 2", async () => {
  assertEquals(
    await refusal("--algorithm", "grpo", "--lambda", "0.5"),
    "Cannot use --lambda: it is a setting of ppo and rloo, grpo has none like it: " +
      "./ponder algorithms --algorithm grpo lists its own",
  );
});

Deno.test("a flag of another algorithm names what comes nearest in the chosen one, exit 2", async () => {
  assertEquals(
    await refusal("--algorithm=grpo", "--clip", "0.3"),
    "Cannot use --clip: it is a setting of ppo, reinforce++, rloo, token-ppo and vl-dac, " +
      "the nearest of grpo are --clip-low and --clip-high",
  );
  assertEquals(
    await refusal("--algorithm", "rloo", "--no-normalize-std"),
    "Cannot use --no-normalize-std: it is a setting of gigpo and grpo, rloo has none like it: " +
      "./ponder algorithms --algorithm rloo lists its own",
  );
});

Deno.test("a file of settings, and a program, get the same answer", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, '{"algorithm": "grpo", "clip": 0.1}');
    const said = await refusal("--config", path);
    assertEquals(said.split(": ").at(-1), settingElsewhere("clip", grpo));
    assertEquals(said.startsWith(`Cannot use the setting "clip" in ${path}: `), true);
  } finally {
    await Deno.remove(path);
  }
  const message = assertThrows(
    () => resolveConfig({ algorithm: "grpo", clip: 0.1 }, numberLine),
    UsageError,
  ).message;
  assertEquals(message, `Cannot use --clip: ${settingElsewhere("clip", grpo)}; leave it out`);
});

Deno.test("a setting of no algorithm is nobody's, and a slip of a flag still names the nearest", async () => {
  for (const algorithm of Object.values(algorithms)) {
    assertEquals(settingElsewhere("cliq", algorithm), undefined);
  }
  for (const name of Object.keys(commonOptions)) assertEquals(settingElsewhere(name, grpo), undefined);
  assertEquals(
    await refusal("--algorithm", "grpo", "--clip-hihg", "1"),
    "Unknown flag --clip-hihg: did you mean --clip-high?",
  );
});
