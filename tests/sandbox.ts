/** A folder in which the scripts run, where every tool that would change the machine is a stub. */

export const ROOT = new URL("../", import.meta.url);
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

/** A working Deno: answers --version, has an adapter once `driver` exists, prints its arguments one a line. */
export const deno = (version: string) =>
  `#!/bin/sh
here=$(dirname "$0")
case $1 in
  --version) echo "deno ${version} (stable, release)" ;;
  eval) case $* in *requestAdapter*) [ -e "$PONDER_TEST_DRIVER" ] || exit 3 ;; esac ;;
  install) mkdir -p node_modules; echo "called: deno $*" >&2 ;;
  run | test | doc)
    for argument in "$@"; do echo "<$argument>"; done
    for name in XDG_RUNTIME_DIR XDG_CACHE_HOME DENO_DIR PONDER_CWD PONDER_SIGHUP DENO_NO_UPDATE_CHECK; do
      eval "echo \\"$name=\\\${$name:-}\\""
    done
    echo "folder=$PWD" ;;
esac
`;

/** What Deno was started with. */
export interface Started {
  /** The flags of a permission, such as `--allow-read`: its list; empty if the permission was not given. */
  readonly granted: (flag: string) => string[];
  readonly script: string;
  /** What follows the script. */
  readonly args: readonly string[];
  readonly env: (name: string) => string;
}

/** Reads what the stub of Deno printed. */
export function started({ out }: Result): Started {
  const words = [...out.matchAll(/^<(.*)>$/gm)].map(([, word]) => word!);
  const script = words.findIndex((word) => word.endsWith(".ts"));
  return {
    granted: (flag) => {
      const found = words.slice(0, script).find((word) => word.startsWith(`${flag}=`));
      return found === undefined ? [] : found.slice(flag.length + 1).split(",");
    },
    script: words[script] ?? "",
    args: words.slice(script + 1),
    env: (name) => out.match(new RegExp(`^${name}=(.*)$`, "m"))?.[1] ?? "",
  };
}

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A copy of the scripts, with a PATH that holds basic tools and whatever stubs a test adds. */
export class Sandbox implements Disposable {
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
    return this.shell(`exec "$0" "$@"`, script, ...args);
  }

  /** Runs a line of shell, `$0` being the script, in the user's home. */
  shell(line: string, script: string, ...args: string[]): Result {
    const { code, stdout, stderr } = new Deno.Command("sh", {
      args: ["-c", line, `${this.folder}/repository/${script}`, ...args],
      cwd: `${this.folder}/home`,
      clearEnv: true,
      env: {
        PATH: `${this.folder}/bin`,
        HOME: `${this.folder}/home`,
        PONDER_TEST_DRIVER: this.driver,
        PONDER_TEST_DENO: deno("2.9.6"),
        PONDER_TEST_DIGEST: DIGEST,
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

export function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** `npm pack` leaves an archive, `npm install` unpacks it. */
export const NPM = `case $1 in
  pack) : >deno.tgz ;;
  install) folder=$3/node_modules/@deno/linux-test
    mkdir -p "$folder" && printf '%s' "$PONDER_TEST_DENO" >"$folder/deno" ;;
esac`;

/** Node.js, which computes the archive's digest. */
export const NODE = `#!/bin/sh\nprintf '%s' "$PONDER_TEST_DIGEST"\n`;

/** The digest that the script expects on Linux with x86-64. */
export const DIGEST = Deno.readTextFileSync(new URL("ponder", ROOT)).match(
  /linux-x64-glibc\n\s+digest=(\S+)/,
)![1]!;

/** A system that the digest is of. */
export const UNAME = `#!/bin/sh\ncase $1 in -m) echo x86_64 ;; *) echo Linux ;; esac\n`;

/** What runs POSIX shell runs on no Windows. */
export const noWindows = { ignore: Deno.build.os === "windows" };
