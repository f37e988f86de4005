/**
 * What the watch page is told: the answers of `./ponder watch`, and what an exported page has in it.
 *
 * @module
 */
import type { ReplayTold } from "../run/replayed.ts";
import type { JsonObject } from "../run/store.ts";

/** How a run is. */
export type RunStatus = "training" | "finished" | "stopped" | "damaged";

/** A run in a list. */
export interface RunListed {
  /** Names it to the server; nothing but a run that was found has one. */
  readonly id: string;
  /** Its folder's name. */
  readonly name: string;
  readonly environment: string;
  readonly algorithm: string;
  readonly policy: string;
  readonly seed: number | null;
  readonly status: RunStatus;
  /** The fault of a damaged run, or the process that trains. */
  readonly detail: string;
  /** Milliseconds since 1970 of the last change. */
  readonly changedMs: number;
  /** Held-out success after RL, sampled and greedy; null without a result. */
  readonly sampled: number | null;
  readonly greedy: number | null;
  /** The same after the warm start. */
  readonly afterSft: number | null;
  readonly envSteps: number | null;
}

/** A file that is not what it should be. */
export interface FileFault {
  /** Relative to the run folder. */
  readonly file: string;
  readonly state: string;
}

/** A line across a chart of success. */
export interface Baseline {
  readonly label: string;
  /** In [0, 1]. */
  readonly success: number;
}

/** What is known about a run, except its metrics. */
export interface RunTold extends RunListed {
  readonly settings: JsonObject;
  readonly summary: JsonObject | null;
  readonly baselines: readonly Baseline[];
  readonly faults: readonly FileFault[];
  /** Whether the server can draw this run's frames again from their deals. */
  readonly canDraw: boolean;
}

/** A recorded episode in a list. */
export interface EpisodeListed {
  /** File of the recording. */
  readonly file: string;
  readonly stage: "rl" | "evaluation";
  readonly iteration: number;
  readonly after: "sft" | "rl" | null;
  readonly how: "sampled" | "greedy" | null;
  readonly episode: number;
  /** Recorded turns. */
  readonly turns: number;
  readonly success: boolean | null;
  readonly episodeReturn: number | null;
  /** Turns without an action in their text, and turns whose thought does not follow. */
  readonly unparsed: number;
  readonly unfaithful: number;
  /** Largest advantage of a turn, by size; null without any. */
  readonly advantage: number | null;
  /** The first response. */
  readonly text: string;
}

/** All recorded episodes of a run. */
export interface RecordingTold {
  readonly episodes: readonly EpisodeListed[];
  /** Iterations that were recorded. */
  readonly iterations: readonly number[];
  readonly faults: readonly FileFault[];
}

/** What an environment says of a recorded episode when it is played again. */
export interface SceneTold {
  /** The turns that were recorded. */
  readonly turns: readonly {
    /** The frame as a PNG in base64. */
    readonly frame: string;
    /** Name of the best action; null without a solver. */
    readonly best: string | null;
    /** What the action gives away against the best one, in units of return; null if values are not known. */
    readonly regret: number | null;
  }[];
}

/** A page that needs no server. */
export interface ExportedPage {
  readonly runs: readonly {
    readonly told: RunTold;
    /** Text of `metrics.jsonl`. */
    readonly metrics: string;
    readonly recording: RecordingTold;
    /** Text of recorded files by name. */
    readonly files: Readonly<Record<string, string>>;
    /** PNGs in base64 by name. */
    readonly pictures: Readonly<Record<string, string>>;
    /** By `file/episode`. */
    readonly scenes: Readonly<Record<string, SceneTold>>;
    /** Results of `replay`, by `file/episode`. */
    readonly replays: Readonly<Record<string, ReplayTold>>;
  }[];
}

/** An episode that a person and a policy play side by side. */
export interface PlayBegun {
  readonly session: string;
  readonly actions: readonly string[];
  readonly prompt: string;
  /** The first frame, a PNG in base64. */
  readonly frame: string;
  /** Whether the best action is told after each step. */
  readonly solver: boolean;
}

/** What a policy wrote. */
export interface PlayThought {
  readonly text: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Name of the action; null when the text has none. */
  readonly action: string | null;
  readonly actionSpan: readonly [start: number, end: number];
  /** In units of return. */
  readonly value: number;
  /** Probability of each token when it was sampled. */
  readonly probabilities: readonly number[];
  readonly alternatives: readonly (readonly (readonly [text: string, probability: number])[])[] | null;
  readonly faithful: boolean | null;
  readonly perception: number | null;
}

/** What a step led to. */
export interface PlayStepped {
  /** The action taken. */
  readonly action: string;
  readonly reward: number;
  /** What the solver would have done; null without one. */
  readonly best: string | null;
  readonly episodeReturn: number;
  readonly isOver: boolean;
  /** Null until the episode is over. */
  readonly success: boolean | null;
  readonly frame: string;
}
