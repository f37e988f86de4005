/**
 * Tests in a real browser: Chromium, started once a test file, with WebGPU on whatever adapter there is. Without a browser
 * they are skipped and a line says so; `REQUIRE_BROWSER=1` lets them run, and fail, all the same. `PONDER_BROWSER` names
 * the program when it is none of the usual ones.
 */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Chromium shows WebGPU on a software adapter only when it is told that this is unsafe; as root it has no sandbox. */
const FLAGS = ["--enable-unsafe-webgpu", "--no-sandbox", "--hide-scrollbars"];

/** Milliseconds after which a page counts as hung: far more than the slowest machine needs, so that no test looks at the clock. */
const HANG = 600_000;

const program = findProgram();
const isSkipped = program === null && Deno.env.get("REQUIRE_BROWSER") !== "1";
if (isSkipped) {
  console.error(
    "\nNO BROWSER: the tests of this file that need one are SKIPPED; install Debian's chromium, or name another in " +
      "PONDER_BROWSER. With REQUIRE_BROWSER=1 they fail\n",
  );
}

/** What `Deno.test` takes for a test in the browser, which outlives it. */
export const inBrowser = { sanitizeResources: false, sanitizeOps: false, ignore: isSkipped } as const;

let shared: Promise<Browser> | null = null;

/** The browser of this test file; closed after its last test. */
export function testBrowser(): Promise<Browser> {
  return shared ??= launch();
}

if (!isSkipped) {
  Deno.test.afterAll(async () => {
    await (await shared)?.close();
    shared = null;
  });
}

async function launch(): Promise<Browser> {
  if (program === null) {
    throw new Error(
      "Cannot start a browser: none was found, install Debian's chromium or set PONDER_BROWSER",
    );
  }
  // Else it looks into /proc for Windows as it loads, which Deno grants with all permissions only.
  Deno.env.set("__IS_WSL_TEST__", "1");
  const { chromium } = await import("playwright-core");
  return await chromium.launch({ executablePath: program, args: FLAGS, timeout: HANG });
}

function findProgram(): string | null {
  const named = Deno.env.get("PONDER_BROWSER");
  if (named) return isFile(named) ? named : null;
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return PROGRAMS.flatMap((name) => folders.map((folder) => `${folder}/${name}`)).find(isFile) ?? null;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A page, and what went wrong in it. */
export interface TestPage extends AsyncDisposable {
  /** As playwright drives it. */
  readonly page: Page;
  /** Uncaught errors and `console.error` of the page, in order. */
  readonly errors: readonly string[];
}

/**
 * A new page in a context of its own, at a URL. `options` are playwright's, such as `viewport` and `colorScheme`. It closes
 * when it is disposed of.
 */
export async function openPage(url: string, options: BrowserContextOptions = {}): Promise<TestPage> {
  const context = await (await testBrowser()).newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(HANG);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors, [Symbol.asyncDispose]: () => context.close() };
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
  json: "application/json",
  svg: "image/svg+xml",
  png: "image/png",
  ttf: "font/ttf",
};

/** Files on a web server that this machine alone reaches. */
export interface TestServer extends AsyncDisposable {
  /** Where its root is, with a slash at the end. */
  readonly url: string;
}

/** Serves files by their paths: texts and bytes, or those of a folder. No header but the type, as on a plain web server. */
export function serveFiles(files: Readonly<Record<string, string | Uint8Array>> | URL): TestServer {
  const contentOf = async (path: string): Promise<string | Uint8Array | null> => {
    if (!(files instanceof URL)) return Object.hasOwn(files, path) ? files[path] : null;
    const url = new URL(path, files);
    return url.href.startsWith(files.href) ? await Deno.readFile(url).catch(() => null) : null;
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname.slice(1)) || "index.html";
    const content = await contentOf(path);
    if (content === null) return new Response("Not found", { status: 404 });
    const type = TYPES[path.split(".").at(-1)!] ?? "application/octet-stream";
    return new Response(content as BodyInit, { headers: { "content-type": type } });
  });
  return { url: `http://127.0.0.1:${server.addr.port}/`, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Keeps a screenshot of a page as output of the tests, in `.cache/screenshots/`, which git does not see. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  const folder = new URL("../.cache/screenshots/", import.meta.url);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(new URL(`${name}.png`, folder), await page.screenshot());
}

/** A page that has the exports of a module of the tests. */
export interface ModulePage extends TestPage {
  /** Calls an export with arguments that JSON can hold, and returns what it resolves to. */
  call<Result>(name: string, ...args: readonly unknown[]): Promise<Result>;
}

/** Bundles a module, named from the repository's root, and opens a page that has loaded it, beside `more` files. */
export async function openModule(
  entry: string,
  more: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<ModulePage> {
  const { bundle, endBundling } = await import("../web/bundle.ts");
  const { outputFiles } = await bundle([entry], { entryNames: "module" }).finally(endBundling);
  const files = Object.fromEntries(
    outputFiles.map(({ path, contents }) => [path.split(/[\\/]/).at(-1)!, contents]),
  );
  const html = `<!doctype html><title>${entry}</title><link rel="icon" href="data:,">` +
    '<script type="module">import * as tested from "./module.js"; globalThis.tested = tested;</script>';
  const server = serveFiles({ "index.html": html, ...files, ...more });
  const opened = await openPage(server.url);
  const { page } = opened;
  // What the module throws as it loads is among the errors.
  await page.waitForFunction(() => "tested" in globalThis).catch((error) => {
    throw new Error(`Cannot load ${entry} in the browser: ${opened.errors.join("\n")}`, { cause: error });
  });
  return {
    ...opened,
    call: (name, ...args) =>
      page.evaluate(
        // deno-lint-ignore no-explicit-any -- runs in the page, which has the module
        ([name, args]) => (globalThis as any).tested[name](...args),
        [name, args] as const,
      ),
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
