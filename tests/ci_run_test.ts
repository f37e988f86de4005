/** `.ci/run`, which closes with the counts of the tests. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { noWindows, Sandbox } from "./sandbox.ts";

const testRuns: [name: string, output: string, status: number, closing: string, code: number][] = [
  ["all passed", "ok | 12 passed | 0 failed (2s)", 0, "12 passed, 0 failed", 0],
  ["steps and ignored", "ok | 3 passed (7 steps) | 0 failed | 2 ignored (5ms)", 0, "3 passed, 0 failed", 0],
  ["failures", "FAILED | 3 passed | 1 failed (5ms)", 1, "3 passed, 1 failed", 1],
  ["failed steps", "FAILED | 3 passed (2 steps) | 1 failed (1 step) (5ms)", 1, "3 passed, 1 failed", 1],
  [
    "a broken test file beside passing ones",
    "FAILED | 3 passed | 0 failed (5ms)",
    1,
    "3 passed, 0 failed",
    1,
  ],
  [
    "another line like it before",
    "ok | 1 passed | 0 failed (1ms)\nok | 2 passed | 0 failed (1ms)",
    0,
    "2 passed, 0 failed",
    0,
  ],
  ["a driver that crashes after all passed", "ok | 3 passed | 0 failed (5ms)", 134, "3 passed, 0 failed", 0],
  ["a crash after a broken file", "FAILED | 3 passed | 0 failed (5ms)", 134, "3 passed, 0 failed", 134],
  ["a crash before the end", "double free or corruption", 134, "0 passed, 0 failed", 134],
  ["no closing line", "killed", 0, "0 passed, 0 failed", 1],
  ["no closing line and an exit code", "error: Type checking failed.", 7, "0 passed, 0 failed", 7],
];

for (const [name, output, status, closing, code] of testRuns) {
  Deno.test(`.ci/run closes with the counts and keeps the exit code: ${name}`, noWindows, () => {
    using sandbox = new Sandbox();
    const script =
      `#!/bin/sh\necho "args: $* gpu: $REQUIRE_GPU color: $NO_COLOR"\ncat <<'E'\n${output}\nE\nexit ${status}\n`;
    Deno.writeTextFileSync(`${sandbox.folder}/repository/ponder`, script);
    const result = sandbox.run(".ci/run");
    const lines = result.out.trimEnd().split("\n");
    assertEquals(lines[0], "args: test gpu: 1 color: 1");
    assertEquals([lines.at(-1), result.code], [closing, code]);
  });
}

/** What `.ci/run` says and what the tests are told, with stubs of what the machine has. */
function runWith(prepare: (sandbox: Sandbox) => void, tool: "chromium" | "nats-server" = "chromium") {
  using sandbox = new Sandbox();
  // The other tool is there.
  sandbox.stub(tool === "chromium" ? "nats-server" : "chromium", "#!/bin/sh\n");
  const script = `#!/bin/sh\necho "${
    tool === "chromium" ? "browser: $REQUIRE_BROWSER" : "nats: $REQUIRE_NATS"
  }"\necho "ok | 1 passed | 0 failed (1ms)"\n`;
  Deno.writeTextFileSync(`${sandbox.folder}/repository/ponder`, script);
  prepare(sandbox);
  const { code, out, err } = sandbox.run(".ci/run");
  return { code, told: out.split("\n")[0], err, lines: err.trimEnd().split("\n").length };
}

Deno.test(".ci/run holds the tests to a browser that is there, without a word", noWindows, () => {
  const { code, told, err } = runWith((sandbox) => sandbox.stub("chromium", "#!/bin/sh\n"));
  assertEquals([code, told, err], [0, "browser: 1", ""]);
});

Deno.test(".ci/run installs a browser as root, in one line", noWindows, () => {
  const { code, told, err, lines } = runWith((sandbox) => {
    const install =
      `printf '#!/bin/sh\\n' > "${sandbox.folder}/bin/chromium"\nchmod +x "${sandbox.folder}/bin/chromium"`;
    sandbox.stub("id", "#!/bin/sh\necho 0\n").logged("apt-get", install);
  });
  assertEquals([code, told, lines], [0, "browser: 1", 1]);
  assertStringIncludes(err, "installing chromium");
});

Deno.test(".ci/run goes on without a browser, and says so loudly", noWindows, () => {
  for (const [id, isInstallable] of [[1000, true], [0, false]] as const) {
    const { code, told, err } = runWith((sandbox) => {
      sandbox.stub("id", `#!/bin/sh\necho ${id}\n`);
      if (isInstallable) sandbox.logged("apt-get");
    });
    assertEquals([code, told], [0, "browser: "]);
    assertStringIncludes(err, "NO BROWSER: the tests in a browser are SKIPPED");
    assertEquals(err.includes("called"), false);
  }
});

Deno.test(
  ".ci/run installs a NATS server as root and holds the tests to it, or says loudly that it has none",
  noWindows,
  () => {
    const there = runWith((sandbox) => sandbox.stub("nats-server", "#!/bin/sh\n"), "nats-server");
    assertEquals([there.code, there.told, there.err], [0, "nats: 1", ""]);
    const installed = runWith((sandbox) => {
      const path = `${sandbox.folder}/bin/nats-server`;
      const install = `printf '#!/bin/sh\\n' > "${path}"\nchmod +x "${path}"`;
      sandbox.stub("id", "#!/bin/sh\necho 0\n").logged("apt-get", install);
    }, "nats-server");
    assertEquals([installed.code, installed.told, installed.lines], [0, "nats: 1", 1]);
    assertStringIncludes(installed.err, "installing nats-server");
    const without = runWith(() => {}, "nats-server");
    assertEquals([without.code, without.told], [0, "nats: "]);
    assertStringIncludes(without.err, "NO NATS SERVER: the tests of workers are SKIPPED");
  },
);
