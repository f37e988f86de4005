/**
 * The import arrows of the house style, checked on every .ts file of the repository:
 * `rl -> model -> model/tape -> kernels/<op> -> kernels/gpu`, and `rl -> envs`.
 */
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const MAX_LINES = 400;
const SKIPPED = new Set(["node_modules", ".git", ".cache", "runs", "coverage"]);
const LAYERS = ["rl", "model", "kernels", "envs"];

/** The one file of each layer that may use Deno-only API: files, environment, canvas factory. */
const DENO_FILES = new Set([
  "kernels/gpu/host.ts",
  "kernels/bench.ts",
  "model/files.ts",
  "envs/canvas.ts",
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
    /^\s*(?:import|export)\b[^"';()]*?\bfrom\s*["']([^"']+)["']/gm,
    /^\s*import\s*["']([^"']+)["']/gm,
    /\bimport\s*\(\s*["']([^"']+)["']/g,
  ];
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map(([, specifier]) => {
      const isRelative = specifier!.startsWith(".");
      const to = isRelative ? new URL(specifier!, `file:///${path}`).pathname.slice(1) : specifier!;
      return { from: path, to, isRelative };
    })
  );
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
const isLibrary = (path: string): boolean => LAYERS.includes(layerOf(path));
const isBenchOrTest = (path: string): boolean =>
  layerOf(path) === "tests" || path === "kernels/bench.ts" || path.startsWith("kernels/bench/");

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

Deno.test("envs imports no other layer", () => {
  assertEquals(between("envs/", "kernels/", "model/", "rl/"), []);
});

Deno.test("kernels imports neither model nor rl nor envs", () => {
  assertEquals(between("kernels/", "model/", "rl/", "envs/"), []);
});

Deno.test("model imports neither rl nor envs", () => {
  assertEquals(between("model/", "rl/", "envs/"), []);
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
