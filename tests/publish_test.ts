/** The package as it would be published: every module that its exports reach, with explicit types. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

Deno.test("a dry run of publishing finds nothing to mend", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    // Types are checked by `deno check`; explicit types of the public API are checked here.
    args: ["publish", "--dry-run", "--allow-dirty", "--no-check"],
    cwd: fileURLToPath(new URL("../", import.meta.url)),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stderr);
  assertEquals(code, 0, said);
  assertStringIncludes(said, "Dry run complete");
});
