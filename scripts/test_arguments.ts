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
  // The tests in a browser serve pages to it.
  "--allow-net=127.0.0.1",
];
