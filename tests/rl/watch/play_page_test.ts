/// <reference lib="dom" />
/** The view that plays, in a browser, by the keyboard alone. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Page } from "playwright-core";
import { openGpu } from "../../../kernels/gpu/mod.ts";
import { readPage } from "../../../rl/watch/page.ts";
import { Play } from "../../../rl/watch/play.ts";
import { findRuns } from "../../../rl/watch/runs.ts";
import { serveSite } from "../../../rl/watch/serve.ts";
import { makeSite } from "../../../rl/watch/site.ts";
import { accessibilityFaults } from "../../axe.ts";
import { inBrowser, keepScreenshot, openPage } from "../../browser.ts";
import { onGpu } from "../../gpu.ts";
import { TempFolder, untrainedRun } from "../tiny_run.ts";

/** Text or name of what has the focus. */
const focused = (page: Page) =>
  page.evaluate<string>(
    "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()",
  );

/** Presses Tab until something of that name has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press("Tab");
    if (await focused(page) === name) return;
  }
  throw new Error(`Tab does not reach ${name}`);
}

Deno.test({
  name: "an episode is played by the keyboard alone, which keeps its place after each move",
  ...inBrowser,
  ignore: inBrowser.ignore || onGpu.ignore,
  fn: async () => {
    using temp = new TempFolder();
    await untrainedRun(`${temp.path}/run`);
    const runs = () => findRuns([temp.path]);
    await using play = new Play({ runs, openGpu });
    const site = makeSite({
      page: await readPage(),
      runs,
      play: (request, path) => play.answer(request, path),
    });
    await using server = serveSite(site, { port: 0, note: () => {} });
    await using opened = await openPage(`${server.url}#/runs?runs=run`, {
      viewport: { width: 1024, height: 800 },
      reducedMotion: "reduce",
    });
    const { page, errors } = opened;
    await page.waitForSelector("html[data-ready]");
    await tabTo(page, "Play");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".moves");
    await tabTo(page, "-");
    for (const moves of [1, 2]) {
      await page.keyboard.press("Enter");
      await page.waitForFunction(
        (moves) => document.querySelectorAll(".seat:nth-child(2) .log li").length >= moves,
        moves,
      );
      await page.waitForSelector(".moves button:not([disabled])");
      assertEquals(await focused(page), "-");
    }
    // Digits choose views here as everywhere.
    assertEquals(await page.locator("[aria-keyshortcuts]").count(), 0);
    await tabTo(page, "Let it think");
    await tabTo(page, "take the frame above");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    assertEquals(await focused(page), "Show it to the model");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".said .note:has-text('Value')");
    assertEquals(await focused(page), "Show it to the model");
    assertStringIncludes(await page.textContent(".said") ?? "", "Coloured where it was unsure");
    const silent = await page.locator(".play .token:not(.silent)").evaluateAll((tokens) =>
      tokens.filter(({ textContent }) => textContent === "").length
    );
    assertEquals(silent, 0, "no box is empty");
    assertEquals(await accessibilityFaults(page), []);
    await keepScreenshot(page, "watch-play-1024-light");
    // The run has no metrics yet, which the browser calls an error.
    assertEquals(errors.filter((error) => !error.includes("404 (Not Found)")), []);
  },
});
