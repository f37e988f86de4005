/** `web`: writes the playground as a folder that any web server serves, with relative paths and no special header. */
import { fileURLToPath } from "node:url";
import { type Command, defineOptions, runCommand, shellQuote } from "../rl/cli/mod.ts";
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

const options = defineOptions({
  out: { type: "path", meaning: "folder to write; web/dist in the repository when absent" },
  demo: {
    type: "path",
    isRun: true,
    meaning: "take the demo checkpoint and recorded episodes from this run on NumberLine",
  },
});

/** The `web` command. */
export const webCommand: Command<typeof options> = {
  command: "./ponder web",
  summary:
    "Write the playground, where a policy acts and trains in the browser, as a folder for any web server.",
  examples: ["./ponder web", "./ponder web --out playground", "./ponder web --demo runs/NumberLine-s0"],
  options,
  async run({ values: { out, demo } }) {
    if (demo !== undefined) {
      const { writeDemo } = await import("./web_demo.ts");
      await writeDemo(demo, new URL("demo/", PLAYGROUND));
    }
    const folder = (out ?? fileURLToPath(new URL("web/dist/", ROOT))).replace(/\/$/, "");
    const files = await playgroundFiles();
    for (const [name, bytes] of Object.entries(files)) {
      const path = `${folder}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeFile(path, bytes);
      const sizes = `${String(bytes.length).padStart(9)} bytes, ${await gzippedBytes(bytes)} gzipped`;
      console.log(`${name.padEnd(40)} ${sizes}`);
    }
    console.log(`\n${folder}: serve it with any web server, for instance: npx serve ${shellQuote(folder)}`);
  },
};

if (import.meta.main) Deno.exit(await runCommand(webCommand, Deno.args));
