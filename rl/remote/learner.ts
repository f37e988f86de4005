/**
 * The learner's side: its policy acts through workers. What an iteration collects is defined by its jobs, whoever does them, in
 * whatever order, and however often.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import { type ActingWeights, type Actor, type Actors, type EpisodeKind, formOf } from "../actors.ts";
import type { Agent } from "../agent.ts";
import type { CommonSettings } from "../config.ts";
import { evaluationEnvSettings, trainingEnvSettings } from "../env_settings.ts";
import type { Learners } from "../gradients.ts";
import { CnnPolicy } from "../policies/mod.ts";
import type { Decision, Policy, RespondSettings, Situation, SlotState } from "../policy.ts";
import { policyFiles } from "../run/checkpoint.ts";
import {
  cutEpisodes,
  EpisodesElsewhere,
  type PlayedTurn,
  requireSameEpisodes,
  requireSamePlaces,
} from "./ahead.ts";
import { CARD, encodeCard, readCard, type RunCard } from "./card.ts";
import type { Exchange, RunExchange } from "./exchange.ts";
import { JobQueue, type RemoteWork } from "./job_queue.ts";
import {
  encodeJob,
  type ExpectedResponses,
  hexDigest,
  type Job,
  type Played,
  promptsDigest,
  requireFitting,
  type Result,
  type WorkerName,
} from "./jobs.ts";
import { decodeMessage } from "./message.ts";
import { encodeShare, placesOf, readGradient } from "./shares.ts";
import { kernelChoiceOf } from "./tuning.ts";
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

/** Most turns of a job, and milliseconds that it should take: little is lost with a worker then, and others can join. */
const MOST_TURNS = 16;
const JOB_MS = 10_000;

/** What a result must be. */
interface Expected extends ExpectedResponses {
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
  /** Milliseconds that a turn of a lone worker took at last; before it is known, such that a job has four. */
  #turnMs = JOB_MS / 4;
  #card: Uint8Array | null = null;
  #isClosed = false;

  private constructor(settings: LearnerSettings, run: RunExchange) {
    const { exchange: { place }, note, isStopped } = settings;
    this.#settings = settings;
    this.#run = run;
    this.#weights = new WeightPublisher(run, keptVersions(settings.config));
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

  async take(policy: Policy, kind: EpisodeKind): Promise<void> {
    await this.#publish(policy, formOf(kind, this.#settings.config));
    if (this.#card !== null) return;
    const { config, environment, place, program } = this.#settings;
    const encoder = new TextEncoder();
    const files = Object.fromEntries(
      Object.entries(policyFiles(policy)).map(([name, text]) => [name, encoder.encode(text)]),
    );
    this.#card = await encodeCard({
      id: await idOf(place),
      ...{ place, since: new Date().toISOString(), ponder: program, adapter: policy.gpu.adapterName },
      kernels: kernelChoiceOf(policy.gpu),
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
    const how = { version: this.#weights.version, episodes: kind };
    const elsewhere = new EpisodesElsewhere();
    return {
      respond: async (situations, settings) => {
        const startMs = performance.now();
        const turns = await elsewhere.take(situations, settings);
        if (turns === null) return await this.#respond(policy, how, situations, settings);
        this.work.waitedMs += performance.now() - startMs;
        return turns.map(({ response, prompt }, i) =>
          policy.decide(situations[i], prompt ?? policy.promptOf(situations[i]), response)
        );
      },
      playAhead: async (plan) => {
        const { situations, seeds: _, random, ...sampling } = plan;
        const side = await this.#width(policy, situations, {
          ...sampling,
          random: Uint32Array.from({ length: 2 * situations.length }, (_, i) => random[i % random.length]),
        });
        for (const part of cutEpisodes(plan, side, this.#queue.workers)) {
          elsewhere.add(part, sampling, this.#play(policy, { ...part, ...sampling, ...how, side }));
        }
      },
      playOn: async ({ situations, next, envs: side, turns: most, ...settings }) => {
        const { random } = settings;
        const width = await this.#width(
          policy,
          Array.from({ length: side }, (_, i) => situations[i % situations.length]),
          {
            ...settings,
            random: Uint32Array.from({ length: 2 * side }, (_, i) => random[i % random.length]),
          },
        );
        // Several workers share the places: each end of an episode in one part decides about the deals of another.
        if (width < side) return 0;
        const startMs = performance.now();
        const soon = Math.max(1, Math.floor(JOB_MS / this.#turnMs));
        const places = { next, turns: Math.min(most, MOST_TURNS, soon) };
        const rows = situations.map(rowOf);
        const played = await this.#play(policy, { ...settings, ...how, rows, side, places });
        elsewhere.addTurns(random, settings, played);
        const turns = Math.max(...played.map(({ length }) => length));
        const elapsedMs = performance.now() - startMs;
        this.#turnMs = elapsedMs / turns;
        this.work.waitedMs += elapsedMs;
        return turns;
      },
    };
  }

  /** Has rows played on, and returns the turns of each. */
  #play(policy: Policy, job: Omit<Job, "id">): Promise<PlayedTurn[][]> {
    const { environment, config } = this.#settings;
    const { rows, places, episodes } = job;
    const settingsOf = episodes === "training" ? trainingEnvSettings : evaluationEnvSettings;
    const envSettings = settingsOf(environment, config);
    const make = () => environment.make(envSettings);
    const expected = this.#expected(policy, job, { rows: rows.length, isWhole: true });
    return this.#queue.done(
      (id) => encodeJob({ id, ...job }),
      async (result) => {
        const played = this.#played(result, expected) as Required<Played>;
        try {
          return places === undefined
            ? await requireSameEpisodes(policy, make(), rows, played)
            : await requireSamePlaces(policy, make, rows, places, played);
        } catch (error) {
          throw foreign(result.worker, (error as Error).message);
        }
      },
    );
  }

  #expected(
    policy: Policy,
    { version, maxNewTokens }: Pick<Job, "version" | "maxNewTokens">,
    rows: Pick<ExpectedResponses, "rows" | "isWhole">,
  ): Expected {
    const vocabularySize = vocabularyOf(policy);
    return { ...rows, maxNewTokens, vocabularySize, weights: this.#weights.digest(version) };
  }

  async #respond(
    policy: Policy,
    how: Pick<Job, "version" | "episodes">,
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
        ...how,
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
    const seen = await promptsDigest(prompts);
    const expected = this.#expected(policy, job, { rows: situations.length });
    const rows = situations.map(rowOf);
    const responses = await this.#queue.done(
      (id) => encodeJob({ id, ...job, rows }),
      (result) => {
        const played = this.#played(result, expected);
        if (played.prompts !== seen) throw foreign(result.worker, "it saw other pictures or prompts");
        return played.responses;
      },
    );
    return situations.map((situation, i) => policy.decide(situation, prompts[i], responses[i]));
  }

