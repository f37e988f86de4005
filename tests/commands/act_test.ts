/** The `act` command: a policy and a picture. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { numberLine } from "../../envs/mod.ts";
import { runCommand } from "../../rl/cli/mod.ts";
import { actCommand } from "../../commands/act.ts";
import { encodePicture } from "../../rl/image.ts";
import { gpuTest } from "../gpu.ts";
import { TempFolder, untrainedRun } from "../rl/tiny_run.ts";

gpuTest("act reads a picture and prints what the policy wrote; without one it is wrong usage", async () => {
  using temp = new TempFolder();
  await untrainedRun(`${temp.path}/run`);
  const { observation } = numberLine.make().reset({ seed: 1 });
  Deno.writeFileSync(`${temp.path}/frame.png`, encodePicture(observation));
  const messages: string[] = [];
  const console = { out: () => {}, err: (text: string) => void messages.push(text) };
  const run = ["--run", `${temp.path}/run`, "--json"];
  assertEquals(await runCommand(actCommand, [`${temp.path}/frame.png`, ...run], { console }), 0);
  assertEquals(await runCommand(actCommand, run, { console }), 2);
  assertStringIncludes(messages[0], "Cannot act without a picture: name a PNG file");
  Deno.writeTextFileSync(`${temp.path}/no.png`, "no picture");
  assertEquals(await runCommand(actCommand, [`${temp.path}/no.png`, ...run], { console }), 1);
  assertStringIncludes(messages.join(""), "it is no PNG file");
});
