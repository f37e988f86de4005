/** Runs small enough to train in a test, in this process or as the tasks start them. */
import type { AdamW } from "../../model/mod.ts";
import type { LearnMetrics } from "../../rl/algorithms/algorithm.ts";
import { type EnvironmentDefinition, findEnvironment, numberLine } from "../../envs/mod.ts";
import { findAlgorithm, learn, ppo } from "../../rl/algorithms/mod.ts";
import { saveCheckpoint, START } from "../../rl/run/checkpoint.ts";
import {
  type Command,
  type Given,
  type Options,
  processConsole,
  Progress,
  runCommand,
  taskArguments,
  toFlag,
} from "../../rl/cli/mod.ts";
import { resolveConfig, settingsOf, type TrainConfig, type trainOptions } from "../../rl/config.ts";
import { runTraining } from "../../rl/run/run.ts";
import type { RunResult } from "../../rl/run/state.ts";
import { digestOf, encodeManifest, type FileDigest, readManifest } from "../../rl/run/manifest.ts";
import type { Policy } from "../../rl/policy.ts";
import { learnContext } from "../../rl/reference.ts";
import type { Rollout } from "../../rl/rollout.ts";
import { newAgent } from "../../rl/setup.ts";
import { rlOptimizer } from "../../rl/optimizers.ts";
import { RunFolder } from "../../rl/run/folder.ts";
import { testGpu } from "../gpu.ts";

const ROOT = new URL("../../", import.meta.url);

// Tests neither measure kernels first nor write to the user's cache; commands they start inherit this.
Deno.env.set("PONDER_TUNING", "off");

/** The smallest model, 4 SFT updates, 2 RL iterations of 2 minibatches, 2 held-out episodes; responses are cut short. */
export const TINY = {
  preset: "pico",
  maxNewTokens: 6,
  sftSteps: 4,
  sftBatch: 8,
  demonstrations: 32,
  perceptionGate: 0,
  envSteps: 32,
  envs: 4,
  rolloutSteps: 4,
  minibatch: 8,
  epochs: 1,
  evalEpisodes: 2,
  klStop: 100,
} as const satisfies Given<typeof trainOptions>;

export function tinyConfig(changes: Given<typeof trainOptions> = {}): TrainConfig {
  const { preset, ...others } = TINY;
  // A pretrained model has a size of its own.
  return resolveConfig({ ...changes.model === undefined && { preset }, ...others, ...changes }, numberLine);
}

/** The same as flags. */
export const TINY_FLAGS: readonly string[] = Object.entries(TINY).flatMap((
  [name, value],
) => [`--${toFlag(name)}`, String(value)]);

/** One iteration of PPO outside a run. */
export function ppoIteration(
  policy: Policy,
  optimizer: AdamW,
  rollout: Rollout,
  { config, iteration, learningRate }: { config: TrainConfig; iteration: number; learningRate: number },
) {
  return learn(ppo, rollout, config, learnContext(policy, optimizer, { iteration, learningRate })) as Promise<
    Required<LearnMetrics>
  >;
}

/** A folder that goes with the test. */
export class TempFolder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "ponder_test_" });
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Trains in this process, silently. `isStopped` is asked between updates, with the number and the text of the lines so far. */
export async function trainHere(
  out: string,
  config: TrainConfig,
  isStopped: (lines: number, metrics: string) => boolean = () => false,
): Promise<RunResult> {
  await using folder = await RunFolder.create(out, config);
  if (!config.resume) await folder.writeConfig(settingsOf(config));
  return await runTraining(config, {
    gpu: await testGpu(),
    environment: findEnvironment(config.env),
    algorithm: findAlgorithm(config.algorithm),
    folder,
    progress: new Progress({ write: () => {} }),
    isStopped: () => {
      const metrics = metricsOf(out);
      return isStopped(metrics.split("\n").length - 1, metrics);
    },
  });
}

/** The bytes of `metrics.jsonl` as text; empty where there is none. */
export function metricsOf(run: string): string {
  try {
    return Deno.readTextFileSync(`${run}/metrics.jsonl`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** A run folder with the checkpoint of an untrained model: enough for commands that only use it. */
export async function untrainedRun(
  path: string,
  changes: Given<typeof trainOptions> = {},
  environment: EnvironmentDefinition = numberLine,
): Promise<void> {
  const config = resolveConfig({ ...TINY, ...changes }, environment);
  await using folder = await RunFolder.create(path);
  await folder.writeConfig(settingsOf(config));
  const agent = newAgent(await testGpu(), environment, config);
  const optimizer = rlOptimizer(agent, config);
  await saveCheckpoint(folder, agent, optimizer, { ...START, stage: "done" });
}

/** Writes a checkpoint's manifest anew, as if its files had been written as they are. */
export async function signAgain(path: string): Promise<void> {
  const manifest = (await readManifest(path))!;
  const files: Record<string, FileDigest> = {};
  for (const name of Object.keys(manifest.files)) {
    files[name] = await digestOf(Deno.readFileSync(`${path}/${name}`));
  }
  Deno.writeTextFileSync(`${path}/manifest.json`, await encodeManifest({ ...manifest, files }));
}

/** What Deno is told before `commands/NAME.ts` to make the process send itself signals; see `signals_itself.ts`. */
export function signalsItself(name: Parameters<typeof taskArguments>[0]): string[] {
  const [run, ...others] = taskArguments(name);
  return [run, `--preload=${new URL("signals_itself.ts", import.meta.url).href}`, "--allow-run", ...others];
}

/** A command started as its task starts it; with `signals`, it sends itself these. */
export function startCommand(
  name: "train" | "eval" | "play" | "reproduce" | "check" | "compare",
  args: readonly string[],
  { env = {}, cwd = ROOT, signals }: {
    env?: Record<string, string>;
    cwd?: string | URL;
    signals?: string;
  } = {},
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...signals === undefined ? taskArguments(name) : signalsItself(name), ...args],
    cwd,
    // Relative paths start in `cwd`, wherever the tests were started.
    env: {
      NO_COLOR: "1",
      INIT_CWD: "",
      PONDER_CWD: "",
      ...signals !== undefined && { PONDER_TEST_SIGNALS: signals },
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Waits for a command. */
export async function outcomeOf(child: Deno.ChildProcess): Promise<Outcome> {
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

/** Runs a command in this process, silently, and returns how it ended. */
export async function runHere<O extends Options>(command: Command<O>, ...args: string[]) {
  let err = "";
  const console = { out: () => {}, err: (text: string) => void (err += text) };
  const { error, log } = globalThis.console;
  const { out } = processConsole;
  globalThis.console.error = globalThis.console.log = () => {};
  Object.assign(processConsole, { out: () => {} });
  try {
    return { code: await runCommand(command, args, { console }), err };
  } finally {
    Object.assign(globalThis.console, { error, log });
    Object.assign(processConsole, { out });
  }
}
