/** Environments draw in a browser what they draw in Deno, byte by byte. */
import { assert, assertEquals } from "@std/assert";
import { inBrowser, openModule } from "../browser.ts";
import { frameDigests, handDigest, names } from "./frames_page.ts";

const EPISODES = 12;

Deno.test({
  name: "frames of all environments in the browser are Deno's, byte by byte",
  ...inBrowser,
  fn: async () => {
    await using module = await openModule("tests/web/frames_page.ts");
    await module.call("load");
    for (const name of names) {
      const want = await frameDigests(name, EPISODES);
      assert(new Set(want).size >= EPISODES / 2, `${name} shows the same all the time`);
      assertEquals(await module.call<string[]>("frameDigests", name, EPISODES), want, name);
    }
    for (const cards of [2, 5, 9, 12]) {
      assertEquals(await module.call("handDigest", cards), await handDigest(cards), `${cards} cards`);
    }
    assertEquals(module.errors, []);
  },
});
