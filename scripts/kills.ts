/**
 * `kills`: kills commands that write, again and again, at random moments. Then it lets them go on, and compares the final bytes
 * with those of an undisturbed run.
 *
 * A kill is a SIGKILL of the command and of everything that it started. Most kills come right after a random change to the run's
 * files, counted from the command's start. Writing is then hit as often as computing, however busy the machine is. Some come
 * in the first second.
 *
 * These must be equal at the end: `config.json`, every byte of `metrics.jsonl`, the weights and moments of every checkpoint, and
 * what the algorithm remembers; and every file of the recording but for the times in it. `check` must find the run whole.
 *
 * @module
 */
import { writeFileAtomic } from "../model/files.ts";
import { type Command, commandLine, defineOptions, runCommand, taskArguments } from "../rl/cli/mod.ts";
import { digestOf } from "../rl/run/manifest.ts";

/** A run of a few seconds that saves in the middle of each stage. */
const TINY = "--max-new-tokens 6 --sft-steps 104 --sft-batch 8 --demonstrations 32 --perception-gate 0 " +
  "--env-steps 208 --envs 4 --rollout-steps 4 --minibatch 8 --epochs 1 --eval-episodes 2 --kl-stop 100";
/** The same with a warm start that is soon over. */
const SHORT = TINY.replace("--sft-steps 104", "--sft-steps 12");
const TINY_GROUPS =
  "--max-new-tokens 6 --sft-steps 12 --sft-batch 8 --demonstrations 32 --perception-gate 0 " +
  "--env-steps 208 --envs 4 --groups 2 --group-size 2 --minibatch 8 --epochs 1 --eval-episodes 2";
const TINY_CNN =
  "--sft-steps 104 --sft-batch 8 --demonstrations 32 --env-steps 416 --envs 4 --rollout-steps 8 " +
  "--minibatch 16 --epochs 1 --eval-episodes 2";

const ENVS = new URL("../envs/mod.ts", import.meta.url).href;

/** An environment without demonstrations, with the words of NumberLine. */
const UNSOLVED = `import { defineEnvironment, numberLine } from "${ENVS}";
const make = (settings) => {
  const env = numberLine.make(settings);
  return {
    actions: env.actions, tokens: env.tokens,
    reset: (options) => env.reset(options), step: (action) => env.step(action),
    prompt: (info, options) => env.prompt(info, options), parse: (text) => env.parse(text),
  };
};
export default defineEnvironment({ name: "Unsolved", make });
`;

export { UNSOLVED };

/** Something to kill. Every command runs in a folder of its own, with the run in `run`. */
export interface Scenario {
  readonly name: string;
  /** Share of the kills. */
  readonly share: number;
  /** Commands that come first and are not killed. */
  readonly before?: readonly string[];
  /** Changes the folder after them. */
  readonly prepare?: (folder: string) => Promise<void>;
  readonly command: string;
  /** The command that goes on after a kill; the same one when absent. */
  readonly again?: string;
  /** Run folder to compare. */
  readonly run?: string;
}

/** All scenarios, with the share of each. */
export const scenarios: readonly Scenario[] = [
  { name: "train", share: 0.15, command: `train ${TINY} --out run`, again: "train --resume --out run" },
  {
    name: "train, soon in RL",
    share: 0.1,
    command: `train ${SHORT} --out run`,
    again: "train --resume --out run",
  },
  {
    name: "train, with a full recording",
    share: 0.05,
    command: `train ${
      SHORT.replace("--max-new-tokens 6", "--max-new-tokens 14")
    } --env-steps 528 --record 1 --out run`,
    again: "train --resume --record 1 --out run",
  },
  {
    name: "train, groups held near the warm start",
    share: 0.08,
    command: `train --algorithm gigpo ${TINY_GROUPS} --kl-stop 100 --kl-coefficient 0.1 --out run`,
    again: "train --resume --out run",
  },
  {
    name: "train, episodes remembered",
    share: 0.07,
    command: `train --algorithm expert-iteration ${TINY_GROUPS} --out run`,
    again: "train --resume --out run",
  },
  {
    name: "baseline",
    share: 0.15,
    command: `baseline ${TINY_CNN} --out run`,
    again: "baseline --resume --out run",
  },
  {
    name: "train --warm-start",
    share: 0.05,
    before: [`train ${SHORT} --out first`],
    command: `train ${SHORT} --lambda 0.9 --warm-start first --out run`,
    again: "train --resume --out run",
  },
  {
    name: "train --warm-start, of weights",
    share: 0.05,
    before: [`train ${SHORT} --out first`],
    prepare: (folder) => Deno.writeTextFile(`${folder}/unsolved.ts`, UNSOLVED),
    command: `train ${SHORT} --demonstrations 0 --env ./unsolved.ts --warm-start first --out run`,
    again: "train --resume --env ./unsolved.ts --out run",
  },
  {
    name: "train --extend",
    share: 0.15,
    before: [`train ${SHORT} --out run`],
    command: "train --resume --extend --env-steps 400 --out run",
  },
  {
    name: "check --restore, then train",
    share: 0.1,
    before: [`train ${SHORT} --out run`],
    prepare: async (folder) => {
      const path = `${folder}/run/checkpoint/model.safetensors`;
      const bytes = await Deno.readFile(path);
      bytes[bytes.length >> 1] ^= 1;
      await Deno.writeFile(path, bytes);
    },
    command: "check run --restore && train --resume --out run",
  },
  {
    name: "reproduce",
    share: 0.05,
    command: "reproduce --quick --only NumberLine/default",
    run: "runs/results/quick/NumberLine-default-s0",
  },
];

