/** The browser that other tests run in. */
import { assert, assertEquals } from "@std/assert";
import { inBrowser, openPage, serveFiles } from "./browser.ts";

Deno.test({
  name: "a page in the browser has a WebGPU adapter, and its errors are seen",
  ...inBrowser,
  fn: async () => {
    await using server = serveFiles({ "index.html": "<!doctype html><title>a page</title>" });
    await using opened = await openPage(server.url);
    assertEquals(await opened.page.title(), "a page");
    assert(await opened.page.evaluate(async () => await navigator.gpu.requestAdapter() !== null));
    const before = opened.errors.length;
    await opened.page.evaluate(() => console.error("a fault"));
    assertEquals(opened.errors.slice(before), ["a fault"]);
  },
});

Deno.test("a served folder gives nothing outside it", async () => {
  await using server = serveFiles(new URL("./envs/data/", import.meta.url));
  const statusOf = async (path: string) => {
    const response = await fetch(server.url + path);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await statusOf("blackjack_parser.json"), 200);
  assertEquals(await statusOf("missing.json"), 404);
  assertEquals(await statusOf("..%2f..%2fbrowser.ts"), 404);
});
