/** A run whose network is cut for a while. */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { withNats } from "../../nats.ts";
import type { CutOutcome } from "./network_cut.ts";

const SCRIPT = fileURLToPath(new URL("network_cut.ts", import.meta.url));

/** Runs a command in a network namespace of its own; null if this system makes none. */
async function apart(args: readonly string[]): Promise<{ code: number; out: string; err: string } | null> {
  const inside = (more: readonly string[]) =>
    new Deno.Command("unshare", { args: ["-rn", ...more], env: { NO_COLOR: "1" }, stdin: "null" }).output();
  try {
    if (!(await inside(["ip", "link", "set", "lo", "up"])).success) return null;
  } catch {
    return null;
  }
  const { code, stdout, stderr } = await inside(args);
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

Deno.test(
  "a run goes on to the same bytes when the network between all three was cut for a while",
  withNats,
  async () => {
    const ended = await apart([Deno.execPath(), "run", "-A", SCRIPT, "2"]);
    if (ended === null) {
      console.error(
        "SKIPPED: this system has no network namespaces (unshare -rn, ip), the network is not cut",
      );
      return;
    }
    assertEquals(ended.code, 0, ended.err);
    const { isSame, notes, recoverySeconds } = JSON.parse(ended.out) as CutOutcome;
    assert(isSame, notes.join("\n"));
    assert(recoverySeconds > 0, `the second iteration came before the network did: ${recoverySeconds}`);
  },
);
