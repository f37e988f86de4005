/** Environments by value: both forms of a definition, what is filled in, and what is refused. */
import { assert, assertEquals, assertNotEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  checkEnvironment,
  defineEnvironment,
  type Environment,
  ENVIRONMENTS,
  gridPicture,
  isEnvironmentDefinition,
  type Observation,
  Random,
  type StepResult,
} from "../../envs/mod.ts";
import { corridor, corridorRules, unsolvedCorridor } from "./corridor.ts";
import { greedyPieces } from "./greedy_pieces.ts";

const PIXEL: Observation = { width: 1, height: 1, data: new Uint8Array(3) };

Deno.test("an environment in the short form keeps every promise that ours keep", () => {
  for (const definition of [corridor, unsolvedCorridor]) {
    assertEquals(checkEnvironment(definition).filter(({ fault }) => fault !== null), []);
  }
});

Deno.test("rules may change the state that they are handed: the states before stay as they were", () => {
  const env = corridor.make();
  const before = env.reset({ seed: 0, options: { state: { place: 1 } } });
  const after = env.step(1);
  assertEquals([before.info.place, after.info.place], [1, 2]);
  assertNotEquals(before.observation.data, after.observation.data);
});

Deno.test("an episode ends by the rules or by the step limit, never by both", () => {
  const env = corridor.make();
  env.reset({ seed: 0, options: { state: { place: 3 } } });
  const { reward, terminated, truncated, info } = env.step(1);
  assertEquals([reward, terminated, truncated, info.goalReached], [1, true, false, true]);
  assertThrows(() => env.step(1), Error, "Cannot step Corridor: the episode has ended, call reset first");
  env.reset({ seed: 0 });
  let last: StepResult | undefined;
  for (let i = 0; i < 12; i++) last = env.step(0);
  assertEquals([last!.terminated, last!.truncated, last!.info.goalReached], [false, true, false]);
});

Deno.test("states with equal data have equal keys and share one picture", () => {
  const [one, other] = [corridor.make(), corridor.make()];
  const first = one.reset({ seed: 4, options: { state: { place: 2 } } });
  other.reset({ seed: 9, options: { state: { place: 3 } } });
  assertNotEquals(one.stateKey(), other.stateKey());
  const second = other.step(0);
  assertEquals(one.stateKey(), other.stateKey());
  assert(first.observation.data === second.observation.data);
  const longer = corridor.make({ length: 8 }).reset({ seed: 4, options: { state: { place: 2 } } });
  assertEquals([first.observation.width, longer.observation.width], [35, 56]);
});

Deno.test("settings have their defaults, and what they cannot be is named with what they can", () => {
  assertEquals(corridor.settings, { length: "cells, an integer from 2 to 9; 5 by default" });
  for (const [length, shown] of [[1, "1"], [10, "10"], [2.5, "2.5"], ["5", '"5"']] as const) {
    assertThrows(
      () => corridor.make({ length }),
      RangeError,
      `Cannot make Corridor: length is ${shown}, use an integer from 2 to 9`,
    );
  }
  assertThrows(
    () => corridor.make({ lenght: 4 }),
    RangeError,
    'Cannot make Corridor: it has no setting "lenght", known: seed, length',
  );
});

Deno.test("the default prompt names the game and the actions, and asks for a thought only where one is wanted", () => {
  const env = corridor.make();
  const { info } = env.reset({ seed: 1 });
  const [cot, bare] = [true, false].map((cot) => env.prompt(info, { cot }));
  for (const prompt of [cot, bare]) {
    assertStringIncludes(prompt, "a game called Corridor");
    assertStringIncludes(prompt, "choose between ['left', 'right']");
    assertStringIncludes(prompt, '"action": "left" or "right" \n}');
  }
  assertStringIncludes(cot, '"thoughts":');
  assert(!bare.includes("thoughts"));
  assertEquals(env.parse('{"action": "RIGHT"}'), { action: 1, start: 12, end: 17 });
});

Deno.test("a task that quotes the state is told for the state of its info, also after later steps", () => {
  const env = defineEnvironment({
    ...corridorRules,
    task: ({ place }) => `You are in cell ${place} of a corridor.`,
  }).make();
  const { info } = env.reset({ seed: 0, options: { state: { place: 0 } } });
  const { info: later } = env.step(1);
  assertStringIncludes(env.prompt(info, { cot: true }), "in cell 0 of");
  assertStringIncludes(env.prompt(later, { cot: true }), "in cell 1 of");
});

