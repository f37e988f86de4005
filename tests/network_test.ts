/** Commands without a network, once everything is installed. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { taskArguments } from "../rl/cli/mod.ts";
import { TempFolder, TINY_FLAGS } from "./rl/tiny_run.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Runs a line of shell in a network namespace without any network. */
async function offline(line: string, args: readonly string[] = []) {
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: ["-rn", "sh", "-c", line, "sh", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", PONDER_CWD: "", INIT_CWD: "" },
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

/** Does this system let us make a network namespace? */
async function hasNamespaces(): Promise<boolean> {
  try {
    return (await offline("exit 0")).code === 0;
  } catch {
    return false;
  }
}

Deno.test("commands need no network", async () => {
  if (!await hasNamespaces()) {
    console.error("SKIPPED: this system has no network namespaces (unshare -rn), the network stays on");
    return;
  }
  using temp = new TempFolder();
  const deno = Deno.execPath();
  const envs = await offline(`exec "$@"`, [deno, ...taskArguments("envs")]);
  assertEquals(envs.code, 0, envs.err);
  assertStringIncludes(envs.out, "NumberLine");
  const args = [...taskArguments("train"), ...TINY_FLAGS, "--sft-steps", "1", "--env-steps", "16"];
  const train = await offline(`exec "$@"`, [deno, ...args, "--out", `${temp.path}/run`]);
  assertEquals(train.code, 0, train.err);
  assertEquals(train.err.includes("Download"), false);
});