  /** Responses of a result that may answer its job, their prompts aside; throws what is wrong with it. */
  #played(result: Result, expected: Expected): Played {
    const { outcome, worker } = this.#trusted(result, expected.weights);
    if (!("responses" in outcome)) throw foreign(worker, "it is no answer to a job of acting");
    requireFitting(outcome, expected);
    return outcome;
  }

  /** A result of the same ponder with the right weights; throws what is wrong with it. */
  #trusted(result: Result, expected: string): Result {
    const { outcome, worker, weights } = result;
    const { program } = this.#settings;
    if (worker.ponder !== program) throw foreign(worker, `it is ponder ${worker.ponder}, this is ${program}`);
    if ("error" in outcome) throw new Error(`Worker ${worker.name} failed: ${outcome.error}`);
    if (weights !== expected) throw foreign(worker, "it used other weights");
    return result;
  }

  /** Computes the gradients of shares of a minibatch, with the policy's weights of now. */
  get learners(): Learners {
    return {
      gradients: async (policy, shares, whole) => {
        const version = await this.#publish(policy, "f32");
        const { parameters } = policy;
        const learning = parameters.list.filter(({ name }) => parameters.get(name).requiresGradient);
        const places = placesOf(parameters, learning.map(({ name }) => name));
        const weights = this.#weights.digest(version);
        return await Promise.all(shares.map((samples) =>
          this.#queue.done(
            (id) => encodeShare({ id, version, learning: learning.map(({ name }) => name), whole, samples }),
            (result) => {
              const { outcome, worker } = this.#trusted(result, weights);
              if (!("gradient" in outcome)) throw foreign(worker, "it is no gradient");
              return readGradient(outcome.gradient, places, parameters.values.length);
            },
          )
        ));
      },
    };
  }

  /** Publishes the weights if they have changed, and returns their version. */
  async #publish(policy: Policy, form: ActingWeights): Promise<number> {
    const version = await this.#weights.publish(policy, form);
    this.work.weightBytes = this.#weights.sentBytes;
    return version;
  }

  /** Rows of a job: as few as keep every worker busy, but enough that each row has the same bits as in the whole batch. */
  async #width(policy: Policy, situations: readonly Situation[], settings: RespondSettings): Promise<number> {
    const whole = situations.length;
    const wanted = Math.max(1, Math.ceil(whole / Math.max(1, this.#queue.workers)));
    if (wanted >= whole) return whole;
    const key = `${whole} ${wanted}`;
    const known = this.#widths.get(key);
    if (known !== undefined) return known;
    // While the policy learns it cannot be asked; the first widths are found before that.
    const other = [...this.#widths].find(([each]) => each.startsWith(`${whole} `));
    if (this.#settings.config.staleness > 0 && other !== undefined) return other[1];
    const width = await safeWidth(policy, situations, settings, wanted);
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

/** How an episode came to its state, as it is now. */
function rowOf({ played }: Situation): SlotState {
  return { ...played!, history: [...played!.history] };
}

/** Versions before the latest that jobs may still name. With several learners every minibatch has one. */
function keptVersions({ staleness, learners, envs, minibatch, epochs }: CommonSettings): number {
  // The steps of an iteration are not known here; 64 of every environment are more than any preset has.
  const perIteration = learners === 1 ? 1 : Math.ceil(64 * envs / minibatch) * epochs;
  return staleness === 0 ? 1 : (staleness + 1) * perIteration;
}

/** An error that names a worker. */
function foreign({ name }: WorkerName, why: string): Error {
  return new Error(`Cannot use what worker ${name} sent: ${why}, use the same ponder and model everywhere`);
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
