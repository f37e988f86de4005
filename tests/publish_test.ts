/** The package as it would be published: explicit types, docstrings and examples of all that its entries export. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

Deno.test("a dry run of publishing finds nothing to mend", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    // Types that are not explicit are found in any case. `./ponder test` has checked all others; with --all they are checked again.
    args: ["publish", "--dry-run", "--allow-dirty", ...Deno.args.includes("--all") ? [] : ["--no-check"]],
    cwd: fileURLToPath(new URL("../", import.meta.url)),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stderr);
  assertEquals(code, 0, said);
  assertStringIncludes(said, "Dry run complete");
});

const ROOT = new URL("../", import.meta.url);
const { exports: entries, version } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
/** Fewer runnable examples than this would be too few to learn from. */
const LEAST_EXAMPLES = 60;

Deno.test("every export of every entry is documented, and names only types that are public too", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...Object.values<string>(entries)],
    cwd: fileURLToPath(ROOT),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assertEquals(Object.keys(entries), [".", "./kernels", "./model", "./envs", "./rl"]);
  assertEquals(code, 0, new TextDecoder().decode(stderr));
});

Deno.test(`there are at least ${LEAST_EXAMPLES} examples, all in files whose examples the gate runs`, () => {
  const count = (folder: URL): number =>
    [...Deno.readDirSync(folder)].reduce((sum, { name, isDirectory }) => {
      if (isDirectory) return sum + count(new URL(`${name}/`, folder));
      if (!name.endsWith(".ts")) return sum;
      return sum + (Deno.readTextFileSync(new URL(name, folder)).match(/^ *\* ```ts$/gm)?.length ?? 0);
    }, 0);
  const examples = ["kernels/", "model/", "envs/", "rl/"].reduce(
    (sum, room) => sum + count(new URL(room, ROOT)),
    0,
  );
  assert(examples >= LEAST_EXAMPLES, `there are ${examples}`);
});

Deno.test("the changelog begins with the version that would be published", () => {
  const changelog = Deno.readTextFileSync(new URL("CHANGELOG.md", ROOT));
  assertEquals(/^## \[([^\]]+)\]/m.exec(changelog)?.[1], version);
});
