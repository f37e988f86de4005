/** Where the `ponder` script keeps caches if the user's home cannot hold them. */
import { assert, assertEquals } from "@std/assert";
import { deno, noWindows, Sandbox, started } from "./sandbox.ts";

Deno.test(
  "without a home that can be written the repository holds the caches, or else a folder of the user's alone",
  noWindows,
  () => {
    using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
    const repository = Deno.realPathSync(`${sandbox.folder}/repository`);
    const cache = (variables: string) => {
      const { env, granted } = started(sandbox.shell(`${variables} exec "$0" train`, "ponder"));
      const place = env("XDG_CACHE_HOME");
      assert(
        granted("--allow-write").includes(`${place || `${sandbox.folder}/home/.cache`}/ponder`),
        variables,
      );
      return [place, env("DENO_DIR")];
    };
    const inRepository = [`${repository}/.cache`, `${repository}/.cache/deno`];
    for (
      const home of [
        "unset HOME;",
        "HOME=",
        "HOME=/dev/null",
        "HOME=relative",
        "HOME=/dev/null/x",
        "XDG_CACHE_HOME=/dev/null/x",
      ]
    ) {
      assertEquals(cache(home), inRepository, home);
    }
    assertEquals(cache("XDG_CACHE_HOME=relative"), ["", ""]);
    Deno.removeSync(`${repository}/.cache`, { recursive: true });
    Deno.writeTextFileSync(`${repository}/.cache`, "in the way");
    const own = `${sandbox.folder}/ponder-1000`;
    assertEquals(cache(`HOME=/dev/null TMPDIR='${sandbox.folder}'`), [own, `${own}/deno`]);
    assertEquals(Deno.statSync(own).mode! & 0o777, 0o700);
    Deno.removeSync(own, { recursive: true });
    Deno.writeTextFileSync(own, "in the way");
    const { code, err } = sandbox.shell(
      `HOME=/dev/null TMPDIR='${sandbox.folder}' exec "$0" train`,
      "ponder",
    );
    assertEquals([code, err], [
      1,
      "ponder: cannot run: no place for caches can be written, set XDG_CACHE_HOME to a folder of yours\n",
    ]);
  },
);

Deno.test("a Deno that fails is named, and no driver is installed", noWindows, () => {
  const broken = deno("2.9.6").replace(
    "  eval)",
    `  eval) echo "Error loading .npmrc" >&2; exit 1 ;;\n  never)`,
  );
  using sandbox = new Sandbox().stub("deno", broken).logged("apt-get");
  const { code, err } = sandbox.run("ponder", "train");
  assertEquals([code, err], [1, "ponder: cannot run Deno: Error loading .npmrc\n"]);
});
