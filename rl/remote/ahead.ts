/**
 * Episodes that workers play to their ends: what the learner makes of them.
 *
 * The learner's own loop takes their responses turn by turn, as if it had asked for them. An episode is checked before that, by
 * playing it again here.
 *
 * @module
 */
import type { Environment } from "../../envs/mod.ts";
import type { Response, Segment } from "../../model/mod.ts";
import type { EpisodesAhead } from "../actors.ts";
import { Episode } from "../episode.ts";
import { eventLoopTurn } from "../event_loop.ts";
import type { Policy, RespondSettings, Situation, SlotState } from "../policy.ts";
import { namesDigest, type Places, type Played, promptName } from "./jobs.ts";
import { situationAt } from "./playing.ts";

/** Episodes of a job may be so many times those that are played side by side. Fewer places then wait for the last end. */
const ROUNDS = 2;

/** Most bytes of pictures that checking leaves for the loop. The others are drawn once more. */
const KEPT_BYTES = 1 << 28;

/** A turn of an episode that a worker played. */
export interface PlayedTurn {
  readonly response: Response;
  /** The prompt that it was written to; null if it was not kept. */
  prompt: readonly Segment[] | null;
}

/** Some of the episodes of a plan. */
export interface EpisodesPart {
  readonly rows: readonly SlotState[];
  /** (2 x rows) generator seed and first counter. */
  readonly random: Uint32Array;
}

/** Cuts a plan into jobs: as many as there are workers, or more, if a job would have more than two rounds. */
export function cutEpisodes(
  { seeds, random }: Pick<EpisodesAhead, "seeds" | "random">,
  side: number,
  workers: number,
): EpisodesPart[] {
  const wanted = Math.ceil(seeds.length / Math.max(1, workers));
  const size = Math.min(Math.max(wanted, side), ROUNDS * side);
  return Array.from({ length: Math.ceil(seeds.length / size) }, (_, part) => {
    const [from, to] = [part * size, (part + 1) * size];
    return {
      rows: seeds.slice(from, to).map((episodeSeed) => ({ episodeSeed, history: [] })),
      random: random.slice(2 * from, 2 * to),
    };
  });
}

/** Turns of episodes that somebody plays, or has played. */
export class EpisodesElsewhere {
  readonly #episodes = new Map<string, Promise<readonly PlayedTurn[]>>();
  readonly #turns = new Map<string, PlayedTurn>();
  #keptBytes = 0;

  /** Notes that these episodes are being played. `played` resolves to the turns of each. */
  add(
    { rows, random }: EpisodesPart,
    { greedy }: Pick<RespondSettings, "greedy">,
    played: Promise<readonly (readonly PlayedTurn[])[]>,
  ): void {
    const kept = played.then((episodes) => this.#keep(episodes));
    rows.forEach(({ episodeSeed }, row) => {
      const turns = kept.then((all) => all[row]);
      // It may fail before anybody asks for it.
      turns.catch(() => {});
      this.#episodes.set(nameOf(episodeSeed, greedy, random.subarray(2 * row)), turns);
    });
  }

  /** Adds turns of places, of which `random` has the samplers at the first of them. */
  addTurns(
    random: Uint32Array,
    { maxNewTokens }: Pick<RespondSettings, "maxNewTokens">,
    places: readonly (readonly PlayedTurn[])[],
  ): void {
    this.#keep(places).forEach((turns, p) =>
      turns.forEach((played, turn) => {
        const counter = (random[2 * p + 1] + turn * maxNewTokens) >>> 0;
        this.#turns.set(`${random[2 * p]} ${counter}`, played);
      })
    );
  }

  #keep<T extends readonly (readonly PlayedTurn[])[]>(episodes: T): T {
    for (const turn of episodes.flat()) {
      this.#keptBytes += bytesOf(turn);
      if (this.#keptBytes > KEPT_BYTES) this.#forget(turn);
    }
    return episodes;
  }

  /** Takes the turns in these situations; null unless all were added. A prompt can be taken once. */
  take(situations: readonly Situation[], settings: RespondSettings): Promise<PlayedTurn[]> | null {
    const { random, greedy, maxNewTokens } = settings;
    const found = situations.map(({ played }, i) => {
      const known = this.#turns.get(`${random[2 * i]} ${random[2 * i + 1]}`);
      if (known !== undefined && !greedy) return { episode: [known], turn: 0 };
      const turn = played!.history.length;
      const start = [random[2 * i], (random[2 * i + 1] - turn * maxNewTokens) >>> 0];
      const episode = this.#episodes.get(nameOf(played!.episodeSeed, greedy, start));
      return episode && { episode, turn };
    });
    if (found.length === 0 || !found.every((each) => each !== undefined)) return null;
    return Promise.all(found.map(async ({ episode, turn }) => {
      const taken = (await episode)[turn];
      const { response, prompt } = taken;
      this.#forget(taken);
      return { response, prompt };
    }));
  }

