import { terminalColumns } from "./terminal.ts";
import { formatCount, formatDuration } from "./format.ts";
import { processConsole } from "./streams.ts";

/** The state of a long stage of work. */
export interface ProgressState {
  /** What is being done, such as `rl`. */
  readonly stage: string;
  /** Steps done. */
  readonly step: number;
  /** Steps in all. */
  readonly total: number;
  /** Other texts to show, in order: `{ success: "83.0%", "tok/s": "1.2k" }`. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Time left in milliseconds, if the caller knows it better than the pace of this stage does. */
  readonly leftMs?: number;
}

/** How a {@linkcode Progress} writes. */
export interface ProgressOptions {
  /** Receives text. Default: stderr of this process; text that cannot be written is dropped. */
  readonly write?: (text: string) => void;
  /** True rewrites one line, false prints plain lines from time to time. Default: whether stderr is a terminal. */
  readonly isTerminal?: boolean;
  /** Width of the terminal in characters. Default: the terminal's own, else 80. */
  readonly columns?: () => number;
  /** Least time between two redraws on a terminal. Default 100 ms. */
  readonly redrawMs?: number;
  /** Least time between two plain lines. Default 10 000 ms. */
  readonly plainMs?: number;
  /** Clock in milliseconds. Default `performance.now`. */
  readonly nowMs?: () => number;
}

/** Estimates the time left in milliseconds at the pace so far; undefined until a step is done. */
export function estimateLeftMs(step: number, total: number, elapsedMs: number): number | undefined {
  if (step <= 0 || total <= 0) return undefined;
  return Math.max(0, (total - step) * elapsedMs / step);
}

/** Formats a state as one line, cut to `columns`: `rl  120/400  success 83.0%  1 m 05 s left`. */
export function formatProgress(state: ProgressState, columns = Infinity): string {
  const parts = [state.stage, `${formatCount(state.step)}/${formatCount(state.total)}`];
  for (const [name, value] of Object.entries(state.fields ?? {})) parts.push(`${name} ${value}`);
  if (state.leftMs !== undefined) parts.push(`${formatDuration(state.leftMs)} left`);
  const line = parts.join("  ");
  return line.length <= columns ? line : line.slice(0, Math.max(0, columns - 1)) + "…";
}

const CLEAR_LINE = "\r\x1b[2K";

/**
 * Live progress on stderr. On a terminal one line is rewritten. Elsewhere logs should stay short: a plain line appears at the
 * start of a stage, about every ten seconds, and at its end.
 */
export class Progress {
  readonly #write: (text: string) => void;
  readonly #isTerminal: boolean;
  readonly #columns: () => number;
  readonly #intervalMs: number;
  readonly #nowMs: () => number;
  #stage: string | undefined;
  #stageStartMs = 0;
  #stageStartStep = 0;
  #lastMs = -Infinity;
  #isLineOpen = false;
  /** The last state of the stage, as it is shown. */
  #last: ProgressState | undefined;
  #isLastOnScreen = false;

  constructor(options: ProgressOptions = {}) {
    this.#write = options.write ?? processConsole.err;
    this.#isTerminal = options.isTerminal ?? Deno.stderr.isTerminal();
    this.#columns = options.columns ?? terminalColumns;
    this.#intervalMs = this.#isTerminal ? options.redrawMs ?? 100 : options.plainMs ?? 10_000;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Shows a state. It is cheap to call at every step: redraws are limited. A new stage and the last step always show. */
  update(state: ProgressState): void {
    const now = this.#nowMs();
    const isNewStage = state.stage !== this.#stage;
    if (isNewStage) {
      this.#endLine();
      // A resumed stage starts above zero. Its pace counts from there.
      [this.#stage, this.#stageStartMs, this.#stageStartStep] = [state.stage, now, state.step];
    }
    const isDone = state.step >= state.total;
    const start = this.#stageStartStep;
    const leftMs = state.leftMs ??
      estimateLeftMs(state.step - start, state.total - start, now - this.#stageStartMs);
    // A stage that is done has no time left, unless the caller counts later stages too.
    const hasLeft = !isDone || (state.leftMs ?? 0) >= 1000;
    this.#last = { ...state, leftMs: hasLeft ? leftMs : undefined };
    this.#isLastOnScreen = false;
    if (!isNewStage && !isDone && now - this.#lastMs < this.#intervalMs) return;
    this.#lastMs = now;
    this.#draw(this.#last);
  }

  #draw(state: ProgressState): void {
    this.#isLastOnScreen = true;
    if (!this.#isTerminal) return this.#write(formatProgress(state) + "\n");
    this.#write(CLEAR_LINE + formatProgress(state, this.#columns() - 1));
    this.#isLineOpen = true;
  }

  /** Prints a line of its own, above the live one, or below that of a stage that is done. */
  note(text: string): void {
    const isStageDone = this.#last !== undefined && this.#last.step >= this.#last.total;
    this.#write(`${this.#isLineOpen ? isStageDone ? "\n" : CLEAR_LINE : ""}${text}\n`);
    if (this.#isLineOpen) this.#isLastOnScreen = isStageDone;
    this.#isLineOpen = false;
    this.#lastMs = this.#isTerminal ? -Infinity : this.#lastMs;
  }

  /** Ends the live line and keeps its last state on screen. Call it at the end, also after a failure. */
  close(): void {
    this.#endLine();
    this.#stage = undefined;
  }

  /** Leaves the last state of a stage behind, also one that came too soon after another to be drawn. */
  #endLine(): void {
    if (this.#last !== undefined && !this.#isLastOnScreen) this.#draw(this.#last);
    this.#last = undefined;
    if (this.#isLineOpen) this.#write("\n");
    this.#isLineOpen = false;
  }
}
