/** What axe-core, the usual checker of WCAG, finds wrong in a page. */
import type { Page } from "playwright-core";

const SOURCE = new URL("../node_modules/axe-core/axe.min.js", import.meta.url);

interface Node {
  readonly html: string;
  readonly failureSummary?: string;
}

/** Rules of WCAG 2.2 A and AA and axe's own best practices that the page breaks, each with the elements that do. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  if (await page.evaluate("typeof axe === 'undefined'")) {
    await page.evaluate(await Deno.readTextFile(SOURCE));
  }
  const { violations } = await page.evaluate<{ violations: { id: string; nodes: Node[] }[] }>(
    "axe.run(document, { resultTypes: ['violations'] })",
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary = "" }) =>
      `${id}: ${html.slice(0, 200)}: ${failureSummary.split("\n")[1]?.trim()}`
    )
  );
}
