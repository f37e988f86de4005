/** The kernels in a browser: every case of the tests, and what errors say. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inBrowser, openModule } from "../browser.ts";

interface Checked {
  readonly adapterName: string;
  readonly count: number;
  readonly failures: readonly { readonly label: string; readonly message: string }[];
  readonly skipped: readonly string[];
}

Deno.test({
  name: "every kernel case matches its reference in the browser",
  ...inBrowser,
  fn: async () => {
    await using module = await openModule("tests/web/kernels_page.ts");
    const { count, failures, ...rest } = await module.call<Checked>("checkCases");
    console.log(count, rest, failures.length);
    assertEquals(failures, []);
    assert(count >= 398, `${count} cases`);
  },
});
