/** What the `ponder` script installs, where tools that would change the machine are stubs that write down how they were called. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { deno, DIGEST, NODE, noWindows, NPM, Sandbox, started, UNAME } from "./sandbox.ts";

Deno.test(
  "npm packages are fetched quietly before the first command, and when they change",
  noWindows,
  () => {
    using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
    const lock = `${sandbox.folder}/repository/deno.lock`;
    Deno.writeTextFileSync(lock, "{}");
    const fetched = "ponder: fetching npm packages, this once\ncalled: deno install --quiet --frozen\n";
    const runs = () => [sandbox.run("ponder", "envs"), sandbox.run("ponder", "envs")];
    assertEquals(runs().map(({ code, err }) => [code, err]), [[0, fetched], [0, ""]]);
    const later = new Date(Date.now() + 60_000);
    Deno.utimeSync(lock, later, later);
    assertEquals(sandbox.run("ponder", "envs").err, fetched);
  },
);

Deno.test(
  "packages that cannot be fetched end the command with a sentence, and are tried again",
  noWindows,
  () => {
    const broken = deno("2.9.6").replace("install) ", "install) echo no network >&2; exit 1; ");
    using sandbox = new Sandbox().stub("deno", broken);
    Deno.writeTextFileSync(`${sandbox.folder}/repository/deno.lock`, "{}");
    for (let i = 0; i < 2; i++) {
      const { code, out, err } = sandbox.run("ponder", "envs");
      assertEquals([code, out], [1, ""]);
      assertMatch(err, /no network\nponder: cannot fetch the npm packages, see above: check the network/);
    }
  },
);

Deno.test("Deno is found in ~/.deno/bin", noWindows, () => {
  using sandbox = new Sandbox().logged("npm");
  Deno.mkdirSync(`${sandbox.folder}/home/.deno/bin`, { recursive: true });
  Deno.writeTextFileSync(`${sandbox.folder}/home/.deno/bin/deno`, deno("3.0.0"), { mode: 0o755 });
  assertEquals(sandbox.run("ponder", "train").err, "");
});

for (const version of ["2.7.14", "1.46.0"]) {
  Deno.test(`Deno ${version} is too old: npm installs another, once`, noWindows, () => {
    using sandbox = new Sandbox().stub("deno", deno(version)).logged("npm", NPM);
    sandbox.stub("node", NODE).stub("uname", UNAME);
    const first = sandbox.run("ponder", "train", "--seed", "1");
    assertEquals(first.code, 0, first.err);
    assertMatch(first.err, /^ponder: installing Deno 2\.9\.6 from npm into .*\/home\/\.cache\/ponder$/m);
    assertStringIncludes(
      first.err,
      "called: npm pack --no-update-notifier --loglevel=error @deno/linux-x64-glibc@2.9.6",
    );
    assertEquals(started(first).args, ["--seed", "1"]);
    assertEquals(sandbox.run("ponder", "train").err, "");
  });
}

Deno.test("an archive with another digest is not installed", noWindows, () => {
  using sandbox = new Sandbox().logged("npm", NPM).stub("uname", UNAME);
  sandbox.stub("node", NODE.replace("$PONDER_TEST_DIGEST", "AAAA=="));
  const { code, out, err } = sandbox.run("ponder", "train");
  assertEquals([code, out], [1, ""]);
  assertStringIncludes(err, `not installing @deno/linux-x64-glibc: its SHA-512 is AAAA==, not ${DIGEST}`);
  assertEquals(err.includes("called: npm install"), false);
  assertStringIncludes(err, "cannot run: no Deno >= 2.8");
});

Deno.test("without npm root is asked for it by name", noWindows, () => {
  using sandbox = new Sandbox().logged("apt-get");
  const { code, err } = sandbox.run("ponder", "train");
  assertEquals(code, 1);
  assertStringIncludes(err, "needs root; run: sudo apt-get install ca-certificates npm");
  assertStringIncludes(err, "cannot run: no Deno >= 2.8");
  assertEquals(err.includes("called:"), false);
});

Deno.test("root installs the software Vulkan driver where there is no adapter", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6")).stub("id", "#!/bin/sh\necho 0\n");
  Deno.removeSync(sandbox.driver);
  sandbox.logged("apt-get", `: >"$PONDER_TEST_DRIVER"`);
  const { code, out, err } = sandbox.run("ponder", "train");
  assertEquals(code, 0);
  assertStringIncludes(err, "ponder: no WebGPU adapter: installing mesa-vulkan-drivers\n");
  assertStringIncludes(out, "<commands/train.ts>");
});

Deno.test("package lists are fetched when the first install fails", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6")).stub("id", "#!/bin/sh\necho 0\n");
  Deno.removeSync(sandbox.driver);
  sandbox.logged(
    "apt-get",
    `if [ "$1" = update ]; then : >"$0.updated"; else [ -e "$0.updated" ] && : >"$PONDER_TEST_DRIVER"; fi`,
  );
  const { code, err } = sandbox.run("ponder", "train");
  assertEquals(code, 0);
  assertMatch(err, /called: apt-get update.*\n.*called: apt-get install.* mesa-vulkan-drivers/);
});

Deno.test("sudo is used where it needs no password", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  Deno.removeSync(sandbox.driver);
  sandbox.stub("sudo", `#!/bin/sh\n[ "$1" = -n ] && exit 0\necho "called: sudo $1"\nexec "$@"\n`);
  sandbox.logged("apt-get", `: >"$PONDER_TEST_DRIVER"`).stub("true", "#!/bin/sh\n");
  const { code, err } = sandbox.run("ponder", "train");
  assertEquals(code, 0);
  assertStringIncludes(err, "called: sudo env");
});

Deno.test("without root and sudo the command to run is named, exit 1", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6")).logged("apt-get");
  Deno.removeSync(sandbox.driver);
  const { code, err } = sandbox.run("ponder", "train");
  assertEquals(code, 1);
  assertStringIncludes(err, "needs root; run: sudo apt-get install mesa-vulkan-drivers");
  assertEquals(err.includes("called:"), false);
});

Deno.test("without apt-get the package is named, exit 1", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  Deno.removeSync(sandbox.driver);
  const { code, err } = sandbox.run("ponder", "train");
  assertEquals(code, 1);
  assertStringIncludes(err, "cannot install mesa-vulkan-drivers, this system has no apt-get");
});
