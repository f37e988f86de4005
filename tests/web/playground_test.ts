/// <reference lib="dom" />
/** The playground as a visitor sees it: built, served as plain files, clicked through. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { BrowserContextOptions, Page } from "playwright-core";
import { gzippedBytes, playgroundFiles } from "../../scripts/web.ts";
import { accessibilityFaults } from "../axe.ts";
import { inBrowser, keepScreenshot, openPage, serveFiles } from "../browser.ts";

const files = inBrowser.ignore ? {} : await playgroundFiles();

/** Serves the playground below a folder, as GitHub Pages does, and opens it. */
async function openPlayground(link = "", options: BrowserContextOptions = {}) {
  const below = Object.fromEntries(
    Object.entries(files).map(([path, bytes]) => [`some/folder/${path}`, bytes]),
  );
  const server = serveFiles(below);
  const opened = await openPage(`${server.url}some/folder/index.html${link}`, options);
  return {
    ...opened,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const textOf = (page: Page, id: string) => page.locator(`#${id}`).innerText();
/** Waits until an episode has been shown to its end. */
const ended = (page: Page) =>
  page.waitForFunction(
    () => /Target reached|[Ss]uccess/.test(document.getElementById("verdict")!.textContent!),
  );

/** What a browser without WebGPU has. */
const hideWebGpu = (page: Page) =>
  page.addInitScript(() => Object.defineProperty(navigator, "gpu", { value: undefined }));

Deno.test({
  name: "a visitor watches the trained policy think, on the GPU, and shares what they see",
  ...inBrowser,
  fn: async () => {
    const viewport = { width: 1440, height: 900 };
    await using opened = await openPlayground("#lambda=0.2&seed=3&episode=5&greedy=1", {
      viewport,
      colorScheme: "light",
    });
    const { page, errors } = opened;
    await ended(page);
    assertStringIncludes(await textOf(page, "adapter"), "0.52 million weights");
    assertStringIncludes(await textOf(page, "thought"), 'the target number", "action": "');
    assertEquals(await textOf(page, "verdict"), "Target reached.");
    assertEquals(await page.locator("#lambda").inputValue(), "0.2");
    await page.locator("#lambda").fill("0.35");
    assertStringIncludes(page.url(), "#env=NumberLine&lambda=0.35&seed=3&budget=short&episode=5&greedy=1");
    await keepScreenshot(page, "playground_1440_light");
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      assertEquals(await accessibilityFaults(page), [], colorScheme);
    }
    assertEquals(errors, []);
  },
});

Deno.test({
  name: "training starts in the page, says how far it is, and stops when asked",
  ...inBrowser,
  fn: async () => {
    await using opened = await openPlayground("", {
      viewport: { width: 1024, height: 768 },
      colorScheme: "dark",
    });
    const { page, errors } = opened;
    await page.waitForFunction(() => !(document.getElementById("train") as HTMLButtonElement).disabled);
    await page.click("#train");
    await page.waitForFunction(
      () => /^[1-9]\d* of 120, loss/.test(document.getElementById("detail")!.textContent!),
    );
    assertEquals(await textOf(page, "stage-name"), "Imitating the teacher");
    await keepScreenshot(page, "playground_1024_dark");
    assertEquals(await accessibilityFaults(page), []);
    await page.click("#stop");
    await page.waitForFunction(() => document.getElementById("stage-name")!.textContent === "Stopped");
    assertStringIncludes(await textOf(page, "runs"), "stopped");
    assertEquals(errors, []);
  },
});

Deno.test({
  name: "a browser without WebGPU is told which have it, and shows recorded episodes, on a phone too",
  ...inBrowser,
  fn: async () => {
    await using opened = await openPlayground("", {
      viewport: { width: 390, height: 844 },
      colorScheme: "dark",
    });
    const { page, errors } = opened;
    await hideWebGpu(page);
    await page.reload();
    await ended(page);
    assertStringIncludes(await textOf(page, "notices"), "Chrome and Edge from version 113");
    assertEquals(await textOf(page, "source"), "recorded");
    assert(await page.locator("#train").isDisabled());
    // The rules of all environments need no GPU.
    await page.selectOption("#env", "Blackjack");
    await ended(page);
    assertEquals(await page.locator("#policy").inputValue(), "solver");
    assertStringIncludes(await textOf(page, "source"), "live");
    assertStringIncludes(await textOf(page, "thought"), '"action": "');
    assert(
      await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
      "it scrolls sideways",
    );
    await keepScreenshot(page, "playground_390_dark_recorded");
    assertEquals(errors, []);
  },
});

Deno.test({
  name: "a broken link says so and starts fresh",
  ...inBrowser,
  fn: async () => {
    for (
      const [link, said] of [
        ["#lambda=7", "This link is broken (lambda is not a value that it may have)"],
        [`#seed=${"1".repeat(5000)}`, "This link is too long (5005 characters)"],
      ]
    ) {
      await using opened = await openPlayground(link);
      const { page } = opened;
      assertStringIncludes(await textOf(page, "notices"), said);
      assertEquals(await page.locator("#lambda").inputValue(), "0.5");
      assert(!page.url().includes("#"), "the address is fresh too");
    }
  },
});

Deno.test({
  name: "the playground names no address of its own, and its code is small",
  ...inBrowser,
  fn: async () => {
    const html = new TextDecoder().decode(files["index.html"]);
    assertEquals(
      [...html.matchAll(/(?:src|href)="(?!https:\/\/arxiv\.org|data:)([^"]*)"/g)].map(([, to]) => to).filter((
        to,
      ) => to.startsWith("/") || to.includes(":")),
      [],
    );
    const code = Object.entries(files).filter(([path]) => /\.(js|css|html)$/.test(path));
    const bytes = await Promise.all(code.map(([, content]) => gzippedBytes(content)));
    const total = bytes.reduce((a, b) => a + b, 0);
    assert(total < 250_000, `${total} bytes gzipped`);
  },
});
