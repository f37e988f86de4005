/**
 * The `ponder` script, run in a folder of their own where every tool that would change the machine is
 * a stub that writes down how it was called.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { deno, noWindows, ROOT, Sandbox, started } from "./sandbox.ts";

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
  assertStringIncludes(
    sandbox.run("ponder", "dance").err,
    "ponder: Unknown command dance\nponder: see: ./ponder --help\n",
  );
});

Deno.test("the script works through links, from any folder", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  Deno.symlinkSync(`${sandbox.folder}/repository/ponder`, `${sandbox.folder}/home/absolute`);
  Deno.symlinkSync("../home/absolute", `${sandbox.folder}/bin/relative`);
  for (const link of ["home/absolute", "bin/relative"]) {
    const { code, out, err } = sandbox.run(`../${link}`, "train");
    assertEquals([code, err], [0, ""]);
    assertStringIncludes(out, "<commands/train.ts>");
  }
});

Deno.test("what needs no GPU asks for none and installs no driver", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6")).logged("apt-get");
  Deno.removeSync(sandbox.driver);
  const free = [
    ["envs", "--sheet"],
    ["web"],
    ["doctor"],
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

Deno.test("arguments reach the command as they are, after the task's own", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  const awkward = ["--out", "two words", "", 'a"b', "c'd", "$HOME", "*", "--", "-x"];
  const result = sandbox.run("ponder", "train", ...awkward);
  assertEquals([result.code, result.err], [0, ""]);
  const { script, args } = started(result);
  assertEquals([script, args], ["commands/train.ts", awkward]);
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  for (const [name, { command }] of Object.entries<{ command: string }>(tasks)) {
    if (name === "run") continue; // below
    const words = [...sandbox.run("ponder", name).out.matchAll(/^<([^=>]*)/gm)].map(([, word]) => word);
    const long: Record<string, string> = { "-R": "--allow-read", "-W": "--allow-write" };
    const wide = [
      "run",
      "test",
      "ok",
      "fuzz",
      "soak",
      "kills",
      "faults",
      "outages",
      "scale",
      "saving",
      "tokenizers",
      "web",
    ];
    const isNarrow = !wide.includes(name);
    const expected = command.split(" ").slice(1).map((word) => word.split("=")[0]!);
    assertEquals(words, expected.map((word) => isNarrow ? long[word] ?? word : word), name);
  }
});

Deno.test(
  "a program of the user's runs in their folder, with ponder's deno.json and all permissions",
  noWindows,
  () => {
    using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
    Deno.writeTextFileSync(`${sandbox.folder}/home/mine.ts`, "");
    const result = sandbox.run("ponder", "run", "mine.ts", "--out", "two words");
    assertEquals([result.code, result.err], [0, ""]);
    const words = [...result.out.matchAll(/^<(.*)>$/gm)].map(([, word]) => word);
    const config = `${sandbox.folder}/repository/deno.json`;
    assertEquals(words, [
      ...["run", "--frozen", "--no-prompt", `--config=${config}`, "-A", "mine.ts", "--out", "two words"],
    ]);
    const { env } = started(result);
    assertEquals([env("folder"), env("PONDER_CWD")], [Deno.realPathSync(`${sandbox.folder}/home`), ""]);
    const { code, err } = sandbox.run("ponder", "run");
    assertEquals([code, err], [2, "ponder: run needs a program: ./ponder run FILE [ARGUMENT...]\n"]);
    const missing = sandbox.run("ponder", "run", "nope.ts");
    assertEquals([missing.code, missing.err], [
      2,
      "ponder: cannot run nope.ts: no such file, check the path\n",
    ]);
  },
);

Deno.test("one process runs the command: the script becomes it", noWindows, () => {
  using sandbox = new Sandbox();
  sandbox.stub("deno", deno("2.9.6").replace("run | test | doc)", "run | test | doc) echo process=$$$$;"));
  const { out } = sandbox.shell(`"$0" train & echo process=$!; wait`, "ponder");
  const [started, became] = [...out.matchAll(/^process=(\d+)$/gm)].map(([, id]) => id);
  assertEquals(became, started);
});

Deno.test("a command may read the repository and write runs and the cache, no more", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  const cache = `${sandbox.folder}/home/.cache/ponder`;
  const { granted, env } = started(sandbox.run("ponder", "train", "--seed", "7", "--env", "EZPoints"));
  assertEquals(granted("--allow-read"), [".", cache]);
  assertEquals(granted("--allow-write"), ["runs", cache]);
  assertEquals(granted("--allow-ffi"), ["./node_modules"]);
  assertEquals(env("folder"), Deno.realPathSync(`${sandbox.folder}/repository`));
  const reproduce = started(sandbox.run("ponder", "reproduce"));
  assertEquals(reproduce.granted("--allow-write"), ["runs", cache, "results", "docs"]);
  assertEquals(reproduce.granted("--allow-run"), [Deno.realPathSync(`${sandbox.folder}/bin/deno`)]);
});

Deno.test(
  "only a run that is watched or played in a browser may use the network, and only this machine's",
  noWindows,
  () => {
    using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
    const network = (...args: string[]) => started(sandbox.run("ponder", ...args)).granted("--allow-net");
    assertEquals(network("train", "--watch", "--seed", "1"), ["127.0.0.1"]);
    assertEquals(network("watch"), ["127.0.0.1"]);
    assertEquals(network("play", "--browser"), ["127.0.0.1"]);
    for (const command of ["train", "runs", "replay", "play", "act", "export", "eval", "worker"]) {
      assertEquals(network(command), []);
    }
  },
);

Deno.test(
  "import may reach the hub's hosts and its cache, and from a folder no network at all",
  noWindows,
  () => {
    using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
    const home = Deno.realPathSync(`${sandbox.folder}/home`);
    const cache = `${sandbox.folder}/home/.cache/ponder`;
    const stores = [`${sandbox.folder}/home/.cache/huggingface`];
    const hub = started(sandbox.run("ponder", "import", "owner/model"));
    assertEquals(hub.granted("--allow-net"), ["huggingface.co", "*.huggingface.co", "*.hf.co"]);
    assertEquals(hub.granted("--allow-write"), ["runs", cache, "models", ...stores]);
    const elsewhere = started(
      sandbox.shell(
        `HF_ENDPOINT=http://me@hub.lan:81/x HF_HOME=/hf exec "$0" "$@"`,
        "ponder",
        "import",
        "owner/model",
      ),
    );
    assertEquals(elsewhere.granted("--allow-net"), ["hub.lan", "*.huggingface.co", "*.hf.co"]);
    assertEquals(elsewhere.granted("--allow-write"), ["runs", cache, "models", "/hf"]);
    Deno.mkdirSync(`${home}/blobs`);
    Deno.mkdirSync(`${home}/snapshot`);
    Deno.writeTextFileSync(`${home}/blobs/1`, "");
    Deno.symlinkSync("../blobs/1", `${home}/snapshot/config.json`);
    const folder = started(sandbox.run("ponder", "import", "snapshot", "--out", "my/copy"));
    assertEquals(folder.granted("--allow-net"), []);
    assertEquals(folder.granted("--allow-write"), ["runs", cache, "models", `${home}/my`]);
    assertEquals(folder.granted("--allow-read"), [
      ".",
      cache,
      `${home}/snapshot`,
      `${home}/blobs`,
      `${home}/my`,
    ]);
    const adapter = started(sandbox.run("ponder", "import", "--base", "owner/model", "snapshot"));
    assertEquals(adapter.granted("--allow-net"), ["huggingface.co", "*.huggingface.co", "*.hf.co"]);
  },
);

Deno.test(
  "learner and worker may reach the NATS servers that their user names, and no others",
  noWindows,
  () => {
    using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
    const granted = (...args: string[]) => started(sandbox.run("ponder", ...args)).granted;
    const cases: [address: string, servers: string[]][] = [
      ["nats://learner", ["learner:4222"]],
      ["learner:4223", ["learner:4223"]],
      ["tls://user:se@cret@10.0.0.1:443,nats://b-2.example.org", ["10.0.0.1:443", "b-2.example.org:4222"]],
      ["nats://[::1]:4222,[fe80::1]", ["[::1]:4222", "[fe80::1]:4222"]],
      ["nats://a b:1,nats://c:99999,--allow-run,nats://d/e", []],
      ["", []],
    ];
    for (const [address, servers] of cases) {
      assertEquals(granted("worker", "--nats", address)("--allow-net"), servers, address);
      assertEquals(granted("train", `--workers=${address}`)("--allow-net"), servers, address);
      assertEquals(granted("worker", "--nats", address)("--allow-read").length, 2, address);
    }
    assertEquals(granted("train", "--watch", "--workers", "nats://a")("--allow-net"), [
      "127.0.0.1",
      "a:4222",
    ]);
    assertEquals(granted("train", "--nats", "nats://a")("--allow-net"), []);
  },
);

Deno.test("a command may also reach the paths that its user names", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  const home = Deno.realPathSync(`${sandbox.folder}/home`);
  const fixed = [".", `${sandbox.folder}/home/.cache/ponder`];
  Deno.writeTextFileSync(`${home}/settings`, "{}");
  const cases: [args: string[], reads: string[], writes: string[]][] = [
    [["--out", "my run"], [`${home}/my run`], [`${home}/my run`]],
    [["--out=/data/run"], ["/data/run"], ["/data/run"]],
    [["--run", "../a"], [`${home}/../a`], [`${home}/../a`]],
    [["--config", "settings"], [`${home}/settings`], []],
    [["--config=c.json"], [`${home}/c.json`], []],
    [["--checkpoint", "a/b"], [`${home}/a/b`], []],
    [["--env", "./maze.ts"], [`${home}/.`], []],
    [["--json", "settings"], [`${home}/settings`], []],
    [["--sheet"], [home], [home]],
    [["--sheet", "/data/sheet.png"], ["/data"], ["/data"]],
    [["--out", "/data/a,b/run"], ["/data"], ["/data"]],
  ];
  for (const [args, reads, writes] of cases) {
    const { granted } = started(sandbox.run("ponder", "train", ...args));
    assertEquals(granted("--allow-read"), [...fixed, ...reads], args.join(" "));
    assertEquals(granted("--allow-write"), ["runs", fixed[1], ...writes], args.join(" "));
  }
});

Deno.test(
  "a run that is named without a flag may be read, also when it is missing, so that the command can say so",
  noWindows,
  () => {
    using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
    const home = Deno.realPathSync(`${sandbox.folder}/home`);
    for (const command of ["check", "replay", "watch", "compare"]) {
      const { granted } = started(sandbox.run("ponder", command, "missing"));
      assert(granted("--allow-read").includes(`${home}/missing`), command);
    }
  },
);

Deno.test("what a link leads to is granted with the link", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  const home = Deno.realPathSync(`${sandbox.folder}/home`);
  const [disk, cache] = [`${Deno.realPathSync(sandbox.folder)}/disk`, `${sandbox.folder}/home/.cache/ponder`];
  Deno.mkdirSync(`${disk}/runs/a`, { recursive: true });
  Deno.symlinkSync(disk, `${home}/linked`);
  Deno.symlinkSync(`${disk}/runs`, `${sandbox.folder}/repository/runs`);
  const runs = ["runs", cache, `${Deno.realPathSync(`${sandbox.folder}/repository`)}/runs`, `${disk}/runs`];
  const cases: [args: string[], named: string[]][] = [
    [["--out", "linked/new"], [`${home}/linked/new`, `${disk}/new`]],
    [["--out", "linked"], [`${home}/linked`, disk]],
    [["--out=linked/"], [`${home}/linked/`, disk]],
    [["--run", "linked/runs/a"], [`${home}/linked/runs/a`, `${disk}/runs/a`]],
  ];
  for (const [args, named] of cases) {
    const { granted } = started(sandbox.run("ponder", "train", ...args));
    assertEquals(granted("--allow-write"), [...runs, ...named], args.join(" "));
    assertEquals(granted("--allow-read").slice(-named.length), named, args.join(" "));
  }
});

Deno.test("check may write into the run that it is to restore, and nowhere else", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  const home = Deno.realPathSync(`${sandbox.folder}/home`);
  const cases: [args: string[], writes: string[]][] = [
    [["run"], []],
    [["--run", "run"], [`${home}/run`]],
    [["run", "--restore"], [`${home}/run`]],
    [["--restore", "/data/run"], ["/data/run"]],
    [["--restore", "--run=/data/run"], ["/data/run"]],
    [["--restore", "--", "--run"], [`${home}/--run`]],
  ];
  for (const [args, writes] of cases) {
    const { granted } = started(sandbox.run("ponder", "check", ...args));
    assertEquals(granted("--allow-write"), ["runs", `${sandbox.folder}/home/.cache/ponder`, ...writes]);
  }
});

Deno.test("a command is told where its user is, tests are not", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  const train = started(sandbox.run("ponder", "train"));
  assertEquals(train.env("PONDER_CWD"), Deno.realPathSync(`${sandbox.folder}/home`));
  assertEquals(train.env("DENO_NO_UPDATE_CHECK"), "1");
  assertEquals(started(sandbox.run("ponder", "test")).env("PONDER_CWD"), "");
});

Deno.test("under nohup a command is told to outlive its terminal", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  assertEquals(
    started(sandbox.shell(`trap '' HUP; exec "$0" train`, "ponder")).env("PONDER_SIGHUP"),
    "ignore",
  );
  assertEquals(started(sandbox.run("ponder", "train")).env("PONDER_SIGHUP"), "");
});

Deno.test("a command runs with its streams closed or full", noWindows, () => {
  using sandbox = new Sandbox().stub(
    "deno",
    deno("2.9.6").replace("run | test | doc)", `run | test | doc) : >"$HOME/ran";`),
  );
  for (const streams of [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "2>/dev/full"]) {
    const { code, err } = sandbox.shell(`exec "$0" envs ${streams}`, "ponder");
    assertEquals([code, err], [0, ""], streams);
    Deno.removeSync(`${sandbox.folder}/home/ran`);
  }
  sandbox.logged("npm");
  const { code } = sandbox.shell(`exec "$0" dance 2>/dev/full`, "ponder");
  assertEquals(code === 0, false);
});

Deno.test("--version prints the version of deno.json and Deno's, and installs nothing", noWindows, () => {
  using sandbox = new Sandbox().logged("npm").logged("apt-get");
  const { version } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const none = `ponder ${version}\ndeno: none of version 2.8 or later\n`;
  assertEquals(sandbox.run("ponder", "--version"), { code: 0, out: none, err: "" });
  sandbox.stub("deno", deno("2.9.6"));
  const both = `ponder ${version}\ndeno 2.9.6 (stable, release)\n`;
  assertEquals(sandbox.run("ponder", "--version"), { code: 0, out: both, err: "" });
});

Deno.test("XDG_RUNTIME_DIR becomes a private folder where it is unset", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  const path = started(sandbox.run("ponder", "train")).env("XDG_RUNTIME_DIR");
  assertEquals(path, `${sandbox.folder}/home/.cache/ponder/runtime`);
  assertEquals(Deno.statSync(path).mode! & 0o777, 0o700);
});

Deno.test("a command's --help needs no adapter", noWindows, () => {
  using sandbox = new Sandbox().stub("deno", deno("2.9.6"));
  Deno.removeSync(sandbox.driver);
  assertEquals(sandbox.run("ponder", "train", "--help").code, 0);
});
