/**
 * A worker: takes jobs of a run, acts with the run's weights, and sends its responses back.
 *
 * It runs nothing but this program. What comes over the wire are settings, a tokenizer, weights and seeds.
 *
 * @module
 */
import type { EnvironmentDefinition, EnvironmentSettings } from "../../envs/mod.ts";
import type { Gpu } from "../../kernels/gpu/mod.ts";
import type { Response } from "../../model/mod.ts";
import type { EpisodeKind } from "../actors.ts";
import { shareGradient } from "../gradients.ts";
import { readEnvSettings } from "../env_settings.ts";
import type { Policy, Situation, SlotState } from "../policy.ts";
import { loadPolicy } from "../run/checkpoint.ts";
import { Stopped } from "../run/stop.ts";
import { type ModelPlace, openSameBase } from "./base.ts";
import { CARD, readCard, type RunCard } from "./card.ts";
import type { Exchange, RunExchange, Taken } from "./exchange.ts";
import { encodeResult, type Job, promptsDigest, readJob, type Result, type WorkerName } from "./jobs.ts";
import { LIFE_MS, withTurns } from "./life.ts";
import { decodeMessage } from "./message.ts";
import { goOn, playEpisodes, playPlaces, situationAt } from "./playing.ts";
import { gradientParts, placesOf, readShare, type ShareJob } from "./shares.ts";
import { takeKernelChoice } from "./tuning.ts";
import { WeightReader } from "./weights.ts";

/** Milliseconds between looks for a run. */
const LOOK_MS = 500;
/** Most environments that are kept in the midst of an episode. */
const MOST_KEPT = 1024;

/** What a worker needs. */
export interface WorkerSettings extends ModelPlace {
  readonly exchange: Exchange;
  /** The run to work for; any when absent. */
  readonly run?: string;
  /** Ends when that run ends. */
  readonly once: boolean;
  readonly name: string;
  /** Identity of this program. */
  readonly program: string;
  readonly openGpu: () => Promise<Gpu>;
  /** Names of all variants of kernels. */
  readonly knownVariants: () => Promise<readonly string[]>;
  /** Finds the environment that the run names; throws if this machine has none. */
  readonly environmentOf: (card: Pick<RunCard, "environment" | "isOwn">) => Promise<EnvironmentDefinition>;
  readonly note: (text: string) => void;
  readonly isStopped: () => boolean;
}

/** How a run was left. */
type Leaving = "over" | "changed" | "stopped";

/**
 * Works until it is stopped, or with `once` until the run is over. Returns the number of jobs done.
 *
 * @throws {Error} when the run is of another version of ponder, or needs an environment that is not here.
 */
export async function work(settings: WorkerSettings): Promise<number> {
  const { exchange, note, isStopped, once } = settings;
  let jobs = 0, isTold = false;
  while (!isStopped()) {
    const found = await findRun(settings);
    if (found === null) {
      if (!isTold) {
        note(
          `Waiting for ${
            settings.run === undefined ? "a run" : `the run ${settings.run}`
          } at ${exchange.place}`,
        );
      }
      isTold = true;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      continue;
    }
    isTold = false;
    const gpu = await settings.openGpu();
    try {
      const session = await openSession(found, gpu, settings);
      if (session === null) continue;
      const leaving = await session.serve();
      jobs += session.jobs;
      note(`Did ${session.jobs} jobs of ${found.run.name}`);
      if (leaving === "over" && once) break;
    } finally {
      gpu.destroy();
    }
  }
  return jobs;
}

interface FoundRun {
  readonly run: RunExchange;
  readonly card: RunCard;
}

async function findRun({ exchange, run: wanted }: WorkerSettings): Promise<FoundRun | null> {
  const names = await exchange.runs();
  for (const name of wanted === undefined ? names : names.filter((name) => name === wanted)) {
    const run = await exchange.open(name);
    const card = await cardOf(run);
    if (card !== null) return { run, card };
  }
  return null;
}

/** Joins a run; null if its learner removed or replaced it meanwhile. */
async function openSession(found: FoundRun, gpu: Gpu, settings: WorkerSettings): Promise<Session | null> {
  try {
    return await Session.open(found, gpu, settings);
  } catch (error) {
    const now = await cardOf(found.run);
    if (now === null || now.since !== found.card.since) return null;
    throw error;
  }
}

