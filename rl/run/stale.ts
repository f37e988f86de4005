/**
 * Collecting ahead of learning.
 *
 * @module
 */
import type { Rollout } from "../rollout.ts";
import type { Collector } from "./collectors.ts";
import type { Run } from "./state.ts";

/** RL iterations from one checkpoint to the next. */
export const CHECKPOINT_INTERVAL = 6;

/** An iteration's experience that is being collected. */
interface Ahead {
  /** Resolves when all its responses are there. */
  readonly acted: Promise<void>;
  /** Lets the values be estimated, with the weights of then. */
  readonly estimate: () => void;
  readonly rollout: Promise<Rollout>;
}

/**
 * Collects up to `staleness` iterations ahead, with the weights of when it begins. Those who act elsewhere go on while this
 * process learns; the policy itself collects before it learns, and gets the same numbers.
 *
 * Nothing is collected across a checkpoint. A resumed run therefore goes on with the same weights.
 */
export class StaleCollector {
  readonly #run: Run;
  readonly #collector: Collector;
  readonly #ahead: Ahead[] = [];

  constructor(run: Run, collector: Collector) {
    this.#run = run;
    this.#collector = collector;
  }

  /** The next iteration's experience. */
  async next(): Promise<Rollout> {
    const { config: { staleness }, state: { iteration } } = this.#run;
    const left = CHECKPOINT_INTERVAL - iteration % CHECKPOINT_INTERVAL;
    const most = Math.min(1 + staleness, left);
    while (
      this.#ahead.length < most && (this.#ahead.length === 0 || this.#collector.has(this.#ahead.length))
    ) {
      await this.#run.handOver("training");
      const begun = this.#begin(this.#ahead.length, this.#ahead.at(-1)?.acted);
      // The first one is due; the policy itself cannot act while it learns.
      if (this.#ahead.length === 0 || !this.#run.actsElsewhere) await begun.acted;
      this.#ahead.push(begun);
    }
    const due = this.#ahead.shift()!;
    due.estimate();
    return await due.rollout;
  }

  #begin(ahead: number, before: Promise<void> | undefined): Ahead {
    const acted = Promise.withResolvers<void>(), estimated = Promise.withResolvers<void>();
    const actor = this.#run.actor("training");
    const collect = this.#collector.plan(ahead);
    const begin = async () => {
      await before;
      return await collect({
        actor,
        beforeValues: () => {
          acted.resolve();
          return estimated.promise;
        },
      });
    };
    const rollout = begin();
    rollout.catch((error) => acted.reject(error));
    acted.promise.catch(() => {});
    return { acted: acted.promise, estimate: estimated.resolve, rollout };
  }
}
