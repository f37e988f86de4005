import { parseArgs } from "@std/cli";
import { parseArgs as parseArgsOfFile } from "@std/cli/parse-args";
import { assertEquals, assertStrictEquals } from "@std/assert";

/** Compile-time proof that a type is exactly another. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const proof = <T extends true>(_: T[] = []): void => {};

Deno.test("both entry points give the same function", () => {
  assertStrictEquals(parseArgs, parseArgsOfFile);
});

Deno.test("undeclared values that look like numbers become numbers", () => {
  assertEquals(parseArgs(["--a", "5", "--b=1e3", "--c=0x1F", "--d", "x5", "7", "q"]), {
    _: [7, "q"],
    a: 5,
    b: 1000,
    c: 31,
    d: "x5",
  });
});

Deno.test("string options keep their text, an absent value is empty", () => {
  assertEquals(parseArgs(["--seed", "007", "--out"], { string: ["seed", "out"] }), {
    _: [],
    seed: "007",
    out: "",
  });
});

Deno.test("boolean options take no value, except a written true or false", () => {
  const options = { boolean: ["json"] } as const;
  assertEquals(parseArgs(["--json", "run"], options), { _: ["run"], json: true });
  assertEquals(parseArgs(["--json", "false"], options), { _: [], json: false });
  assertEquals(parseArgs(["--json=false"], options), { _: [], json: false });
  assertEquals(parseArgs([], options), { _: [], json: false });
});

Deno.test("--no-name is false where the option is negatable", () => {
  assertEquals(parseArgs(["--no-cot"], { boolean: ["cot"], negatable: ["cot"], default: { cot: true } }), {
    _: [],
    cot: false,
  });
  assertEquals(parseArgs(["--no-cot"]), { _: [], "no-cot": true });
});

Deno.test("what starts with a dash is never a value; = writes it", () => {
  assertEquals(parseArgs(["--a", "--b", "--c=-5"]), { _: [], a: true, b: true, c: -5 });
});

Deno.test("only the first = separates name and value", () => {
  assertEquals(parseArgs(["--a=b=c"]), { _: [], a: "b=c" });
});

Deno.test("short options combine, and take values", () => {
  assertEquals(parseArgs(["-abc", "-n5", "-m=6", "-k", "v"]), {
    _: [],
    a: true,
    b: true,
    c: true,
    n: 5,
    m: 6,
    k: "v",
  });
});

Deno.test("an alias sets every name", () => {
  const args: Record<string, unknown> = parseArgs(["-h"], { boolean: ["help"], alias: { help: "h" } });
  assertEquals(args, { _: [], h: true, help: true });
});

Deno.test("collected options list every value, none given is an empty list", () => {
  const options = { string: ["seed"], collect: ["seed"] } as const;
  assertEquals(parseArgs(["--seed", "1", "--seed=2"], options), { _: [], seed: ["1", "2"] });
  assertEquals(parseArgs([], options), { _: [], seed: [] });
});

Deno.test("a repeated option that is not collected keeps the last value", () => {
  assertEquals(parseArgs(["--a=1", "--a=2"]), { _: [], a: 2 });
});

Deno.test("defaults fill in what is not given", () => {
  assertEquals(parseArgs(["--a", "x"], { string: ["a", "b"], default: { a: "1", b: "2" } }), {
    _: [],
    a: "x",
    b: "2",
  });
});

Deno.test("unknown is told of undeclared options and positional arguments, false leaves them out", () => {
  const told: unknown[][] = [];
  const result = parseArgs(["--seed", "1", "--epizodes=5", "-x", "pos"], {
    string: ["seed"],
    unknown: (...what) => {
      told.push(what);
      return false;
    },
  });
  assertEquals(told, [["--epizodes=5", "epizodes", "5"], ["-x", "x", "pos"]]);
  assertEquals(result, { _: [], seed: "1" });
});

Deno.test("everything after -- is positional, or apart when asked", () => {
  assertEquals(parseArgs(["a", "--", "--b"]), { _: ["a", "--b"] });
  assertEquals(parseArgs(["a", "--", "--b"], { "--": true }), { _: ["a"], "--": ["--b"] });
});

Deno.test("dotted names nest, and never reach a prototype", () => {
  assertEquals(parseArgs(["--a.b=1", "--a.c=2"]), { _: [], a: { b: 1, c: 2 } });
  parseArgs(["--__proto__.polluted=1"]);
  assertEquals(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("declared options are typed", () => {
  const args = parseArgs([], {
    boolean: ["json"],
    string: ["seed", "out", "list"],
    collect: ["list"],
    default: { out: "runs" },
  });
  proof<Same<typeof args.json, boolean>>();
  proof<Same<typeof args.seed, string | undefined>>();
  proof<Same<typeof args.out, string>>();
  proof<Same<typeof args.list, string[]>>();
  assertEquals(args.out, "runs");
});
