/**
 * The learner's side: its policy acts through workers. What an iteration collects is defined by its jobs, whoever does them, in
 * whatever order, and however often.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Response } from "../../model/mod.ts";
import type { Actor, Actors, EpisodeKind } from "../actors.ts";
import type { Agent } from "../agent.ts";
import type { CommonSettings } from "../config.ts";
import { CnnPolicy } from "../policies/mod.ts";
import type { Decision, Policy, RespondSettings, Situation } from "../policy.ts";
import { policyFiles } from "../run/checkpoint.ts";
import { CARD, encodeCard, readCard, type RunCard } from "./card.ts";
import type { Exchange, RunExchange } from "./exchange.ts";
import { JobQueue, type RemoteWork } from "./job_queue.ts";
import {
  type ExpectedResponses,
  hexDigest,
  type Job,
  promptsDigest,
  requireFitting,
  type Result,
} from "./jobs.ts";
import { decodeMessage } from "./message.ts";
import { safeWidth } from "./width.ts";
import { WeightPublisher } from "./weights.ts";

/** What the learner's side needs. */
export interface LearnerSettings {
  readonly exchange: Exchange;
  /** Name of the run at the exchange. */
  readonly name: string;
  /** Place of the run folder, which tells this run from others. */
  readonly place: string;
  readonly environment: EnvironmentDefinition;
  readonly config: CommonSettings;
  /** Identity of this program. */
  readonly program: string;
  readonly note: (text: string) => void;
  readonly isStopped: () => boolean;
}

/** What a result must be. */
interface Expected extends ExpectedResponses {
  readonly prompts: string;
  readonly weights: string;
}

/** Acts through workers. */
export class RemoteActors implements Actors, AsyncDisposable {
  readonly #settings: LearnerSettings;
  readonly #run: RunExchange;
  readonly #queue: JobQueue;
  readonly #weights: WeightPublisher;
  /** Widths of jobs that keep every bit, by the batch's width and the width that was wanted. */
  readonly #widths = new Map<string, number>();
  #card: Uint8Array | null = null;
  #isClosed = false;

