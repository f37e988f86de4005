/**
 * Playing on at a worker: whole episodes, or places with one episode after another.
 *
 * @module
 */
import type { Environment } from "../../envs/mod.ts";
import type { Response } from "../../model/mod.ts";
import { eventLoopTurn } from "../event_loop.ts";
import type { Policy, Situation, SlotState } from "../policy.ts";
import { Stopped } from "../run/stop.ts";
import { type Job, namesDigest, type Places, type Played, promptName } from "./jobs.ts";

/** The episodes of a job, and how to respond in them. */
type PlayingJob =
  & Pick<Job, "rows" | "random" | "temperature" | "maxNewTokens" | "greedy">
  & { readonly side: number };

/** A turn that was played. */
interface Turn {
  readonly response: Response;
  /** What the prompt is called. */
  readonly prompt: string;
}

/** How whole episodes are played. */
export interface PlayingSettings {
  readonly policy: Policy;
  /** Makes the job's environment. */
  readonly make: () => Environment;
  readonly isStopped: () => boolean;
}

/**
 * Plays all episodes of a job to their ends, `side` of them side by side. The batch keeps that size to the end, since some
 * kernels are chosen by it.
 *
 * @throws {Stopped} between turns, when the worker is stopped.
 */
export async function playEpisodes(
  { rows, random, side, ...settings }: PlayingJob,
  { policy, make, isStopped }: PlayingSettings,
): Promise<Played> {
  let next = 0;
  const begin = (env: Environment) => {
    // Rows beyond the last one are played once more, and are not counted.
    const row = next++;
    return { row, turn: 0, situation: situationAt(env, rows[row % rows.length]) };
  };
  const slots = Array.from({ length: side }, () => begin(make()));
  const turns: Turn[][] = rows.map(() => []);
  for (let done = 0; done < rows.length;) {
    if (isStopped()) throw new Stopped();
    const decisions = await policy.respond(slots.map(({ situation }) => situation), {
      ...settings,
      random: Uint32Array.from(slots.flatMap(({ row, turn }) => {
        const at = 2 * (row % rows.length);
        return [random[at], (random[at + 1] + turn * settings.maxNewTokens) >>> 0];
      })),
    });
    decisions.forEach(({ response, prompt, parse: { action } }, s) => {
      const { row, situation: { env } } = slots[s];
      turns[row]?.push({ response, prompt: promptName(prompt) });
      const state = env.step(action ?? env.randomAction());
      if (state.terminated || state.truncated) {
        done += Number(row < rows.length);
        slots[s] = begin(env);
      } else {
        const { observation, info } = state;
        slots[s] = { row, turn: slots[s].turn + 1, situation: { env, observation, info } };
      }
    });
    // Signs of life and signals get their turn.
    await eventLoopTurn();
  }
  return await joined(turns);
}

/**
 * Plays all places of a job on, so many turns or until all are left. The batch keeps its size.
 *
 * @throws {Stopped} between turns, when the worker is stopped.
 */
export async function playPlaces(
  { rows, random, side, places, ...settings }: PlayingJob & { readonly places: Places },
  { policy, make, isStopped }: PlayingSettings,
): Promise<Played> {
  const now: (Situation | null)[] = rows.map((row) => situationAt(make(), row));
  const turns: Turn[][] = rows.map(() => []);
  let begun = 0;
  for (let turn = 0; turn < places.turns; turn++) {
    const filler = now.find((situation) => situation !== null);
    if (filler === undefined || filler === null) break;
    if (isStopped()) throw new Stopped();
    const decisions = await policy.respond(Array.from({ length: side }, (_, p) => now[p] ?? filler), {
      ...settings,
      random: Uint32Array.from({ length: 2 * side }, (_, i) => {
        const word = random[i % random.length];
        return i % 2 === 0 ? word : (word + turn * settings.maxNewTokens) >>> 0;
      }),
    });
    now.forEach((situation, p) => {
      if (situation === null) return;
      const { response, prompt, parse: { action } } = decisions[p];
      turns[p].push({ response, prompt: promptName(prompt) });
      const { env } = situation;
      const state = env.step(action ?? env.randomAction());
      if (!state.terminated && !state.truncated) {
        now[p] = { env, observation: state.observation, info: state.info };
      } else if (begun < places.next.length) {
        now[p] = situationAt(env, { episodeSeed: places.next[begun++], history: [] });
      } else {
        now[p] = null;
      }
    });
    await eventLoopTurn();
  }
  return await joined(turns);
}

async function joined(turns: readonly (readonly Turn[])[]): Promise<Played> {
  const all = turns.flat();
  return {
    responses: all.map(({ response }) => response),
    turns: turns.map(({ length }) => length),
    prompts: await namesDigest(all.map(({ prompt }) => prompt)),
  };
}

/**
 * Plays an episode again, up to the state that it was in.
 *
 * @throws {Error} when the environment draws another random action than it did then.
 */
export function situationAt(env: Environment, { episodeSeed, history }: SlotState): Situation {
  const state = env.reset({ seed: episodeSeed });
  return goOn({ env, info: state.info, observation: state.observation }, history);
}

/** Takes further actions of an episode. Throws as {@linkcode situationAt} does. */
export function goOn({ env, ...state }: Situation, actions: SlotState["history"]): Situation {
  let now: Omit<Situation, "env"> = state;
  for (const { action, isRandom } of actions) {
    if (isRandom) requireSame(env.randomAction(), action);
    now = env.step(action);
  }
  return { env, observation: now.observation, info: now.info };
}

/** The environment's own random action must be the one that the learner's copy drew. */
function requireSame(drawn: number, action: number): void {
  if (drawn === action) return;
  throw new Error(`Cannot play an episode again: its random action was ${action}, here it is ${drawn}`);
}