/** Prepares a worker for a run. If it cannot work for it, the learner is told why. */
async function telling<T>(run: RunExchange, worker: string, prepare: () => Promise<T>): Promise<T> {
  try {
    return await prepare();
  } catch (error) {
    run.tell(`Refused worker ${worker}: ${(error as Error).message}`);
    throw error;
  }
}

/** The card of a run; null while there is none. */
async function cardOf(run: RunExchange): Promise<RunCard | null> {
  let bytes: Uint8Array | null;
  try {
    bytes = await run.get(CARD);
  } catch {
    return null;
  }
  return bytes === null ? null : readCard(await decodeMessage(bytes));
}

/** Work for one run, until its learner begins anew or ends. */
class Session {
  jobs = 0;
  #version = 0;
  #digest = "";
  /** Names of the parameters that have gradients. */
  #learning = "";
  readonly #weights: WeightReader;
  readonly #kept = new Map<string, Situation>();

  private constructor(
    readonly found: FoundRun,
    readonly policy: Policy,
    readonly environment: EnvironmentDefinition,
    readonly settings: WorkerSettings,
    weights: WeightReader,
    readonly me: WorkerName,
  ) {
    this.#weights = weights;
    withTurns(policy.gpu);
  }

  static async open(found: FoundRun, gpu: Gpu, settings: WorkerSettings): Promise<Session> {
    const { card, run } = found;
    const me = { name: settings.name, ponder: settings.program, adapter: gpu.adapterName };
    if (card.ponder !== settings.program) {
      run.tell(`Refused worker ${me.name}: it is ponder ${me.ponder}`);
      throw new Error(
        `Cannot work for ${run.name}: its learner is ponder ${card.ponder}, this is ${settings.program}; ` +
          "use the same sources on every machine",
      );
    }
    const environment = await settings.environmentOf(card);
    const base = await telling(run, me.name, async () => {
      if (card.adapter === me.adapter) {
        await takeKernelChoice(gpu, run.name, card.kernels, settings.knownVariants);
      }
      return await openSameBase(card, settings);
    });
    const weights = new WeightReader(run);
    const files = { ...card.files, "model.safetensors": await weights.first() };
    const path = `the model of ${run.name}`;
    const policy = await loadPolicy(
      gpu,
      {
        path,
        manifest: null,
        read: <Name extends string>(...names: Name[]) => {
          const missing = names.find((name) => !Object.hasOwn(files, name));
          if (missing !== undefined) {
            return Promise.reject(new SyntaxError(`Cannot load ${path}: it has no ${missing}`));
          }
          const read = names.map((name) => [name, (files as Record<string, Uint8Array<ArrayBuffer>>)[name]]);
          return Promise.resolve(Object.fromEntries(read) as Record<Name, Uint8Array<ArrayBuffer>>);
        },
      },
      environment.make(readEnvSettings(environment, card.envSettings)),
      { base },
    );
    const session = new Session(found, policy, environment, settings, weights, me);
    session.#digest = (await weights.read(0)).digest;
    const adapter = card.adapter === me.adapter
      ? ""
      : `; its adapter is ${me.adapter}, the learner's ${card.adapter}`;
    run.tell(`Worker ${me.name} has come${adapter}`);
    settings.note(`Working for ${run.name} (${card.environment}, ${card.place}) on ${me.adapter}`);
    return session;
  }

