/**
 * `./ponder web`: writes the playground as a folder that any web server serves, with relative paths and no special header.
 *
 *     ./ponder web                     into web/dist/
 *     ./ponder web --out FOLDER        elsewhere
 *     ./ponder web --demo RUN          first takes the demo checkpoint and recorded episodes from a run on NumberLine
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "@std/cli";
import { userPath } from "../rl/cli/paths.ts";
import { bundle, endBundling } from "../web/bundle.ts";

const ROOT = new URL("../", import.meta.url);
const PLAYGROUND = new URL("web/playground/", ROOT);
const DEMO_FILES = ["config.json", "tokenizer.json", "model.safetensors", "recorded.json"] as const;

/** All files of the playground, by path. */
export async function playgroundFiles(): Promise<Record<string, Uint8Array>> {
  const entries = ["web/playground/main.ts", "web/playground/worker.ts"];
  const options = { minify: true, splitting: true, entryNames: "[name]" };
  const { outputFiles } = await bundle(entries, options).finally(endBundling);
  const files: Record<string, Uint8Array> = {};
  for (const { path, contents } of outputFiles) files[path.split(/[\\/]/).at(-1)!] = contents;
  const read = async (name: string, url: URL) => void (files[name] = await Deno.readFile(url));
  await read("index.html", new URL("index.html", PLAYGROUND));
  await read("style.css", new URL("style.css", PLAYGROUND));
  await read("base.css", new URL("web/style.css", ROOT));
  await read("uplot.css", new URL("node_modules/uplot/dist/uPlot.min.css", ROOT));
  for (const name of DEMO_FILES) await read(`demo/${name}`, new URL(`demo/${name}`, PLAYGROUND));
  return files;
}

/** Bytes of a file as servers send it. */
export async function gzippedBytes(bytes: Uint8Array): Promise<number> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(
    new CompressionStream("gzip"),
  );
  return (await new Response(stream).arrayBuffer()).byteLength;
}

if (import.meta.main) {
  const { out, demo, help } = parseArgs(Deno.args, { string: ["out", "demo"], boolean: ["help"] });
  if (help) {
    console.log(
      "Usage: ./ponder web [--out FOLDER] [--demo RUN]\n\nWrites the playground; FOLDER is web/dist by default.",
    );
    Deno.exit(0);
  }
  if (demo) {
    const { writeDemo } = await import("./web_demo.ts");
    await writeDemo(userPath(demo), new URL("demo/", PLAYGROUND));
  }
  const folder = out ? userPath(out) : fileURLToPath(new URL("web/dist/", ROOT));
  const files = await playgroundFiles();
  for (const [name, bytes] of Object.entries(files)) {
    const path = `${folder.replace(/\/$/, "")}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(path, bytes);
    console.log(
      `${name.padEnd(40)} ${String(bytes.length).padStart(9)} bytes, ${await gzippedBytes(bytes)} gzipped`,
    );
  }
  console.log(`\n${folder}: serve it with any web server, for instance: npx serve ${folder}`);
}