  #forget(turn: PlayedTurn): void {
    this.#keptBytes -= bytesOf(turn);
    turn.prompt = null;
  }
}

function bytesOf({ prompt }: PlayedTurn): number {
  return (prompt ?? []).reduce(
    (sum, part) => sum + (part.kind === "image" ? part.picture.pixels.length : 0),
    0,
  );
}

/** Names an episode by its deal and its sampler. The most likely tokens do not depend on a sampler. */
function nameOf(episodeSeed: number, greedy: boolean, random: ArrayLike<number>): string {
  return greedy ? `${episodeSeed}` : `${episodeSeed} ${random[0]} ${random[1]}`;
}

/**
 * Plays episodes again with the responses of a worker, and returns the turns of each.
 *
 * @throws {SyntaxError} saying which episode does not end with its last response, or that the prompts are others.
 */
export async function requireSameEpisodes(
  policy: Policy,
  env: Environment,
  rows: readonly SlotState[],
  { responses, turns, prompts }: Required<Played>,
): Promise<PlayedTurn[][]> {
  const names: string[] = [], episodes: PlayedTurn[][] = [];
  let first = 0;
  for (const [row, { episodeSeed }] of rows.entries()) {
    const episode = new Episode(env, row, episodeSeed);
    let isOver = false;
    const played: PlayedTurn[] = [];
    for (const response of responses.slice(first, first += turns[row])) {
      if (isOver) {
        throw new SyntaxError(`it went on after turn ${episode.steps}, the last of episode ${episodeSeed}`);
      }
      const prompt = policy.promptOf(episode);
      names.push(promptName(prompt));
      played.push({ response, prompt });
      const { action } = policy.decide(episode, prompt, response).parse;
      const { terminated, truncated } = episode.step(action ?? env.randomAction(), action === null);
      isOver = terminated || truncated;
    }
    if (!isOver) {
      throw new SyntaxError(`it left episode ${episodeSeed} after turn ${episode.steps}, before its end`);
    }
    episodes.push(played);
    // Signals and other results must get their turn.
    if (row % 16 === 15) await eventLoopTurn();
  }
  if (await namesDigest(names) !== prompts) throw new SyntaxError("it saw other pictures or prompts");
  return episodes;
}

/**
 * Plays places again with the responses of a worker, and returns the turns of each.
 *
 * @throws {SyntaxError} saying which place was left too early or too late, or that the prompts are others.
 */
export async function requireSamePlaces(
  policy: Policy,
  make: () => Environment,
  rows: readonly SlotState[],
  { next, turns: most }: Places,
  { responses, turns, prompts }: Required<Played>,
): Promise<PlayedTurn[][]> {
  const now: (Situation | null)[] = rows.map((row) => situationAt(make(), row));
  const names: string[][] = rows.map(() => []), places: PlayedTurn[][] = rows.map(() => []);
  const first: number[] = [];
  turns.reduce((sum, count, p) => (first[p] = sum) + count, 0);
  let begun = 0;
  for (let turn = 0; turn < most && now.some((situation) => situation !== null); turn++) {
    now.forEach((situation, p) => {
      if (situation === null) return;
      if (turn === turns[p]) throw new SyntaxError(`it left place ${p} after turn ${turn}, before its end`);
      const response = responses[first[p] + turn];
      const prompt = policy.promptOf(situation);
      names[p].push(promptName(prompt));
      places[p].push({ response, prompt });
      const { env } = situation;
      const { action } = policy.decide(situation, prompt, response).parse;
      const state = env.step(action ?? env.randomAction());
      if (!state.terminated && !state.truncated) {
        now[p] = { env, info: state.info, observation: state.observation };
      } else {
        now[p] = begun < next.length ? situationAt(env, { episodeSeed: next[begun++], history: [] }) : null;
      }
    });
    // Signals and other results must get their turn.
    await eventLoopTurn();
  }
  const long = turns.findIndex((count, p) => count !== places[p].length);
  if (long >= 0) {
    throw new SyntaxError(`it went on after turn ${places[long].length}, the last of place ${long}`);
  }
  if (await namesDigest(names.flat()) !== prompts) throw new SyntaxError("it saw other pictures or prompts");
  return places;
}
