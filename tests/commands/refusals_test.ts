/** What commands refuse before they begin any work. */
import { assertEquals, assertMatch } from "@std/assert";
import { actCommand } from "../../commands/act.ts";
import { watchCommand } from "../../commands/watch.ts";
import { type Command, type Options, runCommand } from "../../rl/cli/mod.ts";
import { webCommand } from "../../scripts/web.ts";
import { TempFolder } from "../rl/tiny_run.ts";

/** Runs a command in this process. */
async function call<O extends Options>(command: Command<O>, ...args: string[]) {
  let err = "";
  const console = { out: () => {}, err: (text: string) => void (err += text) };
  return { code: await runCommand(command, args, { console }), err };
}

Deno.test("act refuses what is no picture before it looks for a run or a GPU", async () => {
  using temp = new TempFolder();
  const picture = `${temp.path}/bad.png`;
  await Deno.writeFile(picture, new Uint8Array(100));
  const { code, err } = await call(actCommand, picture, "--run", `${temp.path}/no-run`);
  assertEquals([code, err], [1, `Cannot read ${picture}: it is no PNG file, convert it to PNG\n`]);
});

Deno.test("watch exports no page of a folder without a run", async () => {
  using temp = new TempFolder();
  const { code, err } = await call(watchCommand, temp.path, "--export", `${temp.path}/page.html`);
  assertEquals(code, 1);
  assertMatch(err, /^Cannot export a page of \S+: there is no run in it, name a run or a folder of runs\n$/);
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

Deno.test("web needs a folder after --out, and knows its flags", async () => {
  assertEquals(await call(webCommand, "--out"), {
    code: 2,
    err: "Missing value of --out\nSee: ./ponder web --help\n",
  });
  assertEquals((await call(webCommand, "--ouy", "x")).code, 2);
});
