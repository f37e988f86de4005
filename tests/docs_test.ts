/**
 * The pages: their links resolve, the commands they name exist, and those that the tour ends in run. The longest program has a
 * shorter warm start and fewer environments here; `-- --all` runs it as it is.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkEnvironment } from "../envs/mod.ts";
import { algorithms } from "../rl/algorithms/mod.ts";
import { sideBySide } from "./side_by_side.ts";

const ROOT = new URL("../", import.meta.url);

/** Every page of the repository, by its path from the root. */
function pagesIn(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
    isDirectory ? pagesIn(`${folder}${name}/`) : name.endsWith(".md") ? [`${folder}${name}`] : []
  ).sort();
}

const topLevel = [...Deno.readDirSync(ROOT)].map(({ name }) => name).filter((name) => name.endsWith(".md"));
const pages = [...topLevel, ...pagesIn("docs/")];
const read = (path: string): string => Deno.readTextFileSync(new URL(path, ROOT));

/** A page without its blocks of code. */
const proseOf = (page: string): string =>
  read(page).replace(/^```[\s\S]*?^```$/gm, "").replace(/`[^`\n]*`/g, "");

/** As headings become fragments: lower case, blanks to hyphens, without punctuation. */
function fragmentsOf(page: string): Set<string> {
  const headings = read(page).replace(/^```[\s\S]*?^```$/gm, "").matchAll(/^#+ (.*)$/gm);
  return new Set(
    Array.from(
      headings,
      ([, text]) => text.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-"),
    ),
  );
}

Deno.test("the pages of the tour and the README are found", () => {
  for (const page of ["README.md", "docs/tour/1_a_sum.md", "docs/how_to/README.md"]) {
    assert(pages.includes(page));
  }
});

for (const page of pages) {
  Deno.test(`all relative links of ${page} lead to a file, and fragments to a heading`, () => {
    const links = [
      ...Array.from(proseOf(page).matchAll(/\]\(([^)\s]+)\)/g), ([, link]) => link!),
      ...Array.from(proseOf(page).matchAll(/(?:src|srcset)="([^"]+)"/g), ([, link]) => link!),
    ];
    for (const link of links.filter((link) => !/^[a-z]+:/.test(link))) {
      const [path, fragment] = link.split("#");
      const target = path === "" ? page : new URL(path!, `file:///${page}`).pathname.slice(1);
      let isThere = true;
      try {
        Deno.statSync(new URL(target, ROOT));
      } catch {
        isThere = false;
      }
      assert(isThere, `${page} links to ${link}, but there is no ${target}`);
      if (fragment === undefined || !target.endsWith(".md")) continue;
      assert(fragmentsOf(target).has(fragment), `${page} links to ${link}, which is no heading of ${target}`);
    }
  });
}

Deno.test("every ./ponder command that a page names exists", () => {
  const { tasks } = JSON.parse(read("deno.json"));
  for (const page of pages) {
    for (const [, command] of read(page).matchAll(/(?:\.\/ponder|deno task) ([a-z]+(?:-[a-z]+)*)/g)) {
      assert(command! in tasks, `${page} names ./ponder ${command}, which is no task`);
    }
  }
});

Deno.test("the README has at most 130 lines, and its table names every command and nothing else", () => {
  const readme = read("README.md");
  assert(readme.trimEnd().split("\n").length <= 130);
  const { tasks } = JSON.parse(read("deno.json"));
  const table = readme.slice(readme.indexOf("| command"), readme.indexOf("## Bring your own"));
  const named = table.split("\n").flatMap((row) => [...row.split("|")[1]?.matchAll(/`([a-z]+)`/g) ?? []]);
  assertEquals(named.map(([, name]) => name).sort(), Object.keys(tasks).sort());
});

Deno.test("the environment of the README keeps what environments promise", async () => {
  const [, source] = read("README.md").match(/^```ts\n([\s\S]*?)^```$/m)!;
  const { default: definition } = await import(`data:application/typescript,${encodeURIComponent(source!)}`);
  const faults = checkEnvironment(definition).filter(({ fault }) => fault !== null);
  assertEquals(faults, []);
});

