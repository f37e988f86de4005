/** What every registered environment promises, whatever its rules. */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  ENV_NAMES,
  type Environment,
  type Info,
  makeEnv,
  Random,
  type SolvedEnvironment,
  type StepResult,
} from "../../envs/mod.ts";
import { fastestMs } from "../processor_time.ts";
import { greedyPieces } from "./greedy_pieces.ts";

/** More than any environment's step limit. */
const MAX_STEPS = 2000;
const MAX_PROMPT_PIECES = 64;
/** In the states that a solver comes to; elsewhere a response may have more to read out. */
const MAX_RESPONSE_PIECES = 30;

/** Everything about a state that a policy or a log may depend on. */
function describe(env: Environment, info: Info): unknown {
  return [info, env.prompt(info, { cot: true }), env.prompt(info, { cot: false })];
}

/** Plays an episode from where `env` is; `see` is called with each result. */
function play(env: Environment, act: () => number, see: (result: StepResult) => void = () => {}): StepResult {
  for (let steps = 1; steps <= MAX_STEPS; steps++) {
    const result = env.step(act());
    see(result);
    if (result.terminated || result.truncated) return result;
  }
  throw new Error(`${env.name} goes on after ${MAX_STEPS} steps`);
}

/** Three episodes of random actions as text, frames included where `frames`. */
function transcript(env: Environment, seed: number, frames = false): string {
  const lines: unknown[] = [];
  for (let episode = 0; episode < 3; episode++) {
    const { info, observation } = env.reset(episode === 0 ? { seed } : {});
    lines.push(describe(env, info), frames && [...observation.data.filter((_, i) => i % 97 === 0)]);
    play(env, () => env.randomAction(), ({ info, reward, terminated, truncated }) => {
      lines.push(describe(env, info), reward, terminated, truncated);
    });
  }
  return JSON.stringify(lines);
}

/** The states of episodes that the solver plays, on even seeds, and of random ones. */
function* states(env: SolvedEnvironment, seeds: number): Generator<Info & { readonly isSolved?: boolean }> {
  for (let seed = 0; seed < seeds; seed++) {
    let { info } = env.reset({ seed });
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      yield { ...info, isSolved: seed % 2 === 0 };
      const result = env.step(seed % 2 === 0 ? env.solve() : env.randomAction());
      if (result.terminated || result.truncated) break;
      info = result.info;
    }
  }
}