Deno.test("default tokens hold a constant prompt as one piece and a thought in a few", () => {
  const env = corridor.make();
  const { info } = env.reset({ seed: 1 });
  for (const cot of [true, false]) {
    assertEquals(greedyPieces(env.prompt(info, { cot }), env.tokens).length, 1);
  }
  const response = env.demonstrate!(new Random(0), { cot: true, bias: { randomAction: 0 } });
  assert(greedyPieces(response, env.tokens).length <= 12, response);
});

Deno.test("a demonstration is the solver's action after its thought, but for its share of random ones", () => {
  const env = corridor.make();
  env.reset({ seed: 0, options: { state: { place: 1 } } });
  const write = (cot: boolean) => env.demonstrate!(new Random(1), { cot, bias: { randomAction: 0 } });
  assertEquals(write(true), '{"thoughts": "3 cells to the goal", "action": "right"}');
  assertEquals(write(false), '{"action": "right"}');
  assertEquals(env.bias, { randomAction: 0.25 });
  const random = new Random(2);
  const wrong = Array.from({ length: 2000 }, () => env.demonstrate!(random, { cot: false }))
    .filter((text) => text.includes("left")).length;
  // A random action is the other one half the time.
  assert(Math.abs(wrong / 2000 - 0.125) < 0.03, `${wrong} of 2000`);
});

Deno.test("a judge compares a response with the state that it was written for", () => {
  const judged = (judge: unknown) =>
    defineEnvironment({ ...corridorRules, judge: judge as () => { perception: null; faithful: null } })
      .make();
  const env = defineEnvironment({
    ...corridorRules,
    judge: ({ place }, text, { length }) => ({
      perception: Number(text.includes(`${length - 1 - place} cells`)),
      faithful: null,
    }),
  }).make();
  assertThrows(() => env.judge!("4 cells"), Error, "Cannot judge a response to Corridor: ");
  env.reset({ options: { state: { place: 0 } } });
  assertEquals(env.judge!("4 cells"), { perception: 1, faithful: null });
  env.step(1);
  assertEquals(env.judge!("4 cells"), { perception: 0, faithful: null });
  const cases: [judgement: unknown, fault: string][] = [
    [undefined, "perception is missing, expected a share from 0 to 1, or null"],
    [{ perception: 2, faithful: null }, "perception is 2, expected"],
    [{ perception: NaN, faithful: null }, "perception is NaN, expected"],
    [{ perception: 1 }, "faithful is missing, expected true, false or null"],
    [{ perception: null, faithful: 1 }, "faithful is 1, expected"],
  ];
  for (const [judgement, fault] of cases) {
    const env = judged(() => judgement);
    env.reset({ seed: 0 });
    assertThrows(() => env.judge!(""), TypeError, `Cannot judge a response in Corridor: ${fault}`);
  }
  assertThrows(() => judged(7), TypeError, "Cannot define Corridor: judge is 7, expected a function");
});

Deno.test("what the rules do not give the environment does not have", () => {
  const env = unsolvedCorridor.make();
  for (
    const part of ["solve", "demonstrate", "judge", "bias", "legalActions", "actionValues", "id"] as const
  ) {
    assertEquals(env[part], undefined, part);
  }
});

Deno.test("a definition names the rule that is missing or of another kind", () => {
  const define = defineEnvironment as (definition: unknown) => unknown;
  const { step: _, ...stepless } = corridorRules;
  for (
    const [definition, message] of [
      [stepless, "Cannot define Corridor: step is missing, expected a function (state, action, random)"],
      [{ ...corridorRules, render: 3 }, "Cannot define Corridor: render is 3, expected a function"],
      [{ ...corridorRules, name: "my maze" }, 'name is "my maze", use letters'],
      [{ ...corridorRules, name: undefined }, "name is missing"],
      [{ ...corridorRules, actions: ["up"] }, 'Cannot define Corridor: actions is ["up"], expected a list'],
      [{ ...corridorRules, actions: ["up", "up"] }, 'actions has "up" twice'],
      [{ ...corridorRules, solve: true }, "Cannot define Corridor: solve is true, expected a function"],
      [{ ...corridorRules, mistakes: 2 }, "mistakes is 2, expected a share from 0 to 1"],
      [{ ...corridorRules, stepLimit: 0 }, "stepLimit is 0"],
      [{ name: "Made", make: {} }, "Cannot define Made: make is an object, give a function"],
    ] as const
  ) assertThrows(() => define(definition), TypeError, message);
});

