/**
 * Bundles for browsers: esbuild, WGSL as text, and a stand-in for each of the few files and modules that only Deno has.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";
import { writeFileAtomic } from "../model/files.ts";
import { cardSprites, glyphSprites } from "./sprites.ts";

const ROOT = new URL("../", import.meta.url);
const pathOf = (file: string) => fileURLToPath(new URL(file, ROOT));

/** Files of this repository that a browser has another one for. */
const FILES: Readonly<Record<string, string>> = {
  "envs/shared/canvas.ts": "web/host/canvas.ts",
};

/** Modules that a browser lacks, and their stand-ins. */
const MODULES: Readonly<Record<string, string>> = {
  "@std/assert": "compat/std_assert/mod.ts",
  "@std/cli": "compat/std_cli/mod.ts",
  "node:crypto": "web/host/crypto.ts",
  "node:path": "web/host/path.ts",
  "node:url": "web/host/url.ts",
  "node:zlib": "web/host/zlib.ts",
};

/** WGSL without comments and margins. Lines stay where they are, since errors name them. */
export function withoutComments(wgsl: string): string {
  return wgsl.split("\n").map((line) => line.trim().replace(/(^|\s+)\/\/(?!@).*$/, "")).join("\n");
}

/**
 * An esbuild plugin that puts stand-ins for browsers in the place of files and modules that only Deno has. With `isSmall` it
 * leaves out the comments of WGSL, which no bundler knows.
 */
export function forBrowsers({ isSmall = false }: { isSmall?: boolean } = {}): esbuild.Plugin {
  const files = new Map(Object.entries(FILES).map(([from, to]) => [pathOf(from), pathOf(to)]));
  return {
    name: "ponder for browsers",
    setup(build) {
      build.onResolve({ filter: /^(@std\/|node:)/ }, ({ path }) => {
        const stand = Object.hasOwn(MODULES, path) ? MODULES[path] : undefined;
        return stand === undefined ? null : { path: pathOf(stand) };
      });
      build.onResolve({ filter: /canvas\.ts$/ }, ({ path, resolveDir }) => {
        const stand = files.get(fileURLToPath(new URL(path, `file://${resolveDir}/`)));
        return stand === undefined ? null : { path: stand };
      });
      if (isSmall) {
        build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => ({
          contents: withoutComments(await Deno.readTextFile(path)),
          loader: "text",
        }));
      }
      build.onResolve({ filter: /\.sprites\.json$/ }, ({ path }) => ({
        path: path.replace(/.*\/(\w+)\.sprites\.json$/, "$1.bin"),
        namespace: "sprites",
      }));
      build.onLoad({ filter: /.*/, namespace: "sprites" }, async ({ path }) => ({
        contents: await spritesOf(path),
        loader: "file",
      }));
    },
  };
}

/** Files that say how sprites look. */
const SPRITE_SOURCES = [
  ...["web/sprites.ts", "web/host/sprite_file.ts", "envs/shared/cards.ts", "envs/shared/canvas.ts"],
  "deno.json",
];

/** Draws sprites. Earlier ones are kept in `.cache/`, since all cards take seconds. */
async function spritesOf(file: string): Promise<Uint8Array> {
  const sources = await Promise.all(SPRITE_SOURCES.map((path) => Deno.readTextFile(pathOf(path))));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(sources.join("\n")));
  const kept = pathOf(`.cache/sprites/${new Uint8Array(digest).toHex().slice(0, 16)}-${file}`);
  try {
    return await Deno.readFile(kept);
  } catch {
    const sprites = await (file === "cards.bin" ? cardSprites() : glyphSprites());
    await Deno.mkdir(pathOf(".cache/sprites"), { recursive: true });
    await writeFileAtomic(kept, sprites);
    return sprites;
  }
}

/** What {@linkcode bundle} is told beside the entries. */
export type BundleOptions = Pick<
  esbuild.BuildOptions,
  "minify" | "sourcemap" | "outdir" | "entryNames" | "metafile" | "splitting"
>;

/**
 * Bundles entries, given as paths from the repository's root, as ES modules for browsers.
 *
 * @throws {Error} esbuild's, naming what cannot be bundled.
 */
export async function bundle(
  entries: readonly string[],
  options: BundleOptions = {},
): Promise<esbuild.BuildResult<{ write: false }>> {
  return await esbuild.build({
    outdir: ".",
    ...options,
    entryPoints: entries.map(pathOf),
    absWorkingDir: pathOf(""),
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2024",
    loader: { ".wgsl": "text" },
    plugins: [forBrowsers({ isSmall: options.minify })],
    logLevel: "silent",
  });
}

/** Ends esbuild's process, which otherwise lives as long as this one. */
export const endBundling = (): Promise<void> => esbuild.stop();
