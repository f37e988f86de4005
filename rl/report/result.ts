/**
 * The results that are kept under `results/`. The report reads nothing else.
 *
 * @module
 */
import type { EvaluationResult } from "../evaluation.ts";
import type { Experiment } from "./experiments.ts";

/** What results lack that were written before it was kept. */
type Later = "thoughtDiversity" | "thoughtInformation" | "panel" | "outcomes";

/** An evaluation as a result keeps it. */
export type KeptResult = Omit<EvaluationResult, Later> & Partial<Pick<EvaluationResult, Later>>;

/** The numbers of one evaluation. A policy without a model has only `sampled`. */
export interface EvaluationSummary {
  readonly episodes: number;
  readonly sampled: KeptResult;
  readonly greedy?: KeptResult;
}

/** A finished cell, as `results/<environment>/<experiment>-s<seed>.json` holds it. */
export interface CellResult {
  readonly experiment: Experiment;
  /** Null for a policy without a model. */
  readonly seed: number | null;
  readonly summary: {
    readonly command: string;
    readonly evaluation: EvaluationSummary;
    readonly wall_seconds: { readonly total: number; readonly sft?: number; readonly rl?: number };
    readonly adapter?: string;
    readonly parameters?: number;
    /** Environment steps of RL. */
    readonly env_steps?: number;
    /** Null if there was no warm start. */
    readonly evaluation_after_sft?: EvaluationSummary | null;
    readonly peak_memory_bytes?: number | null;
    /** A point for each RL iteration. */
    readonly curve?: readonly CurvePoint[];
    /** The latest of {@linkcode changes} that it was made with; absent in those from before any. */
    readonly version?: number;
    /** Digest of its settings; see `settingsDigest`. Absent in results from before it was kept. */
    readonly settings?: string;
  };
}

/** What the training episodes of an RL iteration reached. */
export interface CurvePoint {
  readonly envSteps: number;
  readonly success: number | null;
  readonly episodes?: number;
  readonly thoughtAlarm?: readonly string[];
  /** Updates of the weights in this iteration. */
  readonly updates?: number;
  /** Share of the returns' variance that the values explained; null if there was none. */
  readonly explainedVariance?: number | null;
  /** Share of ratios outside the clips. */
  readonly clipFraction?: number;
  /** Cosine of the advantages with exact ones; see `--exact-credit`. */
  readonly advantageCosine?: number | null;
  /** What a turn gave away, in units of return; see `--exact-credit`. */
  readonly regret?: number | null;
  /** Whether the KL stop ended this iteration's updates. */
  readonly klStopped?: boolean;
}
