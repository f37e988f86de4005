/** The environment of `add_an_environment.md`: a corridor whose goal is at its right end. */
import { defineEnvironment, gridPicture } from "@ponder/ponder";

const COLORS = { ".": [240, 240, 240], A: [200, 0, 0], G: [0, 160, 0] } as const;

export default defineEnvironment({
  name: "Corridor",
  actions: ["left", "right"],
  stepLimit: 12,
  reset: (random) => ({ place: random.integer(4) }),
  step: ({ place }, action) => {
    const next = Math.max(0, place + (action === 1 ? 1 : -1));
    return { state: { place: next }, reward: next === 4 ? 1 : 0, terminated: next === 4 };
  },
  render: ({ place }) => {
    const cells = Array.from({ length: 5 }, (_, i) => i === place ? "A" : i === 4 ? "G" : ".");
    return gridPicture([cells.join("")], COLORS);
  },
  solve: () => 1,
  thought: ({ place }) => `${4 - place} cells to the goal`,
  judge: ({ place }, text) => {
    const stated = /(\d) cells to the goal/.exec(text)?.[1];
    if (stated === undefined) return { perception: null, faithful: null };
    return { perception: Number(Number(stated) === 4 - place), faithful: text.includes('"action": "right"') };
  },
});