/** The final state of a scenario: digests by file. */
export type Content = Readonly<Record<string, string>>;

/** The result of a scenario's kills. */
export interface Outcome {
  readonly name: string;
  readonly kills: number;
  readonly same: number;
  /** How often the run was killed in each stage. */
  readonly stages: Record<string, number>;
  readonly differences: string[];
}

/** Starts `a && b` as a group of processes of its own. */
function start(line: string, folder: string): Deno.ChildProcess {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const commands = line.split(" && ").map((command) => {
    const [name, ...args] = command.split(" ");
    return [Deno.execPath(), ...taskArguments(name), ...args].map(quote).join(" ");
  });
  return new Deno.Command("setsid", {
    args: ["sh", "-c", commands.join(" && ")],
    cwd: folder,
    env: { NO_COLOR: "1", INIT_CWD: "", PONDER_CWD: "", PONDER_TUNING: "off" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** Runs a command to its end. `changes` counts the changes of files in the folder. */
async function finish(line: string, folder: string): Promise<{ code: number; err: string; changes: number }> {
  let changes = 0;
  using _watcher = watch(folder, () => changes++);
  const { code, stderr } = await start(line, folder).output();
  return { code, err: new TextDecoder().decode(stderr), changes };
}

/** The moment of a kill: after a number of changes to files, or a number of milliseconds after the start. */
type Moment = { readonly changes: number } | { readonly ms: number };

/** Draws a moment in the first half of a command's `changes` changes. One in ten is in the command's first second. */
function randomMoment(changes: number): Moment {
  if (Math.random() < 0.1) return { ms: 1000 * Math.random() };
  return { changes: 1 + Math.floor(changes / 2 * Math.random()) };
}

/** Kills a command and everything that it started. False if it had ended before. */
async function killed(line: string, folder: string, moment: Moment): Promise<boolean> {
  const come = Promise.withResolvers<void>();
  let changes = 0;
  using _watcher = watch(folder, () => {
    if ("changes" in moment && ++changes === moment.changes) come.resolve();
  });
  const child = start(line, folder);
  const output = child.output();
  let hasEnded = false;
  output.then(() => {
    hasEnded = true;
    come.resolve();
  });
  if ("ms" in moment) setTimeout(come.resolve, moment.ms);
  await come.promise;
  const wasRunning = !hasEnded;
  if (wasRunning) Deno.kill(-child.pid, "SIGKILL");
  await output;
  return wasRunning;
}

/** Calls back at every change in a folder, until it is disposed of. */
function watch(folder: string, onChange: () => void): Disposable {
  const watcher = Deno.watchFs(folder);
  (async () => {
    for await (const { kind } of watcher) if (kind !== "access") onChange();
  })();
  return { [Symbol.dispose]: () => watcher.close() };
}

/** Digests of what must be equal; the folder's own name is left out. */
export async function contentOf(run: string, folder: string): Promise<Content> {
  const files = ["metrics.jsonl"];
  for (const name of ["checkpoint", "warm_start"]) {
    files.push(`${name}/model.safetensors`, `${name}/optimizer.safetensors`);
  }
  const config = await Deno.readTextFile(`${run}/config.json`).catch(() => "absent");
  const content: Record<string, string> = {
    "config.json": (await digestOf(config.replaceAll(folder, ""))).sha256,
  };
  for (const file of files) {
    const bytes = await Deno.readFile(`${run}/${file}`).catch(() => null);
    content[file] = bytes === null ? "absent" : (await digestOf(bytes)).sha256;
  }
  content["recording"] = await recordingOf(`${run}/recording`);
  // The rest of the state says how long everything took.
  const trainer = await Deno.readTextFile(`${run}/checkpoint/trainer.json`).catch(() => "{}");
  content["memory in trainer.json"] =
    (await digestOf(JSON.stringify(JSON.parse(trainer).memory) ?? "")).sha256;
  return content;
}

/** One digest of a recording, without the times that it tells. */
async function recordingOf(path: string): Promise<string> {
  const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name).catch(() => []);
  const files: string[] = [];
  for (const name of names.sort()) {
    // A picture's name is its digest, which check verifies.
    const text = name.endsWith(".png") ? "" : await Deno.readTextFile(`${path}/${name}`);
    files.push(
      name,
      text.replace(/"seconds":\{[^}]*\}/, "").replace(/"sha256":"\w+"/, ""),
      String(text.length),
    );
  }
  return (await digestOf(files.join("\n"))).sha256;
}

/** The stage of a run when it was killed. */
async function stageOf(run: string): Promise<string> {
  const names = await Array.fromAsync(Deno.readDir(run), ({ name }) => name).catch(() => []);
  if (names.some((name) => /\.(new|old|tmp)$/.test(name))) return "writing";
  const text = await Deno.readTextFile(`${run}/metrics.jsonl`).catch(() => "");
  const lines = text.split("\n").slice(0, -1);
  if (lines.length > 0) return JSON.parse(lines.at(-1)!).stage;
  return await Deno.stat(`${run}/config.json`).then(() => "begun", () => "nothing yet");
}

/** Makes and prepares a folder for a scenario. */
async function prepared({ before = [], prepare }: Scenario): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "ponder_kills_" });
  for (const line of before) {
    const { code, err } = await finish(line, folder);
    if (code !== 0) throw new Error(`Cannot begin: ${line} failed, ${err}`);
  }
  await prepare?.(folder);
  return folder;
}