Deno.test("every algorithm has its section on the page, with its sources and metrics, and no other has one", () => {
  const [, ...sections] = read("docs/algorithms.md").split(/^## /m);
  const named = sections.filter((section) => section.startsWith("`"));
  assertEquals(named.map((section) => section.split("`")[1]!).sort(), Object.keys(algorithms).sort());
  for (const section of named) {
    const { source, metrics } = algorithms[section.split("`")[1]!]!;
    for (const part of source.split(", ")) assertStringIncludes(section, part);
    for (const metric of Object.keys(metrics)) assertStringIncludes(section, `\`${metric}\``);
  }
});

Deno.test("every setting that the page of the algorithms names is one", () => {
  const [, ...sections] = read("docs/algorithms.md").split(/^## /m);
  for (const section of sections.filter((section) => section.startsWith("`"))) {
    const algorithm = algorithms[section.split("`")[1]!]!;
    const [settings] = section.match(/^- Settings: .*$/m)!;
    for (const [, flag] of settings!.matchAll(/`--(?:no-)?([a-z-]+)/g)) {
      const name = flag!.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
      const others = Object.values(algorithms).flatMap(({ options }) => Object.keys(options));
      const isMentionedElsewhere = /without `--/.test(settings!) && others.includes(name);
      assert(name in algorithm.options || isMentionedElsewhere, `${algorithm.name} has no setting --${flag}`);
    }
  }
});

/** The commands of a page's last block of shell. */
function commandsOf(page: string): string[] {
  const blocks = [...read(page).matchAll(/^```sh\n([\s\S]*?)^```$/gm)];
  return (blocks.at(-1)?.[1] ?? "").split("\n").map((line) => line.replace(/ +#.*$/, "").trim()).filter(
    Boolean,
  );
}

const LONGEST = "docs/tour/one_update.ts";

/** Writes that program with a shorter warm start and fewer environments, which is no other code, into a folder, and returns its path. */
function shortened(folder: string): string {
  const text = read(LONGEST);
  const short = text
    .replace("demonstrations: 1000,", "demonstrations: 64,")
    .replace("sftSteps: 120,", "sftSteps: 4,")
    .replace("sftWarmup: 20,", "sftWarmup: 2,")
    .replace("evalEpisodes: 1,", "evalEpisodes: 1, envs: 8, minibatch: 16,");
  assertEquals(
    short.length,
    text.length - 5 + " envs: 8, minibatch: 16,".length,
    `${LONGEST} has other settings`,
  );
  const path = `${folder}/one_update.ts`;
  // Its imports start from where it was.
  const from = short.replace(/(?<= from ")\.[^"]*/g, (name) => new URL(name, new URL(LONGEST, ROOT)).href);
  Deno.writeTextFileSync(path, from);
  return path;
}

/** Runs a page's commands, one after the other. */
async function runCommandsOf(page: string, folder: string): Promise<void> {
  const commands = commandsOf(page).map((command) =>
    Deno.args.includes("--all") ? command : command.replace(LONGEST, () => shortened(folder))
  );
  assert(commands.length > 0, `${page} has no command`);
  for (const command of commands) {
    const [program, ...args] = command.split(" ");
    // `./ponder` may install what is missing, which a test must not: its tasks do the same.
    const [name, rest] = program === "./ponder"
      ? [Deno.execPath(), ["task", ...args]]
      : [Deno.execPath(), args];
    assert(program === "./ponder" || program === "deno", `${command} is no command of ours`);
    const { code, stderr } = await new Deno.Command(name!, {
      args: rest!,
      cwd: ROOT,
      env: { NO_COLOR: "1", PONDER_TUNING: "off" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    assertEquals(code, 0, `${page}: ${command}\n${new TextDecoder().decode(stderr)}`);
  }
}

Deno.test("the commands that the pages of the tour and the how-to pages end in run", async () => {
  const ending = pages.filter((page) => /^docs\/(tour\/\d|how_to\/add_)/.test(page));
  assert(ending.length >= 10, `${ending}`);
  // The longest first.
  const isLong = (page: string) => Number(page.startsWith("docs/tour/5_one_update"));
  const folder = Deno.makeTempDirSync({ prefix: "ponder_pages_" });
  try {
    await sideBySide(
      ending.toSorted((a, b) => isLong(b) - isLong(a)),
      (page) => runCommandsOf(page, folder),
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
