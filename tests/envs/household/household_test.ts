import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Household } from "../../../envs/household/household.ts";
import { ROOMS, TASK_KINDS, TASKS } from "../../../envs/household/rooms.ts";
import { makeEnv } from "../../../envs/mod.ts";
import { fastestMs } from "../../processor_time.ts";

const actionOf = (env: Household, text: string) => {
  const action = env.actions.indexOf(text);
  if (action < 0) throw new RangeError(`Cannot act: "${text}" is not in the vocabulary`);
  return action;
};

/** Steps by the solver to the end; the steps' results. */
function solve(env: Household) {
  const results = [env.step(env.solve())];
  while (!results.at(-1)!.terminated && !results.at(-1)!.truncated) results.push(env.step(env.solve()));
  return results;
}

Deno.test("the solver does every task there is in every room, within the step limit", () => {
  const env = new Household();
  let tasks = 0, steps = 0, fewest = 0;
  for (const room of ROOMS) {
    for (const kind of TASK_KINDS) {
      for (const { object, target, text } of TASKS.get(room)![kind]) {
        const options = { room: room.name, kind, object, target: target ?? undefined };
        const { info } = env.reset({ seed: tasks++, options });
        assertEquals([info.task, info.room, info.kind], [text, room.name, kind]);
        fewest += env.shortestPlan().length;
        const results = solve(env);
        assert(results.at(-1)!.info.goalReached, `${text} in ${room.name}`);
        steps += results.length;
      }
    }
  }
  assert(tasks > 1000, `${tasks} tasks`);
  assert(fewest < steps, "knowing what is hidden saves steps");
});

Deno.test("the reward is the share of goal conditions, 50 more at the goal", () => {
  const env = new Household();
  for (let seed = 0; seed < 60; seed++) {
    env.reset({ seed });
    for (const { reward, terminated, info } of solve(env)) {
      assertAlmostEquals(reward, info.goalConditionRate + (terminated ? 50 : 0), 1e-12);
      assertEquals(info.goalReached, info.goalConditionRate === 1);
      assertEquals(info.goalReached, terminated);
    }
  }
});

Deno.test("nothing happens on a command that is not admissible, and it costs 1", () => {
  const env = new Household();
  env.reset({ seed: 1, options: { room: "kitchen 1", kind: "pick_heat_then_place_in_recep" } });
  const before = env.legalActions();
  const { reward, info } = env.step(actionOf(env, "open fridge 1"));
  assertEquals([reward, info.scene, info.location], [-1, "Nothing happens.", null]);
  assertEquals(env.legalActions(), before);
  assertEquals(env.step(actionOf(env, "go to fridge 1")).reward, 0);
  assertEquals(env.step(actionOf(env, "go to fridge 1")).reward, -1, "it is there already");
});

Deno.test("a random action that stands in for a text without a command costs 1, the same action chosen does not", () => {
  const env = new Household(), twin = new Household();
  for (let seed = 0; seed < 30; seed++) {
    for (const each of [env, twin]) each.reset({ seed });
    const action = env.randomAction();
    const illegal = env.step(action), legal = twin.step(action);
    assertEquals(illegal.info, legal.info);
    assertAlmostEquals(illegal.reward, legal.reward - 1, 1e-12);
  }
  env.reset({ seed: 0 });
  const action = env.randomAction();
  env.reset({ seed: 0 });
  assertEquals(env.step(action).reward, 0, "a reset forgets the stand-in");
});

Deno.test("random actions are admissible, and legalActions is what info lists", () => {
  const env = new Household();
  for (let seed = 0; seed < 20; seed++) {
    let { info } = env.reset({ seed });
    for (let steps = 0; steps < 50; steps++) {
      assertEquals(env.legalActions().map((action) => env.actions[action]), info.admissible);
      const action = env.randomAction();
      assert(info.admissible.includes(env.actions[action]));
      const result = env.step(action);
      assert(result.info.scene !== "Nothing happens.");
      if (result.terminated) break;
      info = result.info;
    }
  }
});

Deno.test("an episode is truncated after 50 steps", () => {
  const env = new Household();
  env.reset({ seed: 3 });
  const look = actionOf(env, "look");
  for (let steps = 1; steps < 50; steps++) assert(!env.step(look).truncated);
  const { truncated, terminated } = env.step(look);
  assertEquals([truncated, terminated], [true, false]);
  assertThrows(() => env.step(look), Error, "Cannot step Household: the episode has ended, call reset first");
});

Deno.test("seen and unseen rooms are apart, and the option overrules the setting", () => {
  const layouts = (split: string) =>
    ROOMS.filter((room) => room.split === split).map(({ receptacles }) => receptacles.join());
  const seen = new Set(layouts("seen"));
  assertEquals(seen.size, layouts("seen").length);
  assert(layouts("unseen").every((layout) => !seen.has(layout)));
  const rooms = { seen: new Set<string>(), unseen: new Set<string>() };
  const env = makeEnv("Household", { split: "unseen" });
  for (let seed = 0; seed < 600; seed++) {
    rooms.unseen.add(env.reset({ seed }).info.room as string);
    rooms.seen.add(env.reset({ seed, options: { split: "seen" } }).info.room as string);
  }
  for (const split of ["seen", "unseen"] as const) {
    const names = ROOMS.filter((room) => room.split === split).map(({ name }) => name);
    assertEquals([...rooms[split]].sort(), names.sort());
  }
});