/** Kills in chains: a few kills of one run, which then goes on to its end. */
export async function killScenario(scenario: Scenario, kills: number, perChain: number): Promise<Outcome> {
  const path = (folder: string) => `${folder}/${scenario.run ?? "run"}`;
  const next = async (folder: string) => {
    const hasBegun = await Deno.stat(`${path(folder)}/config.json`).then(() => true, () => false);
    return hasBegun ? scenario.again ?? scenario.command : scenario.command;
  };
  let folder = await prepared(scenario);
  const undisturbed = await finish(scenario.command, folder);
  if (undisturbed.code !== 0) throw new Error(`Cannot begin: ${scenario.command} failed, ${undisturbed.err}`);
  const expected = await contentOf(path(folder), folder);
  await Deno.remove(folder, { recursive: true });
  const outcome: Outcome = { name: scenario.name, kills: 0, same: 0, stages: {}, differences: [] };
  for (let done = 0; done < kills;) {
    folder = await prepared(scenario);
    let [line, ofChain] = [scenario.command, 0];
    while (ofChain < perChain && done + ofChain < kills) {
      if (!await killed(line, folder, randomMoment(undisturbed.changes))) break;
      const stage = await stageOf(path(folder));
      outcome.stages[stage] = (outcome.stages[stage] ?? 0) + 1;
      ofChain++;
      line = await next(folder);
    }
    line = await next(folder); // the last one may have ended by itself
    // A run that had already ended has nothing left to do.
    const end = await finish(line, folder);
    if (ofChain > 0) {
      const content = await contentOf(path(folder), folder);
      const faults = Object.keys(expected).filter((file) => content[file] !== expected[file]);
      if (end.code === 0 && (await finish(`check ${path(folder)}`, folder)).code !== 0) faults.push("check");
      done += ofChain;
      (outcome as { kills: number }).kills += ofChain;
      if (end.code === 0 && faults.length === 0) (outcome as { same: number }).same += ofChain;
      else outcome.differences.push(`${line}: exit ${end.code}, other ${faults.join(", ")}; ${end.err}`);
      console.error(
        `${scenario.name}: ${outcome.same} of ${outcome.kills} kills ended in the same bytes ` +
          JSON.stringify(outcome.stages),
      );
    }
    await Deno.remove(folder, { recursive: true });
  }
  return outcome;
}

const options = defineOptions({
  kills: { type: "integer", default: 100, min: 1, meaning: "how many, over all scenarios" },
  only: {
    type: "string",
    choices: scenarios.map(({ name }) => name),
    meaning: "one scenario, with its share of the kills",
  },
  out: { type: "path", meaning: "also save the result as JSON in this file" },
});

/** The `kills` command. */
export const killsCommand: Command<typeof options> = {
  command: "./ponder kills",
  summary: "Kill whatever writes, again and again at random moments, and let it go on. " +
    "Then compare what it ends in with an undisturbed run: exit code 1 if bytes differ.",
  examples: ["./ponder kills", "./ponder kills --only baseline --kills 20"],
  options,
  async run({ values }) {
    const startedAt = new Date().toISOString();
    const outcomes: Outcome[] = [];
    for (const scenario of scenarios.filter(({ name }) => name === (values.only ?? name))) {
      outcomes.push(await killScenario(scenario, Math.max(1, Math.round(values.kills * scenario.share)), 10));
      const kills = outcomes.reduce((sum, { kills }) => sum + kills, 0);
      const same = outcomes.reduce((sum, { same }) => sum + same, 0);
      const result = { command: commandLine("kills"), startedAt, kills, same, scenarios: outcomes };
      if (values.out !== undefined) await writeFileAtomic(values.out, JSON.stringify(result, null, 1) + "\n");
      console.error(`${same} of ${kills} kills ended in the same bytes`);
    }
    return outcomes.some(({ kills, same }) => same < kills) ? 1 : 0;
  },
};

if (import.meta.main) Deno.exit(await runCommand(killsCommand, Deno.args));
