/**
 * The `ponder` script and `.ci/run`, run in a folder of their own where every tool that would change the machine is
 * a stub that writes down how it was called.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const TOOLS = [
  "sh",
  "env",
  "awk",
  "sed",
  "dirname",
  "mkdir",
  "chmod",
  "cat",
  "tee",
  "tail",
  "mktemp",
  "rm",
  "uname",
  "readlink",
  "bash",
];

/** A working Deno: answers --version, has an adapter once `driver` exists, prints a task's arguments one a line. */
const deno = (version: string) =>
  `#!/bin/sh
here=$(dirname "$0")
case $1 in
  --version) echo "deno ${version} (stable, release)" ;;
  eval) [ -e "$PONDER_TEST_DRIVER" ] || exit 3 ;;
  task) shift; for argument in "$@"; do echo "<$argument>"; done; echo "runtime=$XDG_RUNTIME_DIR" ;;
esac
`;

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A copy of the scripts, with a PATH that holds basic tools and whatever stubs a test adds. */
class Sandbox implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "ponder test " });
  readonly driver = `${this.folder}/driver`;

  constructor() {
    for (const name of ["bin", "repository/.ci", "home"]) {
      Deno.mkdirSync(`${this.folder}/${name}`, { recursive: true });
    }
    for (const name of ["ponder", ".ci/run", "deno.json"]) {
      Deno.copyFileSync(new URL(name, ROOT), `${this.folder}/repository/${name}`);
    }
    for (const tool of TOOLS) {
      const path = ["/usr/bin", "/bin"].map((folder) => `${folder}/${tool}`).find(isThere);
      if (path) Deno.symlinkSync(path, `${this.folder}/bin/${tool}`);
    }
    this.stub("id", "#!/bin/sh\necho 1000\n");
    Deno.writeTextFileSync(this.driver, "");
  }

  stub(name: string, text: string): this {
    Deno.writeTextFileSync(`${this.folder}/bin/${name}`, text, { mode: 0o755 });
    return this;
  }

  /** Stub that logs its arguments to stderr, then does `effect`. */
  logged(name: string, effect = ""): this {
    return this.stub(name, `#!/bin/sh\necho "called: ${name} $*" >&2\n${effect}\n`);
  }

  run(script: string, ...args: string[]): Result {
    const { code, stdout, stderr } = new Deno.Command("sh", {
      args: ["-c", `exec "$0" "$@"`, `${this.folder}/repository/${script}`, ...args],
      clearEnv: true,
      env: {
        PATH: `${this.folder}/bin`,
        HOME: `${this.folder}/home`,
        PONDER_TEST_DRIVER: this.driver,
        PONDER_TEST_DENO: deno("2.9.6"),
      },
      stdin: "null",
    }).outputSync();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: decode(stdout), err: decode(stderr) };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

const INSTALL_FROM_NPM = `folder=$3/node_modules/@deno/linux-test
mkdir -p "$folder" && printf '%s' "$PONDER_TEST_DENO" >"$folder/deno"`;

const noWindows = { ignore: Deno.build.os === "windows" };

Deno.test("without a command the usage lists the tasks, exit 2", noWindows, () => {
  using sandbox = new Sandbox();
  const { code, out, err } = sandbox.run("ponder");
  assertEquals([code, out], [2, ""]);
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  for (const [name, { description }] of Object.entries<{ description: string }>(tasks)) {
    assertMatch(err, new RegExp(`^  ${name} +${description}$`, "m"));
  }
});

Deno.test("help is on stdout, exit 0", noWindows, () => {
  using sandbox = new Sandbox();
  const { code, out, err } = sandbox.run("ponder", "--help");
  assertEquals([code, err], [0, ""]);
  assertStringIncludes(out, "Usage: ./ponder COMMAND");
});

Deno.test("an unknown command is named with the nearest one, exit 2, installing nothing", noWindows, () => {
  using sandbox = new Sandbox().logged("npm").logged("apt-get");
  const { code, err } = sandbox.run("ponder", "trian");
  assertEquals(code, 2);
  assertStringIncludes(err, "Unknown command trian: did you mean train?");
  assertEquals(err.includes("called:"), false);
  assertStringIncludes(sandbox.run("ponder", "dance").err, "ponder: Unknown command dance\n");
});

