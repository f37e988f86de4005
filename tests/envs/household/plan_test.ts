import { assert, assertEquals } from "@std/assert";
import { shortestPlan } from "../../../envs/household/plan.ts";
import { drawDeal, SPLITS, TASK_KINDS } from "../../../envs/household/rooms.ts";
import {
  COMMANDS,
  NONE,
  objectsOf,
  receptacleKind,
  RECEPTACLES,
  TREATMENTS,
} from "../../../envs/household/vocabulary.ts";
import { World } from "../../../envs/household/world.ts";
import { Random } from "../../../envs/shared/random.ts";

const isDone = (world: World) => {
  const [met, total] = world.goalConditions();
  return met === total;
};

/** Everything that matters for the future, as text. */
function keyOf(world: World): string {
  const objects = [...objectsOf(world.deal.task.object), world.held].filter((object) => object !== NONE);
  const state = objects.map((object) => [object, world.placeOf(object), world.conditionOf(object)]);
  const doors = RECEPTACLES.map((_, receptacle) => Number(world.isOpen(receptacle))).join("");
  return JSON.stringify([world.location, world.held, world.isLampOn, doors, state]);
}

/** Fewest steps to the goal, by breadth-first search over the rules themselves, among receptacles that can matter. */
function fewestSteps(start: World): number {
  const { task, lamp } = start.deal;
  const objects = objectsOf(task.object);
  const relevant = new Set([
    ...objects.map((object) => start.placeOf(object)),
    ...Object.values(TREATMENTS).map(({ appliance }) => appliance),
    ...start.deal.room.receptacles.filter((receptacle) => receptacleKind(receptacle) === task.target),
    ...[start.location, lamp],
  ]);
  const isRelevant = (command: number) => {
    const { verb, object, receptacle } = COMMANDS[command];
    if (["inventory", "look", "examine", "close"].includes(verb)) return false;
    return (receptacle === NONE || relevant.has(receptacle)) && (verb !== "take" || objects.includes(object));
  };
  const seen = new Set([keyOf(start)]);
  for (let steps = 0, frontier = [start]; frontier.length > 0; steps++) {
    const after: World[] = [];
    for (const world of frontier) {
      if (isDone(world)) return steps;
      for (const command of world.admissible().filter(isRelevant)) {
        const next = world.clone();
        next.apply(command);
        const key = keyOf(next);
        if (seen.has(key)) continue;
        seen.add(key);
        after.push(next);
      }
    }
    frontier = after;
  }
  throw new Error(`No way to ${task.text}`);
}

Deno.test("plans can be carried out and are as short as an exhaustive search finds, from random states", () => {
  const random = new Random(1, "states");
  for (const kind of TASK_KINDS) {
    for (let i = 0; i < 12; i++) {
      const world = new World(drawDeal(random, { split: SPLITS[i % 2], kind })!);
      for (let step = random.integer(25); step > 0; step--) {
        const commands = world.admissible();
        const next = world.clone();
        const command = commands[random.integer(commands.length)];
        next.apply(command);
        if (isDone(next)) break;
        world.apply(command);
      }
      const plan = shortestPlan(world);
      assertEquals(plan.length, fewestSteps(world), `${world.deal.task.text} in ${world.deal.room.name}`);
      const walked = world.clone();
      for (const command of plan) {
        assert(!isDone(walked));
        assert(walked.admissible().includes(command), COMMANDS[command].text);
        walked.apply(command);
      }
      assert(isDone(walked));
    }
  }
});