Deno.test("rules that return no state or no number are named when they are played", () => {
  const play = (step: unknown) => {
    const env = defineEnvironment({ ...corridorRules, step: step as typeof corridorRules.step }).make();
    env.reset({ seed: 0 });
    return env.step(1);
  };
  assertThrows(() => play(() => ({ reward: 1 })), TypeError, "step returned an object without a state");
  assertThrows(() => play(() => undefined), TypeError, "step returned nothing");
  assertThrows(() => play(() => ({ state: {}, reward: NaN })), TypeError, "reward is NaN, expected a finite");
});

/** The smallest environment of one's own making. */
function made(parts: Partial<Environment>) {
  const result = { observation: PIXEL, info: { goalReached: false } };
  return defineEnvironment({
    name: "Made",
    make: () => ({
      actions: ["a", "b"],
      reset: () => ({ ...result }),
      step: () => ({ ...result, reward: 0, terminated: true, truncated: false }),
      ...parts,
    }),
  });
}

Deno.test("of an environment of one's own making, actions, reset and step are enough", () => {
  const env: Environment = made({}).make();
  const { info } = env.reset({ seed: 1 });
  assertEquals([env.name, env.id, env.solve], ["Made", undefined, undefined]);
  assertEquals(env.parse('{"action": "b"}').action, 1);
  assert([0, 1].includes(env.randomAction()));
  assertStringIncludes(env.prompt(info, { cot: false }), "['a', 'b']");
  assertStringIncludes(env.stateKey(), "1 x 1");
  assert(env.tokens.includes("a"));
  assertThrows(() => env.reset({ seed: -1 }), RangeError, "seed is -1");
});

Deno.test("random actions follow the seed and keep to the legal actions", () => {
  const draw = (legal?: number[]) => {
    const env = made(legal ? { legalActions: () => legal } : {}).make();
    env.reset({ seed: 5 });
    return Array.from({ length: 20 }, () => env.randomAction());
  };
  assertEquals(draw(), draw());
  assertEquals(new Set(draw()), new Set([0, 1]));
  assertEquals(new Set(draw([1])), new Set([1]));
});

Deno.test("without a stateKey, states are told apart by prompt and by every byte of the picture", () => {
  let data = new Uint8Array(3);
  const env = made({
    reset: () => ({ observation: { ...PIXEL, data }, info: { goalReached: false } }),
  }).make();
  for (const look of [() => env.stateKey(), () => env.current()]) {
    assertThrows(look, Error, "Cannot look at the state of Made: no episode has begun, call reset first");
  }
  const keyOf = (bytes: number[]) => {
    data = Uint8Array.from(bytes);
    env.reset();
    return env.stateKey();
  };
  assertEquals(keyOf([1, 2, 3]), keyOf([1, 2, 3]));
  assertNotEquals(keyOf([1, 2, 3]), keyOf([1, 2, 4]));
});

Deno.test("a part that is missing or of another kind is named when the environment is made", () => {
  assertThrows(() => made({ step: undefined }).make(), TypeError, "Cannot make Made: step is missing");
  const wrong = { solve: 1 } as unknown as Partial<Environment>;
  assertThrows(() => made(wrong).make(), TypeError, "Cannot make Made: solve is 1, expected a function");
  const nothing = defineEnvironment({ name: "Made", make: () => undefined as never });
  assertThrows(() => nothing.make(), TypeError, "make returned missing, return an environment");
});

Deno.test("a first frame that is no picture names the environment, the field and what was expected", () => {
  for (
    const [observation, message] of [
      [
        { width: 4, height: 2, data: new Uint8Array(9) },
        "observation.data has 9 bytes, expected 4 x 2 x 3 = 24",
      ],
      [{ width: 0, height: 2, data: new Uint8Array(0) }, "observation.width is 0, expected a whole number"],
      [{ width: 1, height: 1.5, data: new Uint8Array(0) }, "observation.height is 1.5"],
      [{ width: 1, height: 1, data: [1, 2, 3] }, "observation.data is of type Array, expected a Uint8Array"],
      [{ width: 1, height: 1 }, "observation.data is missing"],
      [undefined, "observation is missing, expected { width, height, data }"],
    ] as const
  ) {
    const info = { goalReached: false };
    const eager = made({ reset: () => ({ observation: observation as Observation, info }) });
    assertThrows(() => eager.make().reset(), RangeError, `Cannot use the frame of Made: ${message}`);
    const lazy = made({
      reset: () => ({
        info,
        get observation() {
          return observation as Observation;
        },
      }),
    });
    const result = lazy.make().reset();
    assertThrows(() => result.observation, RangeError, message);
  }
});

