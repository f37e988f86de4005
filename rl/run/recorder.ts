/**
 * Records a run: a few turns of every iteration and of the evaluations, with all that can be said of their tokens.
 *
 * It looks on. Nothing that it does reaches the weights, the random streams or `metrics.jsonl`.
 *
 * @module
 */
import { Random } from "../../envs/mod.ts";
import type { Segment } from "../../model/mod.ts";
import type { LearnObserver } from "../algorithms/mod.ts";
import type { CommonSettings } from "../config.ts";
import type { EvaluatedTurn } from "../evaluation.ts";
import {
  explain,
  type Explanation,
  launchExplanation,
  launchLogprobs,
  readAll,
  tokenText,
} from "../explain.ts";
import { encodePicture } from "../image.ts";
import type { ObjectiveSettings, Sample } from "../objective.ts";
import { CnnPolicy } from "../policies/cnn.ts";
import type { Policy } from "../policy.ts";
import type { Rollout, Transition } from "../rollout.ts";
import { chooseTurns } from "./chosen_turns.ts";
import { clippedOf, encodeAttention, numberOf, ratioOf, Seen, transitionOf } from "./observed.ts";
import {
  type RecordedEpisode,
  type RecordedHeader,
  type RecordedLine,
  type RecordedTurn,
  RECORDING_FORMAT,
  shortest,
  shortestOf,
} from "./recorded.ts";
import { recordingFile, type RecordingSink } from "./recording.ts";

/** Turns of an iteration that are recorded, of episodes and of other answers to their states. */
export const RECORDED_TURNS = 12;
/** Held-out episodes that are recorded of each way of decoding, and turns of each. */
export const RECORDED_EPISODES = 4;
/** Tokens that are told beside the one that was drawn. */
const ALTERNATIVES = 5;
/** What is less likely is not told. */
const LEAST_PROBABILITY = 1e-5;

/** What is recorded, by whom. */
export interface RecorderContext {
  readonly recording: RecordingSink;
  readonly policy: Policy;
  readonly config: CommonSettings;
  /** Weight of the thought in log pi. */
  readonly lambda: number;
  /** Says that recording has ended, and why. */
  readonly note: (text: string) => void;
}

/** Records a run until something is in the way; the run goes on without it then. */
export class Recorder {
  readonly #context: RecorderContext;
  /** Prompt texts by their ids. */
  readonly #texts = new Map<string, string>();
  /** Names of pictures by their identity. */
  readonly #pictures = new Map<string, string>();
  #isOff = false;

  constructor(context: RecorderContext) {
    this.#context = context;
  }