Deno.test("the six task kinds come equally often", () => {
  const counts = new Map<string, number>();
  const env = new Household();
  for (let seed = 0; seed < 3000; seed++) {
    const { kind } = env.reset({ seed }).info;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  assertEquals([...counts.keys()].sort(), [...TASK_KINDS].sort());
  const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - 500) ** 2 / 500, 0);
  assert(chiSquare < 20.5, `chi-square is ${chiSquare}, above the 0.1% point of 5 degrees of freedom`);
});

Deno.test("no task is done at the start, and its object is never where it belongs", () => {
  const env = new Household();
  for (let seed = 0; seed < 500; seed++) {
    const { info } = env.reset({ seed });
    assertEquals([info.goalReached, info.goalConditionRate], [false, 0]);
    assert(env.shortestPlan().length >= 3);
  }
});

Deno.test("illegal options and settings are named, and leave the episode as it was", () => {
  const env = new Household();
  assertThrows(() => env.step(0), Error, "Cannot step Household: no episode has begun, call reset first");
  env.reset({ seed: 1 });
  const options: [Record<string, unknown>, string][] = [
    [{ colour: "red" }, 'unknown option "colour", use split, kind, room, object and target'],
    [{ split: "test" }, 'split is "test", use one of seen, unseen'],
    [{ kind: "wash" }, 'kind is "wash", use one of pick_and_place_simple'],
    [{ room: "kitchen 99" }, 'room is "kitchen 99"'],
    [{ object: 3 }, "object is 3, use one of apple"],
    [{ target: "sofa" }, 'target is "sofa"'],
    [{ room: "study 1", kind: "pick_heat_then_place_in_recep" }, 'no task fits {"room":"study 1"'],
    [{ object: "pencil", target: "fridge" }, "no task fits"],
  ];
  const twin = new Household();
  twin.reset({ seed: 1 });
  for (const [each, message] of options) {
    assertThrows(() => env.reset({ seed: 9, options: each }), RangeError, message);
  }
  assertEquals(env.step(env.solve()).info, twin.step(twin.solve()).info);
  assertEquals(env.reset().info, twin.reset().info);
  assertThrows(() => makeEnv("Household", { split: "new" as "seen" }), RangeError, 'split is "new"');
  assertThrows(() => makeEnv("Household", { mode: "text" as "image-only" }), RangeError, 'mode is "text"');
});

Deno.test("the prompt is RL4VLM's, with the scene, the task and the admissible commands of the state", () => {
  const env = new Household();
  const info =
    env.reset({ seed: 3, options: { room: "study 1", kind: "look_at_obj_in_light", object: "bowl" } }).info;
  const intro = "Your are an expert in the ALFRED Embodied Environment. ";
  const text = "You are also given the following text description of the current scene: " +
    "You are in the middle of a room. Looking quickly around you, you see a desk 1, a drawer 1, a drawer 2, " +
    "a garbagecan 1, a shelf 1, a shelf 2, and a sidetable 1. ";
  const task = "Your task is to look at bowl under the desklamp. ";
  const commands =
    "Your admissible actions of the current situation are: ['go to desk 1'\n 'go to drawer 1'\n " +
    "'go to drawer 2'\n 'go to garbagecan 1'\n 'go to shelf 1'\n 'go to shelf 2'\n 'go to sidetable 1'\n " +
    "'inventory'\n 'look']. ";
  const format = "Your response should be a valid json file in the following format: \n\\{\n";
  const thoughts =
    '"thoughts": "{first describe what do you see in the image using the text description, then ' +
    'carefully think about which action to complete the task. }", \n';
  const action = '"action": "{an admissible action}"\n\\}';
  assertEquals(env.prompt(info, { cot: true }), intro + text + task + commands + format + thoughts + action);
  assertEquals(env.prompt(info, { cot: false }), intro + text + task + commands + format + action);
  const imageOnly = new Household({ mode: "image-only" });
  assertEquals(imageOnly.prompt(info, { cot: true }), intro + task + format + thoughts + action);
});

Deno.test("a hundred steps take less than 10 ms of processor time without drawing, less than 100 ms with it", () => {
  const env = new Household();
  const play = (see: (result: { readonly observation: unknown }) => void) => {
    for (let steps = 0, isOver = true; steps < 100; steps++) {
      if (isOver) env.reset();
      const result = env.step(env.randomAction());
      see(result);
      isOver = result.terminated || result.truncated;
    }
  };
  const undrawnMs = fastestMs(10, () => play(() => {}));
  const drawnMs = fastestMs(100, () => play((result) => void result.observation));
  assert(undrawnMs < 10 && drawnMs < 100, `${undrawnMs} ms and ${drawnMs} ms`);
});
