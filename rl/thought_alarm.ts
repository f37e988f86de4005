/**
 * Notices when thoughts collapse in RL.
 *
 * @module
 */
import { formatShare } from "./cli/mod.ts";
import type { Evaluation } from "./evaluation.ts";

/** How good an iteration's thoughts are. All numbers are in [0, 1], and null without a chain of thought. */
export interface ThoughtQuality {
  /** How much thoughts tell about the state, from 0 (nothing) to 1 (all); see `thought_tally.ts`. */
  readonly thoughtInformation: number | null;
  /** Share of picture fields read correctly. */
  readonly perception: number | null;
  /** Share of responses whose thought fits itself and the action. */
  readonly faithfulness: number | null;
}

/** A sign that an iteration's thoughts went wrong: the metric that shows it. */
export type ThoughtSign = keyof ThoughtQuality;

/** Information under this share of the first iteration's is a sign. */
const INFORMATION_LEFT = 0.5;
/** Information under this is always a sign: the same thought answers nearly all states. */
const LEAST_INFORMATION = 0.15;
/** Perception or faithfulness this far under the best so far is a sign; the error of 256 responses is 0.03. */
const LARGEST_DROP = 0.25;

const MEANINGS: Readonly<Record<ThoughtSign, string>> = {
  thoughtInformation: "thoughts do not tell states apart",
  perception: "thoughts do not read the picture",
  faithfulness: "thoughts do not fit themselves and the action",
};

/** Greedy responses are the same each time: a drop like this over some hundred of them is no noise. */
const LARGEST_GREEDY_DROP = 0.1;

/**
 * What to say when greedy responses fit their thoughts less after RL than before it; null when they do not. Training looks at
 * sampled responses alone, where the decoding noise of the warm start hides such a loss.
 */
export function faithfulnessWarning(before: Evaluation | null, after: Evaluation): string | null {
  const [was, now] = [before, after].map((evaluation) => evaluation?.greedy.faithfulness ?? null);
  if (was === null || now === null || now >= was - LARGEST_GREEDY_DROP) return null;
  return `Warning after RL: greedy actions no longer fit their thoughts (faithfulness ${
    formatShare(now)
  }, was ` +
    `${formatShare(was)} after SFT); --correction-coefficient or --kl-coefficient hold them`;
}

/** Compares each RL iteration's thoughts with those before it. It must see all iterations in order. */
export class ThoughtAlarm {
  #start: number | null = null;
  readonly #best = { perception: 0, faithfulness: 0 };
  readonly #noted = new Set<ThoughtSign>();

  /** Finds what is wrong with this iteration's thoughts; nothing without a chain of thought. */
  check({ thoughtInformation, perception, faithfulness }: ThoughtQuality): ThoughtSign[] {
    const signs: ThoughtSign[] = [];
    if (thoughtInformation !== null) {
      this.#start ??= thoughtInformation;
      const limit = Math.max(LEAST_INFORMATION, INFORMATION_LEFT * this.#start);
      if (thoughtInformation < limit) signs.push("thoughtInformation");
    }
    for (const [sign, share] of Object.entries({ perception, faithfulness })) {
      if (share === null) continue;
      const name = sign as "perception" | "faithfulness";
      if (share < this.#best[name] - LARGEST_DROP) signs.push(name);
      this.#best[name] = Math.max(this.#best[name], share);
    }
    return signs;
  }

  /** Makes the warning for signs that were not noted before; null if there are none. */
  note(iteration: number, quality: ThoughtQuality, signs: readonly ThoughtSign[]): string | null {
    const fresh = signs.filter((sign) => !this.#noted.has(sign));
    if (fresh.length === 0) return null;
    for (const sign of fresh) this.#noted.add(sign);
    const before = { ...this.#best, thoughtInformation: this.#start ?? 0 };
    const list = fresh.map((sign) => {
      const [now, was] = [quality[sign] ?? 0, before[sign]].map(formatShare);
      return `${MEANINGS[sign]} (${sign} ${now}${now === was ? "" : `, was ${was}`})`;
    });
    return `Warning at RL iteration ${iteration}: ${list.join("; ")}`;
  }
}
