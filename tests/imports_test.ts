/**
 * The import arrows of the house style, checked on every .ts file of the repository:
 * `bench, commands -> watch -> report -> remote -> run -> rl -> model -> tape -> kernels/<op> -> gpu`, and `rl -> envs`.
 */
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const MAX_LINES = 400;
const SKIPPED = new Set(["node_modules", ".git", ".cache", "runs", "coverage"]);
const LAYERS = ["commands", "rl", "model", "kernels", "envs", "bench"];

/** The one file of each layer that may use Deno-only API: files, environment, canvas factory. */
const DENO_FILES = new Set([
  "kernels/gpu/host.ts",
  "model/files.ts",
  "envs/shared/canvas.ts",
]);

interface Source {
  /** Path from the root, with `/`. */
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly from: string;
  /** Path from the root for relative imports, else the bare specifier. */
  readonly to: string;
  readonly isRelative: boolean;
  /** Whether only types are imported: nothing is loaded then. */
  readonly isType: boolean;
  /** Whether the module is loaded when the statement runs, if ever. */
  readonly isDynamic: boolean;
}

function readSources(folder: URL, prefix = ""): Source[] {
  return [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = prefix + entry.name;
    if (entry.isDirectory) return readSources(new URL(`${entry.name}/`, folder), `${path}/`);
    if (!entry.isFile || !/\.(ts|wgsl)$/.test(entry.name)) return [];
    return [{ path, text: Deno.readTextFileSync(new URL(entry.name, folder)) }];
  });
}

/** Source without comments; strings stay, since specifiers are strings. */
function stripComments(text: string): string {
  const tokens = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(tokens, (token) => token.startsWith("//") || token.startsWith("/*") ? "" : token);
}

/** Static imports and re-exports, side-effect imports, dynamic imports of a literal. */
function importsOf({ path, text }: Source): Import[] {
  const code = stripComments(text);
  const patterns = [
    /^\s*(?:import|export)\b([^"';()]*?)\bfrom\s*["']([^"']+)["']/gm,
    /^\s*import()\s*["']([^"']+)["']/gm,
    /\bimport()\s*\(\s*["']([^"']+)["']/g,
  ];
  return patterns.flatMap((pattern, index) =>
    [...code.matchAll(pattern)].map(([, names, specifier]) => {
      const isRelative = specifier!.startsWith(".");
      const to = isRelative ? new URL(specifier!, `file:///${path}`).pathname.slice(1) : specifier!;
      return { from: path, to, isRelative, isType: isOnlyTypes(names!), isDynamic: index === 2 };
    })
  );
}

/** Whether what stands between `import` and `from` names types alone. */
function isOnlyTypes(names: string): boolean {
  if (/^\s*type\b/.test(names)) return true;
  const listed = names.match(/^\s*\{([^}]*)\}\s*$/)?.[1]?.split(",").map((name) => name.trim()).filter(
    Boolean,
  );
  return listed !== undefined && listed.length > 0 && listed.every((name) => name.startsWith("type "));
}

const sources = readSources(ROOT);
const modules = sources.filter(({ path }) => path.endsWith(".ts"));
const imports = modules.flatMap(importsOf);
const layerOf = (path: string): string => path.split("/")[0]!;
const show = ({ from, to }: Import): string => `${from} imports ${to}`;
const between = (from: string, ...to: string[]): string[] =>
  imports.filter((i) => i.isRelative && i.from.startsWith(from) && to.some((t) => i.to.startsWith(t))).map(
    show,
  );
const isBenchOrTest = (path: string): boolean => ["tests", "bench"].includes(layerOf(path));
const tasks: Record<string, { command: string }> =
  JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))).tasks;
/** What the tasks start. */
const scripts = new Set(Object.values(tasks).map(({ command }) => command.split(" ").at(-1)!));
const isCommand = (path: string): boolean => scripts.has(path) || /^commands\//.test(path);
const isLibrary = (path: string): boolean => LAYERS.includes(layerOf(path));

Deno.test("the import parser sees every form of import and no comment", () => {
  const text = [
    'import a, { type B } from "./a.ts";',
    "import {\n  c,\n} from './c.ts';",
    'export * from "./d.ts";',
    'export { e } from "../e.ts";',
    'import wgsl from "./f.wgsl" with { type: "text" };',
    'import "./g.ts";',
    'const h = await import("./h.ts");',
    'import x from "@std/assert";',
    '// import { no } from "./comment.ts";',
    '/* export * from "./block.ts"; */',
    'const s = "// not a comment"; export const n = 1;',
  ].join("\n");
  assertEquals(
    importsOf({ path: "kernels/x/y.ts", text }).map((i) => i.to).sort(),
    [
      "@std/assert",
      "kernels/e.ts",
      ...["a.ts", "c.ts", "d.ts", "f.wgsl", "g.ts", "h.ts"].map((name) => `kernels/x/${name}`),
    ],
  );
});

