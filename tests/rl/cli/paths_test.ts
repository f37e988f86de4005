import { assertEquals } from "@std/assert";
import { defineOptions, parseOptions, userPath } from "../../../rl/cli/mod.ts";

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
