/**
 * Episodes that workers play to their ends: what the learner makes of them.
 *
 * The learner's own loop takes their responses turn by turn, as if it had asked for them. An episode is checked before that, by
 * playing it again here.
 *
 * @module
 */
import type { Environment } from "../../envs/mod.ts";
import type { Response } from "../../model/mod.ts";
import type { EpisodesAhead } from "../actors.ts";
import { eventLoopTurn } from "../event_loop.ts";
import type { Policy, RespondSettings, Situation, SlotState } from "../policy.ts";
import { namesDigest, type Played, promptName } from "./jobs.ts";

/** Episodes of a job may be so many times those that are played side by side. Fewer places then wait for the last end. */
const ROUNDS = 2;

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

/** Responses of episodes that somebody plays, or has played. */
export class EpisodesElsewhere {
  readonly #episodes = new Map<string, Promise<readonly Response[]>>();

  /** Notes that these episodes are being played. `played` resolves to the responses of each. */
  add(
    { rows, random }: EpisodesPart,
    { greedy }: Pick<RespondSettings, "greedy">,
    played: Promise<readonly (readonly Response[])[]>,
  ): void {
    rows.forEach(({ episodeSeed }, row) => {
      const responses = played.then((all) => all[row]);
      // It may fail before anybody asks for it.
      responses.catch(() => {});
      this.#episodes.set(nameOf(episodeSeed, greedy, random.subarray(2 * row)), responses);
    });
  }

  /** The responses to these situations; null unless all belong to episodes that were added. */
  find(situations: readonly Situation[], settings: RespondSettings): Promise<Response[]> | null {
    const { random, greedy, maxNewTokens } = settings;
    const found = situations.map(({ played }, i) => {
      const turn = played!.history.length;
      const start = [random[2 * i], (random[2 * i + 1] - turn * maxNewTokens) >>> 0];
      const episode = this.#episodes.get(nameOf(played!.episodeSeed, greedy, start));
      return episode && { episode, turn };
    });
    if (found.length === 0 || !found.every((each) => each !== undefined)) return null;
    return Promise.all(found.map(async ({ episode, turn }) => (await episode)[turn]));
  }
}

/** Names an episode by its deal and its sampler. The most likely tokens do not depend on a sampler. */
function nameOf(episodeSeed: number, greedy: boolean, random: ArrayLike<number>): string {
  return greedy ? `${episodeSeed}` : `${episodeSeed} ${random[0]} ${random[1]}`;
}

/**
 * Plays episodes again with the responses of a worker, and returns these by episode.
 *
 * @throws {Error} saying which episode does not end with its last response, or that the prompts are others.
 */
export async function requireSameEpisodes(
  policy: Policy,
  env: Environment,
  rows: readonly SlotState[],
  { responses, turns, prompts }: Required<Played>,
): Promise<Response[][]> {
  const names: string[] = [];
  let first = 0;
  const episodes: Response[][] = [];
  for (const [row, { episodeSeed }] of rows.entries()) {
    const own = responses.slice(first, first += turns[row]);
    episodes.push(own);
    let state: Omit<Situation, "env"> = env.reset({ seed: episodeSeed });
    let isOver = false;
    for (const [turn, response] of own.entries()) {
      if (isOver) throw new Error(`it went on after turn ${turn}, the last of episode ${episodeSeed}`);
      const { observation, info } = state;
      const situation = { env, observation, info };
      const prompt = policy.promptOf(situation);
      names.push(promptName(prompt));
      const { action } = policy.decide(situation, prompt, response).parse;
      const next = env.step(action ?? env.randomAction());
      [state, isOver] = [next, next.terminated || next.truncated];
    }
    if (!isOver) throw new Error(`it left episode ${episodeSeed} after turn ${own.length}, before its end`);
    // Signals and other results must get their turn.
    if (row % 16 === 15) await eventLoopTurn();
  }
  if (await namesDigest(names) !== prompts) throw new Error("it saw other pictures or prompts");
  return episodes;
}
