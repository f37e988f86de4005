/** The `algorithms` command, as it is started. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { algorithms } from "../../rl/algorithms/mod.ts";

async function run(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "-R",
      "-E",
      "--allow-sys",
      "--allow-ffi",
      "commands/algorithms.ts",
      ...args,
    ],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out, err };
}

Deno.test("every algorithm is listed with what it does and its source, the default first, as JSON on request", async () => {
  const [table, json] = await Promise.all([run(), run("--json")]);
  const list = JSON.parse(json.out) as { name: string; summary: string; source: string; settings: object }[];
  assertEquals(list.map(({ name }) => name), Object.keys(algorithms));
  assertEquals(list[0].name, "ppo");
  for (const { name, summary, source } of list) {
    for (const text of [name, summary, source]) assertStringIncludes(table.out, text);
  }
});

Deno.test("one algorithm is shown with its settings and what it logs; an unknown one is wrong usage", async () => {
  const [grpo, unknown] = await Promise.all([run("--algorithm", "grpo"), run("--algorithm", "chess")]);
  for (const text of ["--group-size INTEGER", "episodes that share a deal", "groupStd", "arXiv:2402.03300"]) {
    assertStringIncludes(grpo.out, text);
  }
  assert(!grpo.out.includes("--sft-steps"), "settings of every run are not its own");
  assertEquals([unknown.code, unknown.out], [2, ""]);
  assertStringIncludes(unknown.err, "Known are ppo");
});
