/**
 * Your own environment in one file: a cat looks for a mouse around a wall.
 *
 *     deno run -A environment.ts                # the prompt, and a demonstration of the solver's
 *     ./ponder envs --env ./environment.ts --check
 *     ./ponder train --env ./environment.ts
 */
import { defineEnvironment, type EnvironmentDefinition, gridPicture, Random } from "@ponder/ponder/envs";

const WIDTH = 4;
const CELLS = [..."....", ...".##.", ..."...."];
const MOVES = { up: -WIDTH, down: WIDTH, left: -1, right: 1 };
const COLORS = { ".": [240, 240, 240], "#": [60, 60, 60], C: [200, 80, 0], M: [0, 120, 160] } as const;
const free = CELLS.flatMap((kind, cell) => kind === "." ? [cell] : []);

/** The cell that an action leads to; walls and borders stop the cat. */
function move(cat: number, action: number): number {
  const next = cat + Object.values(MOVES)[action];
  const leavesRow = action >= 2 && Math.floor(next / WIDTH) !== Math.floor(cat / WIDTH);
  return free.includes(next) && !leavesRow ? next : cat;
}

/** Steps that the cat needs to reach the mouse. */
function distance(cat: number, mouse: number): number {
  let reached = [cat];
  for (let steps = 0;; steps++) {
    if (reached.includes(mouse)) return steps;
    reached = [...new Set(reached.flatMap((cell) => [cell, ...[0, 1, 2, 3].map((a) => move(cell, a))]))];
  }
}

const maze: EnvironmentDefinition = defineEnvironment({
  name: "Maze",
  actions: Object.keys(MOVES),
  task: "Bring the orange cat to the blue mouse.",
  stepLimit: 12,
  reset: (random) => {
    const [cat, step] = [random.integer(free.length), 1 + random.integer(free.length - 1)];
    return { cat: free[cat], mouse: free[(cat + step) % free.length] };
  },
  step: ({ cat, mouse }, action) => {
    const next = move(cat, action);
    const reward = distance(next, mouse) < distance(cat, mouse) ? 1 : -1;
    return { state: { cat: next, mouse }, reward, terminated: next === mouse };
  },
  render: ({ cat, mouse }) => {
    const shown = CELLS.with(mouse, "M").with(cat, "C").join("");
    return gridPicture([0, WIDTH, 2 * WIDTH].map((from) => shown.slice(from, from + WIDTH)), COLORS);
  },
  // Optional: with a solver there are demonstrations, and the warm start can learn from them.
  solve: ({ cat, mouse }) => [0, 1, 2, 3].find((a) => distance(move(cat, a), mouse) < distance(cat, mouse))!,
});
export default maze;

if (import.meta.main) {
  const env = maze.make();
  const { info } = env.reset({ seed: 4 });
  console.log(env.prompt(info, { cot: true }));
  console.log(env.demonstrate!(new Random(0), { cot: true }));
}