for (const name of ENV_NAMES) {
  Deno.test(`${name}: it is made by both of its names, and its actions and pieces differ from one another`, () => {
    const env = makeEnv(name);
    assertEquals(env.name, name);
    assertEquals(makeEnv(env.id).name, name);
    assert(env.actions.length >= 2);
    for (const list of [env.actions, env.tokens]) {
      assert(list.every((text) => text.length > 0));
    }
    assertEquals(new Set(env.actions).size, env.actions.length);
    for (const probability of Object.values(env.bias)) assert(probability >= 0 && probability <= 1);
  });

  Deno.test(`${name}: a seed determines the episodes, and different seeds differ`, () => {
    const first = transcript(makeEnv(name), 7, true);
    assertEquals(transcript(makeEnv(name), 7, true), first);
    const used = makeEnv(name, { seed: 3 });
    transcript(used, 11);
    assertEquals(transcript(used, 7, true), first);
    const deals = new Set(Array.from({ length: 20 }, (_, seed) => transcript(makeEnv(name), seed)));
    assert(deals.size >= 18, `20 seeds give ${deals.size} different runs`);
  });

  Deno.test(`${name}: the seed it is made with is the seed until a reset gives one`, () => {
    const made = makeEnv(name, { seed: 5 }).reset().info;
    assertEquals(made, makeEnv(name).reset({ seed: 5 }).info);
  });

  Deno.test(`${name}: an illegal seed or option is a RangeError and leaves the episode as it was`, () => {
    const env = makeEnv(name), twin = makeEnv(name);
    env.reset({ seed: 2 });
    twin.reset({ seed: 2 });
    for (const seed of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
      assertThrows(() => env.reset({ seed }), RangeError, "seed");
    }
    assertThrows(() => env.reset({ seed: 9, options: { noSuchOption: 1 } }), RangeError, "noSuchOption");
    const action = twin.solve();
    assertEquals(env.solve(), action);
    assertEquals(env.step(action).info, twin.step(action).info);
    assertEquals(env.reset().info, twin.reset().info);
  });

  Deno.test(`${name}: every episode ends once, and nothing goes on before a reset`, () => {
    const env = makeEnv(name);
    const needsReset = () => {
      assertThrows(() => env.step(0), Error, "reset");
      assertThrows(() => env.solve(), Error, "reset");
      assertThrows(() => env.demonstrate(new Random(0), { cot: true }), Error, "reset");
    };
    needsReset();
    for (let seed = 0; seed < 20; seed++) {
      const { info } = env.reset({ seed });
      assertEquals(info.goalReached, false);
      const last = play(env, () => env.randomAction(), ({ terminated, truncated, reward }) => {
        assert(!(terminated && truncated));
        assert(Number.isFinite(reward));
      });
      assertEquals(typeof last.info.goalReached, "boolean");
      needsReset();
    }
  });

  Deno.test(`${name}: actions are indices of the list, and no other number is taken`, () => {
    const env = makeEnv(name);
    env.reset({ seed: 1 });
    for (const action of [-1, env.actions.length, 0.5, NaN, Infinity]) {
      assertThrows(() => env.step(action), RangeError, String(action));
    }
    for (const _ of states(env, 10)) {
      for (const action of [env.solve(), env.randomAction()]) {
        assert(Number.isInteger(action) && action >= 0 && action < env.actions.length);
      }
    }
  });

  Deno.test(`${name}: random actions are more than one`, () => {
    const env = makeEnv(name);
    env.reset({ seed: 4 });
    assert(new Set(Array.from({ length: 100 }, () => env.randomAction())).size > 1);
  });

  Deno.test(`${name}: a picture is 300 x 300 RGB, that of its own state whenever it is read`, () => {
    const env = makeEnv(name);
    const before = env.reset({ seed: 1 });
    const after = env.step(env.solve());
    const now = makeEnv(name).reset({ seed: 1 });
    for (const { observation } of [before, after, now]) {
      const { width, height, data } = observation;
      assertEquals([width, height, data.length], [300, 300, 270_000]);
      assert(new Set(data).size > 2, "the picture is not blank");
      assert(Object.isFrozen(observation));
    }
    assertEquals(before.observation.data, now.observation.data);
  });

  Deno.test(`${name}: pictures of different episodes differ`, () => {
    const env = makeEnv(name);
    const first = env.reset({ seed: 0 }).observation.data;
    const others = [1, 2, 3, 4].map((seed) => env.reset({ seed }).observation.data);
    assert(others.some((data) => data.some((value, i) => value !== first[i])));
  });

  Deno.test(`${name}: the prompt after a reset is that of the very state, not of the last episode's end`, () => {
    const env = makeEnv(name);
    env.reset({ seed: 1 });
    play(env, () => env.solve());
    const { info } = env.reset({ seed: 2 });
    const fresh = makeEnv(name);
    assertEquals(describe(env, info), describe(fresh, fresh.reset({ seed: 2 }).info));
    const [cot, actionOnly] = [true, false].map((cot) => env.prompt(info, { cot }));
    assertNotEquals(cot, actionOnly);
  });

  Deno.test(`${name}: the tokens cover the prompts of every state`, () => {
    const env = makeEnv(name);
    const prompts = new Set<string>();
    for (const info of states(env, 10)) {
      for (const cot of [true, false]) prompts.add(env.prompt(info, { cot }));
    }
    for (const prompt of prompts) {
      const pieces = greedyPieces(prompt, env.tokens);
      assertEquals(pieces.join(""), prompt);
      assert(pieces.length <= MAX_PROMPT_PIECES, `${pieces.length} pieces: ${prompt}`);
    }
  });

  Deno.test(`${name}: demonstrations parse back, and their pieces mark the action`, () => {
    const env = makeEnv(name);
    const random = new Random(1);
    for (const { isSolved } of states(env, 20)) {
      for (const cot of [true, false]) {
        const response = env.demonstrate(random, { cot });
        assertEquals(typeof JSON.parse(response), "object");
        const { action, start, end } = env.parse(response);
        assert(action !== null, response);
        assertEquals(response.slice(start, end).toLowerCase(), env.actions[action].toLowerCase());
        const pieces = greedyPieces(response, env.tokens);
        assert(!isSolved || pieces.length <= MAX_RESPONSE_PIECES, `${pieces.length} pieces: ${response}`);
        // The action starts and ends where pieces do, so that a span of tokens is exactly the action.
        const ends = pieces.map((_, i) => pieces.slice(0, i + 1).join("").length);
        assert(
          ends.includes(start) && ends.includes(end),
          `${response} has no token of its own for the action`,
        );
      }
    }
  });

  Deno.test(`${name}: demonstrations without mistakes are right, faithful and the solver's`, () => {
    const env = makeEnv(name);
    const random = new Random(2);
    const bias = Object.fromEntries(Object.keys(env.bias).map((kind) => [kind, 0]));
    for (const _ of states(env, 20)) {
      const response = env.demonstrate(random, { cot: true, bias });
      assertEquals(env.parse(response).action, env.solve(), response);
      assertEquals(env.judge(response), { perception: 1, faithful: true }, response);
      const bare = env.demonstrate(random, { cot: false, bias });
      assertEquals(env.parse(bare).action, env.solve(), bare);
      assertEquals(env.judge(bare), { perception: null, faithful: null }, bare);
    }
  });

  Deno.test(`${name}: demonstrating, judging, parsing and drawing leave the episode as it was`, () => {
    const env = makeEnv(name), twin = makeEnv(name);
    const random = new Random(3);
    for (const each of [env, twin]) each.reset({ seed: 6 });
    play(env, () => {
      env.judge(env.demonstrate(random, { cot: true }));
      env.parse("{}");
      return env.solve();
    }, ({ observation }) => assertEquals(observation.width, 300));
    play(twin, () => twin.solve());
    assertEquals(env.reset().info, twin.reset().info);
    assertEquals(env.randomAction(), twin.randomAction());
  });

  Deno.test(`${name}: the same stream writes the same demonstrations`, () => {
    const write = () => {
      return demonstrations(makeEnv(name), new Random(5, "demonstrations"));
    };
    assertEquals(write(), write());
  });

  Deno.test(`${name}: any text parses to null or to the span of an action`, () => {
    const env = makeEnv(name);
    env.reset({ seed: 1 });
    const random = new Random(6);
    const fragments = ['{"action": "', '"action":', '"ACTION": ', '"', "}", " ", "\u{1F0A1}", "\ud800", "İ"];
    for (let i = 0; i < 2000; i++) {
      const text = Array.from({ length: random.integer(6) }, () => {
        const list = random.chance(0.3) ? env.actions : fragments;
        return list[random.integer(list.length)];
      }).join("");
      const { action, start, end } = env.parse(text);
      if (action === null) assertEquals([start, end], [-1, -1], text);
      else assertEquals(text.slice(start, end).toLowerCase(), env.actions[action].toLowerCase(), text);
      env.judge(text);
    }
  });

  Deno.test(`${name}: a text of 1 MB parses in under 10 ms of processor time, whatever it repeats`, () => {
    const env = makeEnv(name);
    env.reset({ seed: 1 });
    const response = env.demonstrate(new Random(0), { cot: true });
    const [first, ...others] = env.actions;
    const longest = others.reduce((a, b) => (b.length > a.length ? b : a));
    const actions = [first, longest, others.slice(-9).join("")];
    const units = ["x", '"', '"action"', '"action":', `"action": "${first}`, "\0", ...actions, response];
    for (const unit of units) {
      const text = `"action":${unit.repeat(Math.ceil(2 ** 20 / unit.length))}`.slice(0, 2 ** 20);
      for (const read of [env.parse, (text: string) => env.judge(text)]) {
        const limitMs = read === env.parse ? 10 : 100; // judging is for responses, not for any text
        const elapsedMs = fastestMs(limitMs, () => read(text));
        assert(elapsedMs < limitMs, `${JSON.stringify(unit.slice(0, 40))} repeated took ${elapsedMs} ms`);
      }
    }
  });
}

/** Demonstrations of one solved episode. */
function demonstrations(env: SolvedEnvironment, random: Random): string {
  const responses: string[] = [];
  env.reset({ seed: 8 });
  play(env, () => {
    responses.push(env.demonstrate(random, { cot: responses.length % 2 === 0 }));
    return env.solve();
  });
  return responses.join("\n");
}