  /** Begins to record an iteration whose experience is collected; null when nothing is recorded any more. */
  begin(rollout: Rollout, iteration: number): IterationRecord | null {
    if (this.#isOff) return null;
    const startMs = performance.now();
    const { policy, config: { seed, temperature } } = this.#context;
    const chosen = chooseTurns(rollout, RECORDED_TURNS, new Random(seed, `recorded turns ${iteration}`));
    const turns = chosen.map(({ index }) => rollout.transitions[index]);
    // Read with the pass after the updates: a readback costs as much as a small pass.
    const acted = launchExplanation(policy, padded(turns), { temperature, alternatives: ALTERNATIVES });
    const seen = new Seen();
    return {
      observer: seen,
      end: async (seconds) => {
        const recordMs = performance.now();
        await this.#guarded(async () => {
          const [explanations, after] = await readAll<[Explanation[], Float32Array[]]>(policy.gpu, [
            acted,
            launchLogprobs(policy, padded(turns), temperature),
          ]);
          const lines = chosen.map(({ kind, episode, turn, index }, i) =>
            this.#turn(rollout.transitions[index], {
              ...{ kind, episode, turn },
              explanation: explanations[i],
              sample: seen.samples?.[index] ?? null,
              objective: seen.objective,
              after: after[i],
            })
          );
          const record = (startedMs: number) => (performance.now() - startedMs) / 1e3;
          this.#write(recordingFile(iteration), {
            header: {
              stage: "rl",
              iteration,
              seconds: { ...seconds, record: record(recordMs) + (seen.beganMs - startMs) / 1e3 },
              ...seen.header(rollout, this.#context.config),
            },
            episodes: episodesOf(rollout, chosen),
            turns: lines,
            explanations,
          });
          return true;
        });
      },
    };
  }

  /** Begins to record an evaluation; the first argument of its `onTurn`, and its end. */
  evaluation(after: "sft" | "rl", iteration: number) {
    const kept: { turn: EvaluatedTurn; how: "sampled" | "greedy" }[] = [];
    return {
      onTurn: (turn: EvaluatedTurn, how: "sampled" | "greedy") => {
        if (turn.episode < RECORDED_EPISODES && turn.turn < RECORDED_TURNS) kept.push({ turn, how });
      },
      end: async () => {
        await this.#guarded(async () => {
          await this.#writeEvaluation(after, iteration, kept);
          return true;
        });
      },
    };
  }

  /** Resolves when all that was recorded is on disk. */
  async sync(): Promise<void> {
    await this.#guarded(async () => {
      await this.#context.recording.sync();
      return true;
    });
  }

  async #writeEvaluation(
    after: "sft" | "rl",
    iteration: number,
    kept: readonly { turn: EvaluatedTurn; how: "sampled" | "greedy" }[],
  ): Promise<void> {
    const { policy, config: { temperature }, lambda } = this.#context;
    const order = kept.toSorted((a, b) =>
      b.how.localeCompare(a.how) || a.turn.episode - b.turn.episode || a.turn.turn - b.turn.turn
    );
    const episodes: RecordedEpisode[] = [];
    const transitions: Transition[] = [];
    const places: { episode: number; turn: number }[] = [];
    for (const { turn, how } of order) {
      if (turn.turn === 0) {
        const own = order.filter((other) => other.how === how && other.turn.episode === turn.episode);
        const outcome = own.at(-1)!.turn.outcome;
        episodes.push({
          ...{ kind: "episode", episode: episodes.length, deal: turn.deal, how, before: [] },
          ...{ turns: outcome?.steps ?? own.length, outcome },
        });
      }
      transitions.push(transitionOf(turn, lambda));
      places.push({ episode: episodes.length - 1, turn: turn.turn });
    }
    const explanations: Explanation[] = [];
    for (let start = 0; start < transitions.length; start += RECORDED_TURNS) {
      const part = transitions.slice(start, start + RECORDED_TURNS);
      const settings = { temperature, alternatives: ALTERNATIVES };
      explanations.push(...(await explain(policy, padded(part), settings)).slice(0, part.length));
    }
    const turns = transitions.map((transition, i) =>
      this.#turn(transition, {
        ...{ kind: "turn", ...places[i], explanation: explanations[i], sample: null, objective: null },
        after: null,
      })
    );
    const none = { advantage: null, valueTarget: null, episodeReturn: null, ratio: null };
    const header: Omit<RecordedHeader, CommonHeader> = {
      ...{ stage: "evaluation", after, iteration, objective: null, turns: turns.length, histograms: none },
      ...{ minibatches: [], plannedUpdates: 0, klStop: null, seconds: {} },
    };
    this.#write(recordingFile(after), { header, episodes, turns, explanations });
  }

  /** Puts a file together and hands it to the recording. */
  #write(
    name: string,
    { header, episodes, turns, explanations }: {
      header: Omit<RecordedHeader, CommonHeader>;
      episodes: readonly RecordedEpisode[];
      turns: readonly (Omit<RecordedTurn, "prompt"> & { prompt: string })[];
      explanations: readonly Explanation[];
    },
  ): void {
    const { recording, policy, config: { temperature }, lambda } = this.#context;
    const prompts = [...new Set(turns.map(({ prompt }) => prompt))];
    const lines: RecordedLine[] = [{
      ...{
        kind: "header",
        format: RECORDING_FORMAT,
        ...header,
        actions: policy.actions,
        lambda,
        temperature,
      },
      ...{ prompts, grid: explanations.find(({ attention }) => attention)?.attention?.grid ?? null },
    }];
    for (const episode of episodes) {
      lines.push(episode);
      for (const turn of turns) {
        if (turn.episode === episode.episode) lines.push({ ...turn, prompt: prompts.indexOf(turn.prompt) });
      }
    }
    recording.add(name, lines);
  }

  #turn(
    transition: Transition,
    { kind, episode, turn, explanation, sample, objective, after }: {
      readonly kind: RecordedTurn["kind"];
      readonly episode: number;
      readonly turn: number;
      readonly explanation: Explanation;
      readonly sample: Sample | null;
      readonly objective: ObjectiveSettings | null;
      readonly after: Float32Array | null;
    },
  ): Omit<RecordedTurn, "prompt"> & { prompt: string } {
    const { policy } = this.#context;
    const { text, starts, ends } = policy.decode(transition.response);
    const { alternatives, attention } = explanation;
    const advantage = sample?.advantage ?? null;
    const ratio = after && objective && ratioOf(transition, after, objective.ratio);
    return {
      ...{ kind, episode, turn, state: transition.state },
      prompt: this.#promptText(transition.prompt),
      picture: this.#picture(transition.prompt),
      ...{ text, tokens: transition.response, starts, ends },
      logprobs: shortestOf(transition.logprobs),
      after: after && shortestOf(after),
      entropies: shortestOf(transition.entropies),
      weights: shortestOf(transition.weights),
      advantage: numberOf(advantage),
      valueTarget: numberOf(sample?.valueTarget ?? null),
      weight: sample?.weight ?? 1,
      ratio: numberOf(ratio),
      clipped: ratio === null || advantage === null || objective === null
        ? null
        : clippedOf(ratio, advantage, objective),
      alternatives: alternatives &&
        alternatives.map((each) =>
          each.filter(([, p], i) => i === 0 || p >= LEAST_PROBABILITY)
            .map(([id, p]) => [id, tokenText(policy, id), Number(p.toPrecision(4))] as const)
        ),
      attention: attention && encodeAttention(attention.shares),
      imageShare: attention && attention.shares.map((share) => shortest(share.reduce((a, b) => a + b, 0))),
      ...{ parsed: transition.isParsed, actionSpan: transition.actionSpan, action: transition.action },
      ...{ reward: transition.reward, value: shortest(transition.value) },
      ...{ terminated: transition.terminated, truncated: transition.truncated },
      ...{ perception: transition.perception, faithful: transition.faithful },
      ...transition.actionValues && { actionValues: transition.actionValues },
      random: transition.random,
    };
  }

  #promptText(prompt: readonly Segment[]): string {
    const ids = prompt.flatMap((part) => part.kind === "text" ? part.ids : []);
    const key = ids.join(" ");
    let text = this.#texts.get(key);
    if (text === undefined) {
      const { policy } = this.#context;
      // The baseline's prompt is the actions that may be taken.
      text = policy instanceof CnnPolicy
        ? ids.map((id) => policy.actions[id]).join(", ")
        : policy.decode(ids).text;
      if (this.#texts.size < 4096) this.#texts.set(key, text);
    }
    return text;
  }

  #picture(prompt: readonly Segment[]): string | null {
    const image = prompt.findLast((part) => part.kind === "image");
    if (image === undefined) return null;
    const { pixels, id } = image.picture;
    const side = Math.round(Math.sqrt(pixels.length / 3));
    const known = this.#pictures.get(id);
    if (known !== undefined && this.#context.recording.has(known)) return known;
    const name = this.#context.recording.addPicture(
      encodePicture({ width: side, height: side, data: pixels }),
    );
    if (this.#pictures.size < 1 << 14) this.#pictures.set(id, name);
    return name;
  }

  /** Null, now and from then on, when recording failed: it is no reason for a run to end. */
  async #guarded<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.#isOff) return null;
    try {
      return await work();
    } catch (error) {
      if (!isOfFiles(error)) throw error;
      this.#isOff = true;
      this.#context.note(`Nothing more is recorded: ${(error as Error).message}`);
      return null;
    }
  }
}

