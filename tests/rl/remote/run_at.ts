/** Runs with a server, and workers, in this process. */
import { knownVariants } from "../../../bench/cases.ts";
import { findEnvironment } from "../../../envs/mod.ts";
import { type Gpu, openGpu } from "../../../kernels/gpu/mod.ts";
import { findAlgorithm } from "../../../rl/algorithms/mod.ts";
import type { Progress } from "../../../rl/cli/mod.ts";
import { resolveConfig, settingsOf } from "../../../rl/config.ts";
import type { Exchange } from "../../../rl/remote/exchange.ts";
import { connectTo, programName, trainWithWorkers, work } from "../../../rl/remote/mod.ts";
import { RunFolder } from "../../../rl/run/folder.ts";
import type { RunResult } from "../../../rl/run/state.ts";
import { testGpu } from "../../gpu.ts";
import type { NatsServer } from "../../nats.ts";
import { TINY } from "../tiny_run.ts";

/** Trains in this process; notes and lines come to `on`. */
export async function trainAt(
  server: Pick<NatsServer, "url">,
  out: string,
  given: Readonly<Record<string, unknown>>,
  { onNote = () => {}, onLine = () => {}, isStopped = () => false }: {
    onNote?: (text: string) => void;
    onLine?: (stage: string) => void;
    isStopped?: () => boolean;
  } = {},
): Promise<RunResult> {
  const settings = { ...given, workers: server.url };
  const environment = findEnvironment(String(given.env ?? "NumberLine"));
  const algorithm = findAlgorithm(String(given.algorithm ?? "ppo"));
  const config = resolveConfig(settings, environment, algorithm);
  await using folder = await RunFolder.create(out, config);
  if (!config.resume) await folder.writeConfig(settingsOf(config));
  const progress = { update: () => {}, note: onNote };
  return await trainWithWorkers(config, {
    ...{ gpu: await testGpu(), environment, algorithm, folder, isStopped },
    progress: progress as unknown as Progress,
    onLine: ({ stage }) => onLine(stage),
  });
}

/** A run that is just long enough: the smallest, with one iteration and one held-out episode after each stage. */
export const SHORT = { ...TINY, sftSteps: 1, demonstrations: 8, envSteps: 16, evalEpisodes: 1 } as const;

const devices: Gpu[] = [];

/** A device that stays open, so that its kernels are compiled once in a file of tests. */
async function device(i: number): Promise<Gpu> {
  devices[i] ??= await openGpu();
  Object.defineProperty(devices[i], "destroy", { value: () => {}, configurable: true });
  return devices[i];
}

interface WorkersSettings {
  /** Makes another machine of a device before it is used. */
  readonly change?: (gpu: Gpu) => Gpu;
  /** Folder of their pretrained model. */
  readonly model?: string;
}

/** Workers in this process, each with a device of its own, until they are disposed of. */
export class WorkersHere implements AsyncDisposable {
  #isStopped = false;
  readonly #connections: Exchange[] = [];
  readonly notes: string[] = [];
  readonly #working: Promise<unknown>;

  constructor(
    server: Pick<NatsServer, "url">,
    names: readonly string[],
    { change = (gpu) => gpu, model = "none" }: WorkersSettings = {},
  ) {
    this.#working = Promise.all(names.map(async (name, i) => {
      await using exchange = await connectTo(server.url, { flag: "--nats", note: () => {} });
      this.#connections.push(exchange);
      await work({
        ...{ exchange, once: false, name, program: await programName() },
        note: (text) => this.notes.push(text),
        isStopped: () => this.#isStopped,
        openGpu: async () => change(await device(i)),
        knownVariants: () => Promise.resolve(knownVariants()),
        modelOf: () => model,
        environmentOf: ({ environment }) => Promise.resolve(findEnvironment(environment)),
      });
    }));
    this.#working.catch(() => {});
  }

  /** Rejects when a worker ended with an error. */
  get failed(): Promise<never> {
    return this.#working.then(() => new Promise<never>(() => {}));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    // One that waits for a job would wait for seconds.
    for (const connection of this.#connections) await connection.close();
    await this.#working.catch(() => {});
  }
}
