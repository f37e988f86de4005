/** The page about more machines: its templates are well-formed, and the commands in them exist with their flags. */
import { assert, assertEquals } from "@std/assert";
import { parseAllDocuments } from "yaml";
import { parseOptions, toFlag } from "../rl/cli/mod.ts";
import { trainOptions } from "../rl/config.ts";
import { workerCommand } from "../commands/worker.ts";
import { type ScaleCosts, simulate, tables, WORKERS } from "../scripts/scale.ts";

const FOLDER = new URL("../docs/how_to/more_machines/", import.meta.url);
const read = (name: string): string => Deno.readTextFileSync(new URL(name, FOLDER));

/** Documents of a YAML file; anchors of one are not known in the next. */
function documents(name: string): Record<string, unknown>[] {
  const found = parseAllDocuments(read(name));
  if (!Array.isArray(found)) throw new Error(`${name} is empty`);
  for (const { errors, warnings } of found) assertEquals([...errors, ...warnings], [], name);
  return found.map((document) => document.toJS() as Record<string, unknown>);
}

/** Every list of strings that begins with `./ponder`, anywhere in a value. */
function commandsIn(value: unknown): string[][] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value) && value[0] === "./ponder") return [value];
  return Object.values(value).flatMap(commandsIn);
}

/** Fails if a command has a flag that is none. */
function requireKnown([, name, ...args]: readonly string[]): void {
  const options = name === "worker" ? workerCommand.options : trainOptions;
  assert(name === "worker" || name === "train", name);
  assert(typeof options === "object");
  parseOptions(args, options as typeof trainOptions);
}

Deno.test("the compose file has a server, workers and a learner, with commands that exist", () => {
  const [{ services }] = documents("compose.yaml") as [
    { services: Record<string, { depends_on?: string[] }> },
  ];
  assertEquals(Object.keys(services), ["nats", "worker", "learner"]);
  const commands = commandsIn(services);
  assertEquals(commands.map(([, name]) => name), ["worker", "train"]);
  commands.forEach(requireKnown);
});

Deno.test("the Kubernetes file has whole objects, and its selectors, secrets and claims are among them", () => {
  const objects = documents("kubernetes.yaml") as {
    kind: string;
    apiVersion: string;
    metadata: { name: string };
  }[];
  assertEquals(objects.map(({ kind }) => kind), [
    "Service",
    "StatefulSet",
    "Job",
    "Job",
    "PersistentVolumeClaim",
  ]);
  for (const { apiVersion, metadata } of objects) assert(apiVersion && metadata.name);
  commandsIn(objects).forEach(requireKnown);
  const text = read("kubernetes.yaml");
  for (const [, claim] of text.matchAll(/claimName: ([a-z-]+)/g)) {
    assert(objects.some(({ kind, metadata }) => kind === "PersistentVolumeClaim" && metadata.name === claim));
  }
  for (const [, flag] of text.matchAll(/ --([a-z-]+) /g)) {
    const known = [...Object.keys(trainOptions), "js"].map(toFlag);
    assert(known.includes(flag!) || flag === "from-literal", flag);
  }
});

Deno.test("the shell in the templates is read by a shell", async () => {
  const [script] = read("kubernetes.yaml").match(/set -- --out[\s\S]*?"\$@"\n/)!;
  for (const [shell, text] of [["bash", read("slurm.sh")], ["sh", script]] as const) {
    const child = new Deno.Command(shell, { args: ["-n"], stdin: "piped", stderr: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
    const { code, stderr } = await child.output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  }
  const command = read("slurm.sh").match(/^exec (.*)$/m)![1]!.replaceAll('"', "").split(" ");
  requireKnown(command);
});

Deno.test("the systemd unit has sections of keys and values, and a command that exists", () => {
  let section = "";
  const sections: Record<string, string[]> = {};
  for (
    const line of read("ponder-worker.service").split("\n").filter((line) => line && !line.startsWith("#"))
  ) {
    const heading = /^\[(\w+)\]$/.exec(line);
    if (heading !== null) section = heading[1]!;
    else (sections[section] ??= []).push(/^(\w+)=.+$/.exec(line)![1]!);
  }
  assertEquals(Object.keys(sections), ["Unit", "Service", "Install"]);
  const [, start] = read("ponder-worker.service").match(/^ExecStart=(.*)$/m)!;
  requireKnown(start!.split(" "));
});

Deno.test("the tables of the page on scale are those that its numbers give", () => {
  const costs: ScaleCosts = JSON.parse(
    Deno.readTextFileSync(new URL("../results/scale.json", import.meta.url)),
  );
  // The formatter aligns columns.
  const plain = (text: string) => text.replace(/ +/g, " ").replace(/-{3,}/g, "---");
  const page = plain(Deno.readTextFileSync(new URL("../docs/scale.md", import.meta.url)));
  assert(page.includes(plain(tables(costs))), `docs/scale.md lacks\n\n${tables(costs)}`);
});

Deno.test("a simulated iteration is the sum of its parts, computed by hand", () => {
  const model = {
    ...{ name: "m", basis: "", fixedMs: 10, perRowMs: 2, updateMs: 64, weightBytes: 1e6 },
    ...{ jobBytes: 100, jobRowBytes: 10, resultBytes: 100, resultRowBytes: 90 },
  };
  const engine = { roundTripMs: 1, putMsPerMb: 5, getMsPerMb: 7 };
  const batch = { rows: 8, turns: 2, minibatch: 8, epochs: 2, learners: 1 };
  const network = { name: "n", rttMs: 3, serverBytesPerMs: 1e5, workerBytesPerMs: 1e4 };
  const { seconds, bottleneck, bytes } = simulate(model, engine, network, 4, batch);
  // put 5 + 10 + 3; get 7 + 3 + max(40, 100); messages 2 (3 + 4 + 0.016); responses 2 (10 + 2 x 2); updates 64 x 8 / 64 x 2
  assertEquals(seconds.toFixed(6), ((18 + 110 + 14.032 + 28 + 16) / 1e3).toFixed(6));
  assertEquals([bottleneck, bytes], ["weights", 5e6 + 2 * (4 * 200 + 8 * 100)]);
  // With two learners: half the updates, and 4 exchanges of 18 + (7 + 3 + 100) + 18 + 7 + 1 + 20.
  const shared = simulate(model, engine, network, 4, { ...batch, learners: 2 });
  assertEquals(shared.seconds.toFixed(6), ((18 + 110 + 14.032 + 28 + 8 + 4 * 174) / 1e3).toFixed(6));
  // More workers than rows have nothing to do.
  const most = WORKERS.map((workers) => simulate(model, engine, network, workers, batch).seconds);
  assertEquals(most.at(-1), most.at(-2));
});