Deno.test("the walk finds this very file and its imports", () => {
  assert(imports.some((i) => i.from === "tests/imports_test.ts" && i.to === "@std/assert"));
});

Deno.test("the import parser tells what loads a module from what only names its types", () => {
  const kinds = (text: string) => {
    const [{ isType, isDynamic }] = importsOf({ path: "kernels/x/y.ts", text });
    return isType ? "type" : isDynamic ? "dynamic" : "value";
  };
  assertEquals(kinds('import type { A } from "./a.ts";'), "type");
  assertEquals(kinds('import {\n  type A,\n  type B,\n} from "./a.ts";'), "type");
  assertEquals(kinds('export type { A } from "./a.ts";'), "type");
  assertEquals(kinds('import { type A, b } from "./a.ts";'), "value");
  assertEquals(kinds('import { typeOf } from "./a.ts";'), "value");
  assertEquals(kinds('export * from "./a.ts";'), "value");
  assertEquals(kinds('import "./a.ts";'), "value");
  assertEquals(kinds('await import("./a.ts")'), "dynamic");
});

/** Rooms from the top to the bottom: an arrow stays in its room or goes down. `envs` stands beside the model. */
const ROOMS: readonly (readonly [name: string, holds: (path: string) => boolean])[] = [
  // `rl/mod.ts` is a face: it shows the run too, and no library file imports it.
  ["bench, commands", (path) => isCommand(path) || path.startsWith("bench/") || path === "rl/mod.ts"],
  ["watch", (path) => path.startsWith("rl/watch/")],
  ["report", (path) => path.startsWith("rl/report/")],
  ["remote", (path) => path.startsWith("rl/remote/")],
  ["run", (path) => path.startsWith("rl/run/")],
  ["rl", (path) => path.startsWith("rl/")],
  ["model", (path) => path.startsWith("model/") && !path.startsWith("model/tape/")],
  ["tape", (path) => path.startsWith("model/tape/")],
  ["kernels/<op>", (path) => path.startsWith("kernels/") && !/^kernels\/(gpu|wgsl)\//.test(path)],
  ["gpu", (path) => path.startsWith("kernels/gpu/")],
  ["wgsl", (path) => path.startsWith("kernels/wgsl/")],
];
const roomOf = (path: string): number => ROOMS.findIndex(([, holds]) => holds(path));

Deno.test("every library file but those of envs has a room, and every room of today has files", () => {
  const homeless = modules.filter(({ path }) =>
    isLibrary(path) && layerOf(path) !== "envs" && roomOf(path) < 0
  );
  assertEquals(homeless.map(({ path }) => path), []);
  const empty = ROOMS.filter((_, room) => !modules.some(({ path }) => roomOf(path) === room));
  assertEquals(empty.map(([name]) => name).filter((name) => name !== "run"), []);
});

Deno.test("no arrow goes up between rooms", () => {
  const wrong = imports.filter(({ from, to, isRelative }) =>
    isRelative && roomOf(from) >= 0 && roomOf(to) >= 0 && roomOf(to) < roomOf(from)
  );
  assertEquals(wrong.map(show), []);
});

Deno.test("nobody but commands, scripts and tests imports bench", () => {
  const wrong = imports.filter(({ from, to, isRelative }) =>
    isRelative && to.startsWith("bench/") && !isBenchOrTest(from) && !isCommand(from) &&
    layerOf(from) !== "scripts"
  );
  assertEquals(wrong.map(show), []);
});

/** Everything that loading a module loads with it. */
function loadedWith(path: string): Set<string> {
  const found = new Set([path]);
  for (const from of found) {
    for (const each of imports) {
      if (each.from === from && each.isRelative && !each.isType && !each.isDynamic) found.add(each.to);
    }
  }
  return found;
}

Deno.test("no command but the benchmark loads references or cases when it starts", () => {
  const starts = [...scripts, "mod.ts"].filter((path) => /^commands\/|^mod\.ts$/.test(path));
  assert(starts.some((path) => path.endsWith("commands/train.ts")));
  const wrong = starts.flatMap((start) =>
    [...loadedWith(start)].filter((path) => /^kernels\/.*\b(reference|cases)\.ts$/.test(path))
      .map((path) => `${start} loads ${path}`)
  );
  assertEquals(wrong, []);
  assert([...loadedWith("bench/bench.ts")].includes("kernels/matmul/reference.ts"));
});

Deno.test("no circle among files, types aside", () => {
  const circles = modules.filter(({ path }) => isLibrary(path)).flatMap(({ path }) => {
    const after = imports.filter((each) =>
      each.from === path && each.isRelative && !each.isType && !each.isDynamic
    );
    return after.filter(({ to }) => loadedWith(to).has(path)).map(show);
  });
  assertEquals(circles, []);
});

Deno.test("envs imports no other layer", () => {
  assertEquals(between("envs/", "kernels/", "model/", "rl/", "bench/"), []);
});

Deno.test("kernels imports no envs", () => {
  assertEquals(between("kernels/", "envs/"), []);
});

Deno.test("model imports no envs", () => {
  assertEquals(between("model/", "envs/"), []);
});

Deno.test("the tape imports kernels and nothing else of model", () => {
  const wrong = imports.filter((i) =>
    i.isRelative && i.from.startsWith("model/tape/") && !/^(model\/tape|kernels)\//.test(i.to)
  );
  assertEquals(wrong.map(show), []);
});

Deno.test("a kernel folder imports no sibling but kernels/gpu and kernels/wgsl", () => {
  const folder = (path: string) => path.split("/").length > 2 ? path.split("/")[1] : undefined;
  const wrong = imports.filter((i) =>
    i.isRelative && i.from.startsWith("kernels/") && i.to.startsWith("kernels/") &&
    folder(i.from) !== undefined && folder(i.to) !== undefined && !isBenchOrTest(i.from) &&
    folder(i.from) !== folder(i.to) && folder(i.to) !== "gpu" && folder(i.to) !== "wgsl"
  );
  assertEquals(wrong.map(show), []);
});

Deno.test("kernels/gpu imports no kernel", () => {
  const wrong = imports.filter((i) =>
    i.isRelative && i.from.startsWith("kernels/gpu/") && !/^kernels\/(gpu|wgsl)\//.test(i.to)
  );
  assertEquals(wrong.map(show), []);
});

Deno.test("the page of watch names types of other rooms alone, and nobody but its bundler and tests names it", () => {
  const isPage = (path: string) => path.startsWith("web/watch/");
  const wrong = imports.filter((i) =>
    i.isRelative &&
    (isPage(i.from) ? !isPage(i.to) && !i.isType : isPage(i.to) && layerOf(i.from) !== "tests")
  );
  assertEquals(wrong.map(show), []);
  assert(modules.some(({ path }) => isPage(path)));
});

Deno.test("reference.ts and cases.ts are imported only by tests, benchmarks and each other", () => {
  const isSpecification = (path: string) => /^kernels\/.*\b(reference|cases)\.ts$/.test(path);
  const wrong = imports.filter((i) =>
    isSpecification(i.to) && !isBenchOrTest(i.from) && !isSpecification(i.from)
  );
  assertEquals(wrong.map(show), []);
});

Deno.test("no library file imports the root mod.ts or a test", () => {
  const wrong = imports.filter((i) =>
    i.isRelative && isLibrary(i.from) && (i.to === "mod.ts" || i.to.startsWith("tests/"))
  );
  assertEquals(wrong.map(show), []);
});

Deno.test("bare imports are declared in deno.json or built in", () => {
  const { name: own, imports: declared } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  // Examples import the package as its users do.
  const names = [own, ...Object.keys(declared)];
  const isDeclared = (to: string) => names.some((name) => to === name || to.startsWith(`${name}/`));
  // compat/ and tests may use what Deno itself brings along.
  const wrong = imports.filter((i) => !i.isRelative && !isDeclared(i.to) && !i.to.startsWith("node:"));
  assertEquals(wrong.map(show), []);
});

Deno.test("kernels, model and envs use Deno-only API in one small file each", () => {
  const wrong = modules.filter(({ path, text }) =>
    ["kernels", "model", "envs"].includes(layerOf(path)) && !DENO_FILES.has(path) &&
    /\bDeno\s*\./.test(stripComments(text))
  );
  assertEquals(wrong.map(({ path }) => path), []);
});

Deno.test(`no file has more than ${MAX_LINES} lines`, () => {
  const long = sources.map(({ path, text }) => ({ path, lines: text.replace(/\n$/, "").split("\n").length }))
    .filter(({ lines }) => lines > MAX_LINES);
  assertEquals(long, []);
});
