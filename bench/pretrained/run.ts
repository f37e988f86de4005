/**
 * The suite `pretrained`: models of real size from seeded weights, beside PyTorch where it is installed.
 *
 * @module
 */
import { writeFileAtomic } from "../../model/files.ts";
import { type Console, processConsole } from "../../rl/cli/mod.ts";
import { SMOLLM2_135M, SMOLVLM_256M, writeSeededFolder } from "./folder.ts";
import { PRETRAINED_WORKS, type PretrainedReport, type PretrainedRow } from "./rows.ts";

/** What is said of PyTorch: `scripts/peer_pytorch.py --smollm2 FOLDER` prints it. */
interface Peer {
  readonly torch: string;
  readonly seconds: number;
  readonly answers: Readonly<Record<string, number>>;
}

/** Relative difference of a loss or of a gradient's norm from PyTorch's at most. */
const PEER_TOLERANCE = 1e-3;

/** Measures everything. Returns the exit code: 1 if something failed, or a number is not what it must be. */
export async function runPretrained(
  { out, json }: { readonly out: string; readonly json: boolean },
  console: Console = processConsole,
): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "ponder_pretrained_" });
  const rows: PretrainedRow[] = [];
  const failures: string[] = [];
  let adapter = "";
  try {
    await writeSeededFolder(`${folder}/smolvlm`, SMOLVLM_256M);
    await writeSeededFolder(`${folder}/smollm2`, SMOLLM2_135M);
    for (const work of PRETRAINED_WORKS) {
      console.err(`Measuring ${work}\n`);
      const own = `${folder}/${work === "smollm2" ? work : "smolvlm"}`;
      const report = await child<PretrainedReport>(Deno.execPath(), [
        ...["run", "-A", new URL("rows.ts", import.meta.url).pathname, work, own],
      ]);
      if (typeof report === "string") {
        failures.push(`${work}: ${report}`);
        continue;
      }
      adapter = report.adapter;
      rows.push(...report.rows);
      if (work === "smollm2") rows.push(...await besidePeer(own, report, failures, console));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const run = { suite: "pretrained", adapter, startedAt: new Date().toISOString(), rows, failures };
  await Deno.mkdir(out, { recursive: true });
  await writeFileAtomic(`${out}/pretrained.json`, JSON.stringify(run, null, 2) + "\n");
  console.out(json ? JSON.stringify(run, null, 2) + "\n" : format(adapter, rows, failures));
  return failures.length === 0 && rows.every(isWithin) ? 0 : 1;
}

/** The same step in PyTorch eager, if there is one: a time counts only behind equal answers. */
async function besidePeer(
  folder: string,
  { rows: [{ value }], answers = {} }: PretrainedReport,
  failures: string[],
  console: Console,
): Promise<PretrainedRow[]> {
  const python = Deno.env.get("PYTHON") ?? "/usr/bin/python3";
  const script = new URL("../../scripts/peer_pytorch.py", import.meta.url).pathname;
  const peer = await child<Peer>(python, [script, "--smollm2", folder]);
  if (typeof peer === "string") {
    console.err(`Left out PyTorch: ${peer}\n`);
    return [];
  }
  for (const [name, want] of Object.entries(peer.answers)) {
    const difference = Math.abs(answers[name] - want) / Math.abs(want);
    if (difference <= PEER_TOLERANCE) continue;
    failures.push(`${name} is ${answers[name]}, PyTorch has ${want}`);
  }
  return [
    { name: `the same in PyTorch ${peer.torch} eager`, value: peer.seconds, unit: "s" },
    { name: "speed over PyTorch's", value: peer.seconds / value, unit: "x", least: 0.5 },
  ];
}

/** The object that a program prints, or why there is none. */
async function child<T>(program: string, args: readonly string[]): Promise<T | string> {
  const text = new TextDecoder();
  try {
    const command = new Deno.Command(program, { args: [...args], stdout: "piped", stderr: "piped" });
    const { success, stdout, stderr } = await command.output();
    if (success) return JSON.parse(text.decode(stdout));
    return text.decode(stderr).trim().split("\n").findLast((line) => line !== "") ?? "it failed";
  } catch (error) {
    return (error as Error).message;
  }
}

function isWithin({ value, most = Infinity, least = -Infinity }: PretrainedRow): boolean {
  return value <= most && value >= least;
}

function format(adapter: string, rows: readonly PretrainedRow[], failures: readonly string[]): string {
  const lines = rows.map((row) => {
    const { name, value, idle, unit, most, least } = row;
    const bound = most !== undefined ? `at most ${most}` : least !== undefined ? `at least ${least}` : "";
    const verdict = bound === "" ? "" : isWithin(row) ? "ok" : "MISSED";
    const cells = [
      ...[name.padEnd(56), value.toFixed(2).padStart(8), unit.padEnd(9)],
      ...[
        idle === undefined ? " ".repeat(13) : `(CPU ${idle.toFixed(2)})`.padEnd(13),
        bound.padEnd(12),
        verdict,
      ],
    ];
    return cells.join(" ").trimEnd();
  });
  const failed = failures.map((failure) => `FAILED ${failure}`);
  const title =
    `Models of real size with seeded weights, on ${adapter}; CPU is CPU time over the machine's threads`;
  return [title, ...lines, ...failed, ""].join("\n");
}