Deno.test("definitions are told from other values", () => {
  for (const definition of [...ENVIRONMENTS, corridor]) assert(isEnvironmentDefinition(definition));
  for (const value of [undefined, null, 3, "NumberLine", {}, corridorRules, corridor.make()]) {
    assert(!isEnvironmentDefinition(value));
  }
});

const rules = {
  name: "Row",
  actions: ["left", "right"],
  stepLimit: 4,
  reset: () => ({ x: 0 }),
  step: ({ x }: { x: number }) => ({ state: { x: x + 1 }, reward: 0 }),
  render: () => gridPicture(["."], { ".": [0, 0, 0] }),
  solve: () => 1,
};
// deno-lint-ignore no-explicit-any -- what a file of plain JavaScript may hold
const define = (changes: Record<string, any>) => defineEnvironment({ ...rules, ...changes } as any);

Deno.test("a definition with an unknown field, or a limit that is no number of steps, is refused by name", () => {
  assertThrows(
    () => define({ sovle: () => 1 }),
    TypeError,
    "Cannot define Row: unknown field sovle: did you mean solve?",
  );
  for (const stepLimit of ["6", Infinity, 2.5, 0]) {
    assertThrows(() => define({ stepLimit }), TypeError, "Cannot define Row: stepLimit is ");
  }
});

Deno.test("what rules return is checked by kind, and named", () => {
  const random = new Random(0);
  const demonstrate = (changes: Record<string, unknown>) => {
    const env = define(changes).make();
    env.reset({ seed: 0 });
    return () => env.demonstrate!(random, { cot: true, bias: { randomAction: 0 } });
  };
  assertThrows(
    () => define({ reset: () => Promise.resolve({}) }).make().reset({ seed: 0 }),
    TypeError,
    "reset returned of type Promise",
  );
  assertThrows(
    () => define({ reset: () => {} }).make().reset({ seed: 0 }),
    TypeError,
    "reset returned missing",
  );
  for (const action of [9, -1, 0.5, NaN, "right", Promise.resolve(1)]) {
    assertThrows(demonstrate({ solve: () => action }), TypeError, "Cannot solve Row: solve returned ");
  }
  assertThrows(
    demonstrate({ thought: () => 5 }),
    TypeError,
    "Cannot demonstrate Row: thought returned 5, expected a text",
  );
  const step = (outcome: unknown) => {
    const env = define({ step: () => outcome }).make();
    env.reset({ seed: 0 });
    return () => env.step(0);
  };
  assertThrows(
    step(undefined),
    TypeError,
    "Cannot step Row: step returned nothing, return { state, reward, terminated }",
  );
  const outcome = { state: { x: 1 }, reward: 0 };
  assertThrows(
    step({ ...outcome, terminated: "no" }),
    TypeError,
    'terminated is "no", expected true or false',
  );
  assertThrows(step({ ...outcome, goalReached: 1 }), TypeError, "goalReached is 1, expected true or false");
});

Deno.test("every frame of rules is checked, not the first alone", () => {
  const env = define({
    render: ({ x }: { x: number }) => ({ width: 1, height: 1, data: new Uint8Array(3 - x) }),
  }).make();
  assertEquals(env.reset({ seed: 0 }).observation.width, 1);
  assertThrows(
    () => env.step(0).observation,
    RangeError,
    "Cannot use the frame of Row: observation.data has 2 bytes",
  );
});

Deno.test("a state that holds itself is no plain data", () => {
  const reset = () => {
    const state: Record<string, unknown> = { x: 0 };
    return Object.assign(state, { state });
  };
  assertThrows(
    () => define({ reset }).make().reset({ seed: 0 }).observation,
    TypeError,
    "it holds itself, use plain data",
  );
});
