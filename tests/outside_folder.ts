/** A folder outside the repository with ponder as a dependency, as a user has it. */
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Makes a folder with the `deno.json` of the examples; its `links` name this checkout, as a user elsewhere writes them. */
export function outsideFolder(): string {
  const folder = Deno.makeTempDirSync({ prefix: "ponder_outside_" });
  const config = Deno.readTextFileSync(`${ROOT}examples/deno.json`);
  Deno.writeTextFileSync(
    `${folder}/deno.json`,
    config.replaceAll(/"\.\.(\/[^"]*)?"/g, (_, path = "") => `"${ROOT}${path.slice(1)}"`),
  );
  // With the lock the packages are those of this checkout.
  Deno.copyFileSync(`${ROOT}deno.lock`, `${folder}/deno.lock`);
  return folder;
}

/** Runs Deno in a folder, without tuned variants. */
export async function runDeno(
  folder: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: folder,
    env: { NO_COLOR: "1", PONDER_TUNING: "off", ...env },
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out, err };
}
