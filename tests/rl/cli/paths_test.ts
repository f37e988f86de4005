import { assertEquals } from "@std/assert";
import { defineOptions, parseOptions, runPath, RUNS_FOLDER, userPath } from "../../../rl/cli/mod.ts";

/** Runs `work` with the folder that the user is in, as `./ponder` and `deno task` name it. */
function inFolder(env: { PONDER_CWD?: string; INIT_CWD?: string }, work: () => void): void {
  const names = ["PONDER_CWD", "INIT_CWD"] as const;
  const before = names.map((name) => Deno.env.get(name));
  const set = (name: string, value: string | undefined) =>
    value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  names.forEach((name) => set(name, env[name]));
  try {
    work();
  } finally {
    names.forEach((name, i) => set(name, before[i]));
  }
}

Deno.test("a relative path starts in the folder that the user is in", () => {
  inFolder({ PONDER_CWD: "/home/me" }, () => {
    assertEquals(userPath("runs/a"), "/home/me/runs/a");
    assertEquals(userPath("./a b"), "/home/me/a b");
    assertEquals(userPath("../x"), "/home/x");
    assertEquals(userPath("/data/run"), "/data/run");
  });
  inFolder({ INIT_CWD: "/home/you" }, () => assertEquals(userPath("a"), "/home/you/a"));
  inFolder(
    { PONDER_CWD: "/home/me", INIT_CWD: "/home/you" },
    () => assertEquals(userPath("a"), "/home/me/a"),
  );
});

Deno.test("a path stays as it was typed when the process is where the user is", () => {
  inFolder({}, () => assertEquals(userPath("runs/a"), "runs/a"));
  inFolder({ PONDER_CWD: Deno.cwd() }, () => assertEquals(userPath("runs/a"), "runs/a"));
  inFolder({ PONDER_CWD: "" }, () => assertEquals(userPath("runs/a"), "runs/a"));
});

Deno.test("path flags and --config start in the user's folder, defaults do not", () => {
  const options = defineOptions({
    out: { type: "path", default: "runs/x", meaning: "run folder" },
    sheet: { type: "path", bare: "sheet.png", meaning: "picture" },
  });
  inFolder({ PONDER_CWD: "/home/me" }, () => {
    assertEquals(parseOptions([], options).values, { out: "runs/x", sheet: undefined });
    assertEquals(parseOptions(["--out", "a", "--sheet"], options).values, {
      out: "/home/me/a",
      sheet: "/home/me/sheet.png",
    });
    const seen: string[] = [];
    const readText = (path: string) => {
      seen.push(path);
      return '{"out": "b"}';
    };
    assertEquals(parseOptions(["--config", "c.json"], options, { readText }).values.out, "/home/me/b");
    assertEquals(seen, ["/home/me/c.json"]);
  });
});

Deno.test("a run's name is found under runs/ from any folder, and a path where it leads", async () => {
  const name = `found_by_name_${crypto.randomUUID()}`;
  const elsewhere = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${RUNS_FOLDER}/${name}/inside`, { recursive: true });
    for (const env of [{}, { PONDER_CWD: elsewhere }]) {
      inFolder(env, () => {
        assertEquals(runPath(name), `runs/${name}`);
        assertEquals(runPath(`runs/${name}`), `runs/${name}`);
        assertEquals(runPath(`${name}/inside`), `runs/${name}/inside`);
        assertEquals(runPath(`${elsewhere}/${name}`), userPath(`${elsewhere}/${name}`));
        assertEquals(runPath("."), userPath("."));
        assertEquals(runPath("no such run"), userPath("no such run"));
      });
    }
    await Deno.mkdir(`${elsewhere}/${name}`);
    inFolder({ PONDER_CWD: elsewhere }, () => assertEquals(runPath(name), `${elsewhere}/${name}`));
    const options = defineOptions({ run: { type: "path", isRun: true, meaning: "run" } });
    inFolder({}, () => assertEquals(parseOptions(["--run", name], options).values.run, `runs/${name}`));
  } finally {
    await Deno.remove(elsewhere, { recursive: true });
    await Deno.remove(`${RUNS_FOLDER}/${name}`, { recursive: true });
  }
});