type CommonHeader = "kind" | "format" | "actions" | "lambda" | "temperature" | "prompts" | "grid";

/** An iteration that is being recorded. */
export interface IterationRecord {
  /** What looks on while it is learnt from. */
  readonly observer: LearnObserver;
  /** Writes it, once learnt from; `seconds` is what its parts took. */
  readonly end: (seconds: Readonly<Record<string, number>>) => Promise<void>;
}

/** Filled up, so that few shapes occur. */
function padded(turns: readonly Transition[]): Transition[] {
  return [...turns, ...Array<Transition>(Math.max(0, RECORDED_TURNS - turns.length)).fill(turns[0])];
}

function episodesOf(
  { trajectories }: Rollout,
  chosen: readonly { readonly episode: number; readonly trajectory: number }[],
): RecordedEpisode[] {
  const byEpisode = new Map(chosen.map(({ episode, trajectory }) => [episode, trajectories[trajectory]]));
  return [...byEpisode].map(([episode, { turns, deal, outcome, before = [] }]) => ({
    ...{ kind: "episode", episode, deal, turns: turns.length, outcome },
    before: before.map(({ action, isRandom }) => [action, isRandom ? 1 : 0] as const),
  }));
}

/** Whether an error is the disk's: full, read-only, gone. */
function isOfFiles(error: unknown): boolean {
  return error instanceof Error &&
    ("code" in error || Object.values(Deno.errors).some((kind) => error instanceof kind));
}
