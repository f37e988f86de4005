/// <reference lib="dom" />
/** The watch page in a browser: clicked through, at three widths, light and dark, with a long run and a damaged one. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as esbuild from "esbuild";
import { gzipSync } from "node:zlib";
import { bundlePage, readDefinitions } from "../../../scripts/watch_page.ts";
import { decodeRecorded, encodeRecorded } from "../../../rl/run/recorded.ts";
import { exportPage } from "../../../rl/watch/export.ts";
import { readPage } from "../../../rl/watch/page.ts";
import { findRuns } from "../../../rl/watch/runs.ts";
import { serveSite } from "../../../rl/watch/serve.ts";
import { makeSite } from "../../../rl/watch/site.ts";
import { accessibilityFaults } from "../../axe.ts";
import { inBrowser, keepScreenshot, openPage } from "../../browser.ts";
import { keepReplay } from "../../../rl/run/replayed.ts";
import { TempFolder } from "../tiny_run.ts";
import { writeSyntheticRun } from "./synthetic_run.ts";

const MAX_GZIPPED_BYTES = 150_000;

Deno.test({
  name: "the page that is kept is the bundle of its sources, and small",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    try {
      const kept = await readPage();
      const fresh = await bundlePage();
      for (const name of Object.keys(fresh)) {
        assert(
          kept[name] === fresh[name],
          `${name} is not what its sources say: run deno run -A scripts/watch_page.ts`,
        );
      }
      const bytes = Object.values(kept).reduce((sum, text) => sum + gzipSync(text).length, 0);
      assert(bytes < MAX_GZIPPED_BYTES, `${bytes} bytes`);
      // One digit of what a line is: the definitions of metrics are found where they are.
      const definitions = await readDefinitions();
      for (
        const name of ["success", "kl", "entropy", "faithfulness", "explainedVariance", "sftLoss", "regret"]
      ) {
        assert(definitions[name]?.length > 10, name);
      }
    } finally {
      await esbuild.stop();
    }
  },
});

async function serve(folders: readonly string[]) {
  const page = await readPage();
  return serveSite(makeSite({ page, runs: () => findRuns(folders) }), { port: 0, note: () => {} });
}

const READY = "html[data-ready]";

Deno.test({
  name: "a run of 5,000 iterations and 2,000 responses is there in a second, and every view can be used",
  ...inBrowser,
  fn: async () => {
    using temp = new TempFolder();
    const responses = await writeSyntheticRun(`${temp.path}/long`, { iterations: 5000, recorded: 400 });
    assert(responses >= 2000, `${responses}`);
    await writeSyntheticRun(`${temp.path}/other`, { iterations: 300, recorded: 5, seed: 1 });
    await using server = await serve([temp.path]);
    await using opened = await openPage("about:blank", { viewport: { width: 1440, height: 900 } });
    const { page, errors } = opened;
    const startMs = performance.now();
    await page.goto(`${server.url}#/trend?runs=long`);
    await page.waitForSelector(READY);
    await page.waitForSelector(".card.wide canvas");
    console.error(`      usable after ${Math.round(performance.now() - startMs)} ms`);

    await page.hover(".about");
    assertStringIncludes(await page.textContent("[role=tooltip] >> nth=0") ?? "", "Share of these episodes");
    await page.fill("#smoothing", "4");
    assertEquals(await page.textContent("output"), "mean of 16");
    await page.keyboard.press("Escape");
    await page.click("nav >> text=Runs");
    await page.check("[aria-label='Show other']");
    await page.click("nav >> text=Trend");
    assertEquals(await page.locator(".chosen .run").count(), 2);
    assertStringIncludes(page.url(), "runs=long,other");

    await page.click("nav >> text=Iteration");
    await page.fill("input[type=number]", "2500");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".histogram svg");
    assertStringIncludes(
      await page.textContent(".iteration") ?? "",
      "KL stop ended the iteration after 3 of 8",
    );
    await page.click("text=Look at its recorded episodes");

    await page.waitForSelector(".token[aria-pressed=true]");
    assertStringIncludes(await page.textContent(".title") ?? "", "Iteration 2500");
    await page.waitForSelector(".replayed:not([hidden])");
    assertStringIncludes(await page.textContent(".replayed") ?? "", "./ponder replay long --episode 2500.0");
    const file = "rl-002500.jsonl";
    const text = Deno.readTextFileSync(`${temp.path}/long/recording/${file}`);
    const mismatches = [{ turn: 1, token: 0, field: "logprobs", recorded: -0.5, replayed: -0.25 }];
    const told = { adapter: "here", responses: 3, tokens: 18, compared: 200, mismatch: 1, mismatches };
    await keepReplay(`${temp.path}/long`, { file, episode: 0, text }, told);
    // Without a reload: the page looks again by itself.
    await page.click(".replayed [aria-label='Show turn 2']");
    assertStringIncludes(page.url(), "/0/1");
    assertStringIncludes(await page.textContent(".replayed") ?? "", "mismatch 1 of 3 responses, 18 tokens");
    await page.waitForSelector(".film img[src^='data:image/png']");
    // The list holds 800 episodes, the page a screenful of them.
    assert(await page.locator(".row").count() < 50);
    await page.click(".film li:nth-child(2) button");
    assertStringIncludes(page.url(), "/0/1");
    await page.click("text=thought and action disagree");
    await page.click(".filter:has-text('all')");
    for (const name of ["moved", "entropy", "looks at the picture", "credit"]) {
      await page.click(`.chip:has-text("${name}")`);
      assertEquals(await page.locator(".chip input:checked + span").textContent(), name);
    }
    await page.focus(".token[aria-pressed=true]");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    assertStringIncludes(await page.textContent(".details h3") ?? "", "Token 2 of 6");
    assertEquals(await page.locator(".alternatives tr").count(), 2);
    assertEquals(await page.evaluate("document.querySelector('.heat').width"), 320);
    await page.click(".list", { position: { x: 60, y: 100 } });
    await page.keyboard.press("ArrowDown");
    assertEquals(await page.locator(".row[aria-selected=true]").count(), 1);
    await page.keyboard.press("5");
    assertStringIncludes(await page.textContent(".compare") ?? "", "Settings that differ");
    await page.goBack();
    assertEquals(errors, []);
  },
});

Deno.test({
  name: "text of a model stays text, and files that are damaged are named beside the rest",
  ...inBrowser,
  fn: async () => {
    using temp = new TempFolder();
    const thought = "<img src=x onerror=document.title='owned'><b>bold</b>";
    const run = `${temp.path}/<i>odd</i>`;
    await writeSyntheticRun(run, { iterations: 4, recorded: 4, thought });
    const file = `${run}/recording/rl-000002.jsonl`;
    Deno.writeTextFileSync(file, Deno.readTextFileSync(file).slice(0, 900));
    // Its first token writes nothing: it is a picture's, not the end.
    const silent = `${run}/recording/rl-000004.jsonl`;
    const lines4 = decodeRecorded(Deno.readTextFileSync(silent));
    const turns4 = lines4.turns.map((turn) => ({
      ...turn,
      ends: [0, ...turn.ends.slice(1)],
      alternatives: [[[turn.tokens[0], "<image>", 0.5] as const], ...turn.alternatives!.slice(1)],
    }));
    Deno.writeTextFileSync(silent, encodeRecorded([lines4.header, ...lines4.episodes, ...turns4]));
    Deno.writeTextFileSync(`${run}/summary.json`, "{");
    const lines = [
      "not JSON",
      '{"stage":"dream","x":1}',
      '{"stage":"rl","iteration":9,"envSteps":"many"}',
      "[1]",
    ];
    Deno.writeTextFileSync(`${run}/metrics.jsonl`, lines.join("\n") + "\n", { append: true });
    const newer = `${run}/recording/rl-000003.jsonl`;
    const { header, episodes, turns } = decodeRecorded(Deno.readTextFileSync(newer));
    Deno.writeTextFileSync(newer, encodeRecorded([{ ...header, format: 9 } as never, ...episodes, ...turns]));
    await using server = await serve([temp.path]);
    await using opened = await openPage(`${server.url}#/episodes`, {
      viewport: { width: 1024, height: 800 },
    });
    const { page, errors } = opened;
    await page.waitForSelector(".response");
    assertStringIncludes(await page.textContent(".response") ?? "", thought);
    assertEquals(await page.locator(".response b, .row b, .response img").count(), 0);
    const tokens = page.locator(".microscope > .stage .response > .token");
    assertEquals(await tokens.first().textContent(), "<image>");
    assertEquals(await tokens.last().textContent(), "⏎");
    assertEquals(await page.locator(".chosen i").count(), 0);
    const notice = await page.textContent(".notice") ?? "";
    for (
      const part of [
        "rl-000002.jsonl: it is half-written",
        "summary.json: it is not JSON",
        "rl-000003.jsonl: ",
        "4 lines are not JSON, or of another version",
      ]
    ) {
      assertStringIncludes(notice, part);
    }
    assert(!(await page.title()).includes("owned"));
    assertEquals(errors, []);
  },
});

Deno.test({
  name:
    "no view is wider than its window or breaks a rule of WCAG, light or dark, and an exported page shows the same without a server",
  ...inBrowser,
  fn: async () => {
    using temp = new TempFolder();
    await writeSyntheticRun(`${temp.path}/a`, { iterations: 40, recorded: 12 });
    await writeSyntheticRun(`${temp.path}/b`, { iterations: 40, recorded: 12, seed: 1 });
    // A name that no column has room for.
    await writeSyntheticRun(`${temp.path}/${"long-name-".repeat(9)}`, { iterations: 2, recorded: 1 });
    const html = `${temp.path}/page.html`;
    await Deno.writeTextFile(html, await exportPage(await readPage(), await findRuns([temp.path])));
    for (
      const [width, colorScheme] of [[1440, "light"], [1024, "dark"], [390, "light"], [390, "dark"]] as const
    ) {
      await using opened = await openPage(`file://${html}#/trend?runs=a,b`, {
        ...{ viewport: { width, height: 900 }, colorScheme, reducedMotion: "reduce" },
      });
      const { page, errors } = opened;
      await page.waitForSelector(READY);
      for (const view of ["trend", "iteration", "episodes", "compare", "runs"]) {
        await page.click(`nav >> text=${view}`);
        await page.waitForSelector(`.${view}`);
        // Every chart comes into sight once.
        if (view === "trend") {
          for (const card of await page.locator(".card").all()) await card.scrollIntoViewIfNeeded();
          await page.evaluate("scrollTo(0, 0)");
        }
        if (view === "episodes") await page.waitForSelector(".film img");
        if (view === "episodes") {
          const [end, start] = [".row .what", ".row .return"].map((place) =>
            page.locator(place).first().boundingBox()
          );
          const box = (await end)!;
          assert(box.x + box.width <= (await start)!.x, "a row's text runs into its return");
          const inner = await page.locator(".row .name").first().evaluate((name) =>
            name.scrollWidth - name.clientWidth
          );
          assert(inner <= 0, `a row's name is ${inner} pixels wider than its room`);
        }
        if (view === "compare") {
          const wide = await page.locator(".side-by-side th").evaluateAll((names) =>
            names.filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth).map((each) =>
              each.textContent
            )
          );
          assertEquals(wide, [], "names of settings run into their values");
        }
        const excess = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert(Number(excess) <= 0, `${view} is ${excess} pixels wider than ${width}`);
        await keepScreenshot(page, `watch-${view}-${width}-${colorScheme}`);
        if (width === 1440 || width === 390 && colorScheme === "dark") {
          assertEquals(await accessibilityFaults(page), [], `${view} at ${width}, ${colorScheme}`);
        }
      }
      assertEquals(errors, []);
    }
  },
});

Deno.test({
  name: "the keyboard reaches everything, and what has the focus keeps it when the page is drawn anew",
  ...inBrowser,
  fn: async () => {
    using temp = new TempFolder();
    await writeSyntheticRun(`${temp.path}/a`, { iterations: 20, recorded: 6 });
    await writeSyntheticRun(`${temp.path}/sweep/a`, { iterations: 20, recorded: 6, seed: 1 });
    await using server = await serve([temp.path]);
    await using opened = await openPage(`${server.url}#/trend?runs=a`, {
      ...{ viewport: { width: 1024, height: 800 }, reducedMotion: "reduce" },
    });
    const { page, errors } = opened;
    const focused = () =>
      page.evaluate<string>(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent",
      );
    await page.waitForSelector(READY);
    await page.focus("nav >> text=Trend");
    await page.keyboard.press("Tab");
    assertEquals(await focused(), "Iteration");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".iteration .numbers");
    assertEquals(await focused(), "Iteration", "a view that is chosen keeps the focus");
    await page.focus("input[type=range]");
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() => location.hash.startsWith("#/iteration/19"));
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() => location.hash.startsWith("#/iteration/18"));
    // The film moves with the focus.
    await page.keyboard.press("4");
    await page.click('.row:has-text("turns")');
    await page.waitForSelector(".film li:nth-child(2) img[src^='data:image/png']");
    await page.focus(".film [aria-pressed=true]");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() =>
      document.activeElement === document.querySelector(".film li:nth-child(2) button[aria-pressed=true]")
    );
    // So do the colours, and the list tells which of its rows is chosen.
    await page.focus(".chip input:checked");
    await page.keyboard.press("ArrowRight");
    assertEquals(await page.locator(".chip input:checked + span").textContent(), "moved");
    await page.keyboard.press("ArrowRight");
    assertEquals(await page.locator(".chip input:checked + span").textContent(), "ratio");
    await page.focus(".list");
    await page.keyboard.press("ArrowDown");
    const active = await page.getAttribute(".list", "aria-activedescendant");
    assertEquals(await page.getAttribute(`#${active}`, "aria-selected"), "true");
    // Nothing that can be used is without a name; playing needs a server that plays.
    for (const view of ["1", "2", "3", "4", "5"]) {
      await page.evaluate("document.activeElement.blur()");
      await page.keyboard.press(view);
      const nameless = await page.evaluate<string[]>(
        "[...document.querySelectorAll('button, input, select, canvas[tabindex], [role=img]')].filter((each) =>" +
          "!(each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.[0]?.textContent.trim()))" +
          ".map((each) => each.outerHTML)",
      );
      assertEquals(nameless, [], view);
    }
    assertEquals(errors, []);
  },
});

Deno.test({
  name:
    "an address that is broken, too long or of other runs says so, and the page is there; so it is without WebGPU",
  ...inBrowser,
  fn: async () => {
    using temp = new TempFolder();
    await writeSyntheticRun(`${temp.path}/a`, { iterations: 6, recorded: 2 });
    await using server = await serve([temp.path]);
    const cases: [hash: string, said: string][] = [
      ["#/trend?runs=%", "This link is broken (it names runs that are no text)"],
      [`#/trend?runs=${"a".repeat(20_000)}`, "This link is too long"],
      ["#/chess", "This link is broken (there is no such view)"],
      ["#/trend?runs=gone", "This link names runs that are not here: gone."],
    ];
    await using opened = await openPage("about:blank");
    const { page, errors } = opened;
    await page.addInitScript("Object.defineProperty(navigator, 'gpu', { value: undefined })");
    for (const [hash, said] of cases) {
      await page.goto("about:blank");
      await page.goto(`${server.url}${hash}`);
      await page.waitForSelector(".card.wide canvas");
      assertStringIncludes(await page.textContent(".notice") ?? "", said);
      assertEquals(await page.evaluate("location.hash"), "#/trend?runs=a");
      await page.click(".notice >> text=Close");
      assertEquals(await page.locator(".notice").count(), 0);
    }
    assertEquals(errors, []);
  },
});