  /** Does jobs until the run is over or its learner began anew. */
  async serve(): Promise<Leaving> {
    const { found: { run, card }, settings: { isStopped } } = this;
    while (!isStopped()) {
      let taken: Taken | null;
      try {
        taken = await run.take("jobs");
      } catch {
        taken = null;
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      if (taken !== null) {
        await this.#do(taken);
        continue;
      }
      const now = await cardOf(run);
      if (now === null && !(await this.settings.exchange.runs()).includes(run.name)) return "over";
      if (now !== null && (now.id !== card.id || now.since !== card.since)) return "changed";
    }
    run.tell(`Worker ${this.me.name} goes`);
    return "stopped";
  }

  async #do(taken: Taken): Promise<void> {
    const { found: { run }, settings: { note } } = this;
    const startMs = performance.now();
    let id: string;
    let outcomeOf: () => Promise<Result["outcome"]>;
    try {
      const message = await decodeMessage(taken.bytes);
      if (message.kind === "share") {
        const share = readShare(message);
        [id, outcomeOf] = [share.id, () => this.#learn(share)];
      } else {
        const job = readJob(message);
        [id, outcomeOf] = [job.id, () => this.#act(job)];
      }
    } catch (error) {
      note(`${(error as Error).message}; it is dropped`);
      taken.done();
      return;
    }
    const alive = setInterval(() => taken.working(), LIFE_MS);
    try {
      const outcome = await this.#guarded(id, outcomeOf);
      const ms = performance.now() - startMs;
      const result: Result = { id, worker: this.me, weights: this.#digest, outcome, ms };
      // One result of each worker for each delivery; the learner drops duplicates.
      await run.publish("results", crypto.randomUUID(), await encodeResult(result));
      taken.done();
      this.jobs++;
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      taken.giveBack();
    } finally {
      clearInterval(alive);
    }
  }

  /** Writes the responses of a job. */
  async #act({ version, rows, episodes, ...settings }: Job): Promise<Result["outcome"]> {
    await this.#take(version);
    const { side, places } = settings;
    if (side !== undefined) {
      const { policy, settings: { isStopped } } = this;
      const envSettings = this.#envSettings(episodes);
      const playing = { policy, isStopped, make: () => this.environment.make(envSettings) };
      if (places !== undefined) return await playPlaces({ ...settings, rows, side, places }, playing);
      return await playEpisodes({ ...settings, rows, side }, playing);
    }
    const situations = rows.map((row) => this.#situation(episodes, row));
    const decisions = await this.policy.respond(situations, settings);
    const responses: Response[] = decisions.map(({ response }) => response);
    return { responses, prompts: await promptsDigest(decisions.map(({ prompt }) => prompt)) };
  }

  /** Computes the gradient of a share. */
  async #learn({ version, learning, samples, whole }: ShareJob): Promise<Result["outcome"]> {
    await this.#take(version);
    const { parameters } = this.policy;
    const places = placesOf(parameters, learning);
    if (learning.join() !== this.#learning) {
      const names = new Set(learning);
      parameters.train(({ name }) => names.has(name));
      this.#learning = learning.join();
    }
    return { gradient: gradientParts(await shareGradient(this.policy, samples, whole), places) };
  }

  /** Does `work`; what goes wrong in it is told to the learner. */
  async #guarded(id: string, work: () => Promise<Result["outcome"]>): Promise<Result["outcome"]> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Stopped) throw error;
      // A fault of the device shows as results that make no sense; this worker ends with it.
      await this.policy.gpu.settle();
      this.settings.note(`Job ${id}: ${(error as Error).message}`);
      return { error: (error as Error).message.slice(0, 4000) };
    }
  }

  /** Acts with the weights of that version from now on. */
  async #take(version: number): Promise<void> {
    if (version === this.#version) return;
    const { tensors, digest } = await this.#weights.read(version);
    const { parameters, gpu } = this.policy;
    for (const [name, { data }] of tensors) gpu.write(parameters.get(name).data, data);
    [this.#version, this.#digest] = [version, digest];
  }

  /** Finds an episode at the state to respond to, as an earlier job left it; else plays it again from its beginning. */
  #situation(kind: EpisodeKind, { episodeSeed, history }: SlotState): Situation {
    const keyOf = (length: number) =>
      [
        kind,
        episodeSeed,
        ...history.slice(0, length).map(({ action, isRandom }) => isRandom ? ~action : action),
      ].join();
    const key = keyOf(history.length);
    const before = history.length === 0 ? undefined : this.#kept.get(keyOf(history.length - 1));
    if (before !== undefined) this.#kept.delete(keyOf(history.length - 1));
    let situation = this.#kept.get(key);
    if (situation === undefined) {
      situation = before === undefined
        ? situationAt(this.environment.make(this.#envSettings(kind)), { episodeSeed, history })
        : goOn(before, history.slice(-1));
    }
    this.#kept.delete(key);
    this.#kept.set(key, situation);
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return situation;
  }

  #envSettings(kind: EpisodeKind): EnvironmentSettings {
    const { envSettings, trainingSettings } = this.found.card;
    const items = kind === "training" ? [...envSettings, ...trainingSettings] : envSettings;
    return readEnvSettings(this.environment, items);
  }
}
