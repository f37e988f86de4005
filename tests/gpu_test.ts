/** The helper for GPU tests where there is no GPU: they are skipped aloud, or fail when one is required. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TempFolder } from "./rl/tiny_run.ts";

const ROOT = new URL("../", import.meta.url);

/** Runs a file with one GPU test on a system without adapters. */
async function withoutAdapter(env: Record<string, string>): Promise<{ code: number; text: string }> {
  using temp = new TempFolder();
  const file = `${temp.path}/some_test.ts`;
  Deno.writeTextFileSync(
    file,
    `Object.defineProperty(navigator, "gpu", { value: { requestAdapter: () => Promise.resolve(null) } });
const { gpuTest } = await import(${JSON.stringify(new URL("tests/gpu.ts", ROOT).href)});
gpuTest("a test that asks for the device", () => {});
`,
  );
  const config = new URL("deno.json", ROOT).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--config", config, file],
    env: { NO_COLOR: "1", REQUIRE_GPU: "", ...env },
    stdin: "null",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("without an adapter a GPU test is skipped and a line says so", async () => {
  const { code, text } = await withoutAdapter({});
  assertEquals(code, 0, text);
  assertStringIncludes(text, "No WebGPU adapter: the GPU tests of this file are skipped");
  assertMatch(text, /0 passed \| 0 failed \| 1 ignored/);
});

Deno.test("with REQUIRE_GPU=1 it fails", async () => {
  const { code, text } = await withoutAdapter({ REQUIRE_GPU: "1" });
  assertEquals(code, 1, text);
  assertMatch(text, /0 passed \| 1 failed/);
});
