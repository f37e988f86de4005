/**
 * Bundles the page of `./ponder watch` from `web/watch/` into `rl/watch/page/`, where the command finds it: a command that
 * runs then needs neither a bundler nor the permission to start one. A test bundles it again and compares.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";
import { algorithms } from "../rl/algorithms/mod.ts";

const ROOT = new URL("../", import.meta.url);
/** Where the bundle is kept. */
export const PAGE_FOLDER: URL = new URL("rl/watch/page/", ROOT);

/** Files whose interfaces define what is logged. */
const DEFINING = ["rl/metrics.ts", "rl/improve.ts", "rl/credit.ts", "rl/sft.ts", "rl/thought_tally.ts"];

/** The files of the page by name. */
export async function bundlePage(): Promise<Record<string, string>> {
  const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));
  const { outputFiles } = await esbuild.build({
    entryPoints: [fileURLToPath(new URL("web/watch/main.ts", ROOT))],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    define: { PONDER_DEFINITIONS: JSON.stringify(await readDefinitions()) },
    logLevel: "silent",
  });
  const plot = await read("node_modules/uplot/dist/uPlot.min.css");
  const style = await esbuild.transform(`${plot}\n${await read("web/watch/style.css")}`, {
    loader: "css",
    minify: true,
  });
  return {
    "index.html": await read("web/watch/index.html"),
    "page.js": outputFiles[0].text,
    "page.css": style.code,
  };
}

/** What each metric means, as the comments beside the code that logs it say. */
export async function readDefinitions(): Promise<Record<string, string>> {
  const definitions: Record<string, string> = {};
  for (const path of DEFINING) {
    const text = await Deno.readTextFile(new URL(path, ROOT));
    for (const [, comment, name] of text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*?)\*\/\s*readonly (\w+)\??:/g)) {
      definitions[name] ??= comment.replace(/^\s*\*\s?/gm, "").replace(/\{@linkcode (\w+)\}/g, "$1")
        .replace(/`/g, "").replace(/\s+/g, " ").trim();
    }
  }
  for (const { metrics } of Object.values(algorithms)) {
    for (const [name, meaning] of Object.entries(metrics)) {
      definitions[name] ??= `${meaning[0].toUpperCase()}${meaning.slice(1)}.`;
    }
  }
  return definitions;
}

if (import.meta.main) {
  const files = await bundlePage();
  await esbuild.stop();
  await Deno.mkdir(PAGE_FOLDER, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(new URL(name, PAGE_FOLDER), text);
  }
  console.error(Object.entries(files).map(([name, text]) => `${name} ${text.length} bytes`).join(", "));
}
