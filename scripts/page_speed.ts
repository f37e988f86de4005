/// <reference lib="dom" />
/**
 * Measures the page of `watch` in Chromium with a run of 5,000 iterations and 2,000 recorded responses: when it can be used,
 * and how evenly frames come while it is scrolled. Drawing is in software if the machine has no GPU.
 *
 * @module
 */
import { type Command, defineOptions, runCommand } from "../rl/cli/mod.ts";
import { findRuns } from "../rl/watch/runs.ts";
import { readPage } from "../rl/watch/page.ts";
import { serveSite } from "../rl/watch/serve.ts";
import { makeSite } from "../rl/watch/site.ts";
import { openPage, testBrowser } from "../tests/browser.ts";
import { writeSyntheticRun } from "../tests/rl/watch/synthetic_run.ts";

/** Gaps between frames in milliseconds, while something scrolls by some pixels a frame. */
async function scrollGaps(selector: string, frames: number): Promise<number[]> {
  const target = selector === "" ? document.scrollingElement! : document.querySelector(selector)!;
  const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));
  const gaps: number[] = [];
  let before = await frame();
  for (let i = 0; i < frames; i++) {
    target.scrollTop += 24;
    if (target.scrollTop + target.clientHeight >= target.scrollHeight - 1) target.scrollTop = 0;
    const now = await frame();
    gaps.push(now - before);
    before = now;
  }
  return gaps;
}

/** Measures both views, with a run in `folder`. */
async function measurePage(folder: string, frames: number): Promise<void> {
  const responses = await writeSyntheticRun(`${folder}/long`, { iterations: 5000, recorded: 400 });
  const page = await readPage();
  await using server = serveSite(makeSite({ page, runs: () => findRuns([folder]) }), {
    port: 0,
    note: () => {},
  });
  for (
    const [view, selector, ready] of [
      ["trend", "", ".card.wide canvas"],
      ["episodes", ".list", ".token[aria-pressed=true]"],
    ] as const
  ) {
    await using opened = await openPage("about:blank", { viewport: { width: 1440, height: 900 } });
    const { page } = opened;
    const startMs = performance.now();
    await page.goto(`${server.url}#/${view}?runs=long`);
    await page.waitForSelector("html[data-ready]");
    await page.waitForSelector(ready);
    const usableMs = performance.now() - startMs;
    await page.waitForTimeout(500);
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    const busy = async () => {
      const { metrics } = await session.send("Performance.getMetrics");
      return Object.fromEntries(metrics.map(({ name, value }) => [name, 1000 * value]));
    };
    const before = await busy();
    const gaps = (await page.evaluate(`(${scrollGaps})(${JSON.stringify(selector)}, ${frames})`) as number[])
      .toSorted((a, b) => a - b);
    const after = await busy();
    const each = (name: string) => ((after[name] - before[name]) / frames).toFixed(2);
    const at = (share: number) => gaps[Math.floor(share * (gaps.length - 1))].toFixed(1);
    const late = gaps.filter((gap) => gap > 1.5 * 1000 / 60).length;
    console.log(
      `${view}: ${responses} responses, usable after ${
        usableMs.toFixed(0)
      } ms; ${frames} frames scrolled, gaps median ` +
        `${at(0.5)} ms, 95% ${at(0.95)}, most ${at(1)}, ${late} frames late; main thread ${
          each("TaskDuration")
        } ms a frame ` +
        `(script ${each("ScriptDuration")}, layout ${each("LayoutDuration")}, style ${
          each("RecalcStyleDuration")
        })`,
    );
  }
}

const options = defineOptions({
  frames: { type: "integer", default: 240, min: 2, meaning: "frames that are scrolled over" },
});

const pageSpeedCommand: Command<typeof options> = {
  command: "deno run -A scripts/page_speed.ts",
  summary:
    "Measure when the page of watch can be used with a long run, and how evenly it scrolls. It needs Chromium.",
  examples: ["deno run -A scripts/page_speed.ts"],
  options,
  async run({ values: { frames } }) {
    const folder = await Deno.makeTempDir();
    try {
      await measurePage(folder, frames);
    } finally {
      await (await testBrowser()).close();
      await Deno.remove(folder, { recursive: true });
    }
  },
};

if (import.meta.main) Deno.exit(await runCommand(pageSpeedCommand, Deno.args));
