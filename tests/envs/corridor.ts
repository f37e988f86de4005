/** An environment of one's own in the short form, for tests. */
import { defineEnvironment, type EnvironmentDefinition, gridPicture } from "../../envs/mod.ts";

const COLORS = { ".": [240, 240, 240], A: [200, 0, 0], G: [0, 160, 0] } as const;

/** Rules of a corridor whose goal is at its right end; changes replace rules. */
export const corridorRules = {
  name: "Corridor",
  actions: ["left", "right"],
  settings: { length: { meaning: "cells", default: 5, min: 2, max: 9 } },
  stepLimit: 12,
  reset: (random: { integer(bound: number): number }, { length }: { length: number }) => ({
    place: random.integer(length - 1),
  }),
  step: (state: { place: number }, action: number, _random: unknown, { length }: { length: number }) => {
    state.place = Math.max(0, state.place + (action === 1 ? 1 : -1));
    const terminated = state.place === length - 1;
    return { state, reward: terminated ? 1 : 0, terminated };
  },
  render: ({ place }: { place: number }, { length }: { length: number }) => {
    const cells = Array.from({ length }, (_, i) => i === place ? "A" : i === length - 1 ? "G" : ".");
    return gridPicture([cells.join("")], COLORS, { cellPixels: 7 });
  },
};

/** With a solver that thinks aloud. */
export const corridor: EnvironmentDefinition = defineEnvironment({
  ...corridorRules,
  solve: () => 1,
  thought: ({ place }, { length }) => `${length - 1 - place} cells to the goal`,
});

/** Without a solver. */
export const unsolvedCorridor: EnvironmentDefinition = defineEnvironment(corridorRules);
