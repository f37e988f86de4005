/** What `deno` is called with to run tests: all that they need, on code of this repository alone. */
export const TEST: readonly string[] = [
  "test",
  "--frozen",
  "--no-prompt",
  "-R",
  "-W",
  "-E",
  "--allow-ffi=./node_modules",
  "--allow-sys",
  "--allow-run",
  // The tests in a browser serve pages to it; a certificate has a name.
  "--allow-net=127.0.0.1,localhost",
];

/** Runs tests with the streams of this process, and resolves to the exit code. `flags` are for the tests themselves. */
export async function runTests(paths: readonly string[], flags: readonly string[]): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...TEST, ...paths, "--", ...flags],
    cwd: new URL("../", import.meta.url),
    env: { INIT_CWD: "", PONDER_CWD: "" },
  }).spawn();
  return (await child.status).code;
}