Deno.test("the script works through links, from any folder", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  Deno.symlinkSync(`${sandbox.folder}/repository/ponder`, `${sandbox.folder}/home/absolute`);
  Deno.symlinkSync("../home/absolute", `${sandbox.folder}/bin/relative`);
  for (const link of ["home/absolute", "bin/relative"]) {
    const { code, out, err } = sandbox.run(`../${link}`, "train");
    assertEquals([code, err], [0, ""]);
    assertStringIncludes(out, "<train>");
  }
});

Deno.test("what needs no GPU asks for none and installs no driver", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6")).logged("apt-get");
  Deno.removeSync(sandbox.driver);
  const free = [
    ["envs", "--sheet"],
    ["train", "--help"],
    ["eval", "--policy", "random"],
    ["eval", "--policy=optimal"],
    ["bench", "--report"],
    ["bench", "--compare", "a.json", "b.json"],
  ];
  for (const args of free) {
    const { code, err } = sandbox.run("ponder", ...args);
    assertEquals([code, err], [0, ""], args.join(" "));
  }
  assertEquals(sandbox.run("ponder", "eval").code, 1);
});

Deno.test("arguments reach the task as they are", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  const awkward = ["--out", "two words", "", 'a"b', "c'd", "$HOME", "*", "--", "-x"];
  const { code, out, err } = sandbox.run("ponder", "train", ...awkward);
  assertEquals([code, err], [0, ""]);
  const shown = out.split("\n").filter((line) => line.startsWith("<"));
  assertEquals(shown, ["train", ...awkward].map((argument) => `<${argument}>`));
});

Deno.test("XDG_RUNTIME_DIR becomes a private folder where it is unset", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  const path = sandbox.run("ponder", "train").out.match(/^runtime=(.*)$/m)![1]!;
  assertEquals(path, `${sandbox.folder}/home/.cache/ponder/runtime`);
  assertEquals(Deno.statSync(path).mode! & 0o777, 0o700);
});

Deno.test("Deno is found in ~/.deno/bin", noWindows, () => {
  using sandbox = new Sandbox().logged("npm");
  Deno.mkdirSync(`${sandbox.folder}/home/.deno/bin`, { recursive: true });
  Deno.writeTextFileSync(`${sandbox.folder}/home/.deno/bin/deno`, deno("3.0.0"), { mode: 0o755 });
  assertEquals(sandbox.run("ponder", "train").err, "");
});

for (const version of ["2.7.14", "1.46.0"]) {
  Deno.test(`Deno ${version} is too old: npm installs another, once`, noWindows, () => {
    using sandbox = new Sandbox().stub("deno", deno(version)).logged("npm", INSTALL_FROM_NPM);
    const first = sandbox.run("ponder", "train", "--seed", "1");
    assertEquals(first.code, 0);
    assertMatch(first.err, /^ponder: installing Deno 2\.9\.6 from npm into .*\/home\/\.cache\/ponder$/m);
    assertStringIncludes(first.out, "<train>\n<--seed>\n<1>\n");
    assertEquals(sandbox.run("ponder", "train").err, "");
  });
}

Deno.test("without npm the official installer is fetched with curl", noWindows, () => {
  using sandbox = new Sandbox().stub("unzip", "#!/bin/sh\n").logged(
    "curl",
    `cat <<'E'
mkdir -p "$DENO_INSTALL/bin" && printf '%s' "$PONDER_TEST_DENO" >"$DENO_INSTALL/bin/deno" && chmod +x "$DENO_INSTALL/bin/deno"
echo "installer got $*"
E`,
  );
  const { code, out, err } = sandbox.run("ponder", "eval");
  assertEquals(code, 0);
  assertStringIncludes(err, "installer got v2.9.6");
  assertMatch(out, /^<eval>\nruntime=.*\n$/);
});

Deno.test("with nothing to fetch Deno with, root is asked for by name", noWindows, () => {
  using sandbox = new Sandbox().logged("apt-get");
  const { code, err } = sandbox.run("ponder", "train");
  assertEquals(code, 1);
  assertStringIncludes(err, "needs root; run: sudo apt-get install ca-certificates curl unzip");
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
  assertStringIncludes(out, "<train>");
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

Deno.test("a command's --help needs no adapter", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  Deno.removeSync(sandbox.driver);
  assertEquals(sandbox.run("ponder", "train", "--help").code, 0);
});

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
