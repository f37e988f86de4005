/** The toolkit as a library of another project that takes it through `links`, as a program of a user's own does. */
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

const PACKAGE = "@ponder/ponder";
const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Draws with the fonts and with a card's picture: both kinds of asset. */
const PROGRAM = `
import { makeEnv } from ${JSON.stringify(PACKAGE)};
for (const name of ["NumberLine", "Blackjack"]) {
  console.log(name, makeEnv(name).reset({ seed: 1 }).observation.data.length);
}
`;

Deno.test("a program that links the toolkit draws frames", () => {
  const folder = Deno.makeTempDirSync({ prefix: "ponder_linked_" });
  try {
    const links = [ROOT, `${ROOT}compat/std_assert`, `${ROOT}compat/std_cli`];
    const config = { imports: { [PACKAGE]: `jsr:${PACKAGE}@^0.2` }, links };
    Deno.writeTextFileSync(`${folder}/deno.json`, JSON.stringify(config));
    // With the lock the packages are those of this checkout.
    Deno.copyFileSync(`${ROOT}deno.lock`, `${folder}/deno.lock`);
    Deno.writeTextFileSync(`${folder}/main.ts`, PROGRAM);
    const { code, stdout, stderr } = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "-R", "-E", "--allow-ffi", "--allow-sys", "main.ts"],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).outputSync();
    const out = new TextDecoder().decode(stdout);
    assertEquals([code, out], [0, "NumberLine 270000\nBlackjack 270000\n"], new TextDecoder().decode(stderr));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
