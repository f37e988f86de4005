/**
 * What the page and its Worker say to each other.
 *
 * @module
 */

import type { EnvironmentName } from "./environments.ts";

/** What a visitor chooses for a training run. */
export interface Choice {
  readonly env: EnvironmentName;
  /** Weight of the thought's log-probability in log pi. */
  readonly lambda: number;
  /** Seed of the run. */
  readonly seed: number;
  /** How long to train. */
  readonly budget: "short" | "full";
}

/** Which policy acts, and how. */
export interface PlayChoice {
  readonly env: EnvironmentName;
  /** Trained elsewhere, trained in this page, or the scripted solver, which needs no GPU. */
  readonly policy: "demo" | "trained" | "solver";
  /** Which held-out episode. */
  readonly episode: number;
  /** Takes the most probable token each time. */
  readonly greedy: boolean;
}

/** From the page to the Worker. */
export type Request =
  | { readonly kind: "open" }
  | { readonly kind: "play" } & PlayChoice
  | { readonly kind: "train"; readonly choice: Choice }
  | { readonly kind: "stop" };

/** A token of a response: its characters in the text, and its log-probability when it was written. */
export interface Written {
  readonly text: string;
  readonly logprob: number;
  readonly isAction: boolean;
}

/** A step of an episode, with all that is shown of it. */
export interface Step {
  /** Counts from 1. */
  readonly step: number;
  /** What the environment says of the state, for those who cannot see the picture. */
  readonly info: Readonly<Record<string, unknown>>;
  readonly tokens: readonly Written[];
  readonly action: string;
  readonly isParsed: boolean;
  /** Null from a policy that expects nothing. */
  readonly value: number | null;
  readonly reward: number;
  readonly episodeReturn: number;
  readonly isOver: boolean;
  readonly success: boolean;
}

/** The picture of a step: RGB, 3 bytes a pixel. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A point of the learning curve. */
export interface Point {
  /** Environment steps of RL. */
  readonly envSteps: number;
  /** Share of the iteration's episodes that succeeded; null when none ended. */
  readonly success: number | null;
}

/** From the Worker to the page. */
export type Message =
  /** It has loaded: what was asked before is lost, as a module that awaits hears nothing. */
  | { readonly kind: "loaded" }
  | { readonly kind: "opened"; readonly adapter: string; readonly parameters: number }
  | { readonly kind: "failed"; readonly while: "open" | "play" | "train"; readonly message: string }
  /** The picture of a state that is thought about. */
  | { readonly kind: "scene"; readonly info: Step["info"]; readonly frame: Frame }
  | { readonly kind: "step"; readonly step: Step; readonly frame: Frame }
  | { readonly kind: "played" }
  | { readonly kind: "working"; readonly pipelines: number; readonly seconds: number }
  | {
    readonly kind: "progress";
    readonly of: string;
    readonly step: number;
    readonly total: number;
    readonly loss?: number;
  }
  | { readonly kind: "point"; readonly point: Point }
  | {
    readonly kind: "evaluation";
    readonly after: "sft" | "rl";
    readonly sampled: number;
    readonly greedy: number;
  }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "trained"; readonly seconds: number }
  | { readonly kind: "stopped" };