  private constructor(settings: LearnerSettings, run: RunExchange) {
    const { exchange: { place }, note, isStopped } = settings;
    this.#settings = settings;
    this.#run = run;
    this.#weights = new WeightPublisher(run, "f32", 1);
    const restore = async () => {
      await this.#weights.restore();
      if (this.#card !== null) await run.put(CARD, this.#card);
    };
    this.#queue = new JobQueue({ run, place, note, isStopped, restore });
  }

  /**
   * Takes the run's name at the exchange, and begins to listen for results.
   *
   * @throws {Error} when another run has the name.
   */
  static async open(settings: LearnerSettings): Promise<RemoteActors> {
    const { exchange, name, place, config } = settings;
    if ((await exchange.runs()).includes(name)) {
      const run = await exchange.open(name);
      const earlier = await readEarlier(run);
      if (earlier !== null && earlier.id !== await idOf(place) && !config.overwrite) {
        throw new Error(
          `Cannot use the name ${name} at ${exchange.place}: the run ${earlier.place} has it since ${earlier.since}, ` +
            "choose another with --workers-name, or take it over with --overwrite",
        );
      }
      await run.remove();
    }
    const run = await exchange.open(name, { jobTimeoutMs: config.jobTimeout * 1000 });
    const actors = new RemoteActors(settings, run);
    await actors.#queue.start();
    return actors;
  }

  /** What workers did so far. */
  get work(): RemoteWork {
    return this.#queue.work;
  }

  async take(policy: Policy): Promise<void> {
    const before = this.#weights.version;
    await this.#weights.publish(policy);
    if (this.#weights.version !== before) this.work.weightBytes += this.#weights.latestBytes;
    if (this.#card !== null) return;
    const { config, environment, place, program } = this.#settings;
    const encoder = new TextEncoder();
    const files = Object.fromEntries(
      Object.entries(policyFiles(policy)).map(([name, text]) => [name, encoder.encode(text)]),
    );
    this.#card = await encodeCard({
      id: await idOf(place),
      ...{ place, since: new Date().toISOString(), ponder: program, adapter: policy.gpu.adapterName },
      environment: environment.name,
      isOwn: environment.reference !== environment.name,
      envSettings: config.envSettings,
      trainingSettings: config.trainingSettings,
      files,
    });
    // The weights are there already: a worker that finds the card can begin.
    await this.#run.put(CARD, this.#card);
  }

  actor(policy: Policy, kind: EpisodeKind): Actor {
    return { respond: (situations, settings) => this.#respond(policy, kind, situations, settings) };
  }

  async #respond(
    policy: Policy,
    kind: EpisodeKind,
    situations: readonly Situation[],
    settings: RespondSettings,
  ): Promise<Decision[]> {
    const startMs = performance.now();
    const width = await this.#width(policy, situations, settings);
    const { random, ...sampling } = settings;
    const parts: Promise<Decision[]>[] = [];
    for (let first = 0; first < situations.length; first += width) {
      parts.push(this.#part(policy, situations.slice(first, first + width), {
        ...sampling,
        version: this.#weights.version,
        episodes: kind,
        random: random.slice(2 * first, 2 * (first + width)),
      }));
    }
    const decisions = await Promise.all(parts);
    this.work.waitedMs += performance.now() - startMs;
    return decisions.flat();
  }

  async #part(
    policy: Policy,
    situations: readonly Situation[],
    job: Omit<Job, "id" | "rows">,
  ): Promise<Decision[]> {
    const prompts = situations.map((situation) => policy.promptOf(situation));
    const expected: Expected = {
      rows: situations.length,
      maxNewTokens: job.maxNewTokens,
      vocabularySize: vocabularyOf(policy),
      prompts: await promptsDigest(prompts),
      weights: this.#weights.digest(job.version),
    };
    const rows = situations.map(({ played }) => ({ ...played!, history: [...played!.history] }));
    const responses = await this.#queue.done({ ...job, rows }, (result) => this.#accept(result, expected));
    return situations.map((situation, i) => policy.decide(situation, prompts[i], responses[i]));
  }

  /** Responses of a result that can be trusted to answer its job; throws what is wrong with it. */
  #accept({ outcome, worker, weights }: Result, expected: Expected): readonly Response[] {
    const { name, ponder } = worker;
    const refuse = (why: string) =>
      new Error(`Cannot use what worker ${name} sent: ${why}, use the same ponder and model everywhere`);
    const { program } = this.#settings;
    if (ponder !== program) throw refuse(`it is ponder ${ponder}, this is ${program}`);
    if ("error" in outcome) throw new Error(`Worker ${name} failed: ${outcome.error}`);
    if (weights !== expected.weights) throw refuse("it acted with other weights");
    if (outcome.prompts !== expected.prompts) throw refuse("it saw other pictures or prompts");
    requireFitting(outcome.responses, expected);
    return outcome.responses;
  }

  /** Rows of a job: as few as keep every worker busy, but enough that each row has the same bits as in the whole batch. */
  async #width(policy: Policy, situations: readonly Situation[], settings: RespondSettings): Promise<number> {
    const whole = situations.length;
    const wanted = Math.max(1, Math.ceil(whole / Math.max(1, this.#queue.workers)));
    if (wanted >= whole) return whole;
    const key = `${whole} ${wanted}`;
    const width = this.#widths.get(key) ?? await safeWidth(policy, situations, settings, wanted);
    this.#widths.set(key, width);
    return width;
  }

  /** Ends the work. With `isOver`, the run's queues are removed, so that workers look for another run. */
  async close({ isOver }: { readonly isOver: boolean }): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.stop();
    if (isOver) await this.#run.remove().catch(() => {});
    else await this.#run.empty().catch(() => {});
    await this.#settings.exchange.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ isOver: false });
  }
}

/** Names a run by its place. */
function idOf(place: string): Promise<string> {
  return hexDigest(new TextEncoder().encode(place));
}

/** Ids of responses are below this. */
function vocabularyOf(policy: Policy): number {
  return policy instanceof CnnPolicy ? policy.actions.length : (policy as Agent).vlm.config.vocabularySize;
}

/** The card that is at a run's exchange; null if there is none that can be read. */
async function readEarlier(run: RunExchange): Promise<RunCard | null> {
  try {
    const bytes = await run.get(CARD);
    return bytes === null ? null : readCard(await decodeMessage(bytes));
  } catch {
    return null;
  }
}
