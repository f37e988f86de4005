/** What every environment promises, whatever its rules: checks to run on your own definition. */

import type { EnvironmentDefinition, EnvironmentSettings } from "./definition.ts";
import { checkFrame } from "./shared/complete.ts";
import { Random } from "./shared/random.ts";
import { judgementFault } from "./shared/rules.ts";
import type { Environment, Info, ResetResult, StepResult } from "./types.ts";

/** One promise. */
export interface EnvironmentCheck {
  /** The promise as a sentence. */
  readonly name: string;
  /** Throws `Error` saying how it is broken. */
  readonly run: (definition: EnvironmentDefinition, settings?: EnvironmentSettings) => void;
}

/** Result of a check: `fault` says how the promise is broken, null if it is kept. */
export interface CheckResult {
  /** The promise. */
  readonly name: string;
  /** How it is broken; null when it is kept. */
  readonly fault: string | null;
}

/** More than the step limit of any sensible environment. */
const MAX_STEPS = 10_000;
const EPISODES = 6;
/** Steps of an episode that need not be played to its end. */
const STEPS = 12;
const MAX_PROMPT_PIECES = 256;

/**
 * Runs every check on a definition, made with `settings`. It plays some episodes, which takes seconds at most.
 *
 * @example Nothing is broken
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkEnvironment, numberLine } from "@ponder/ponder/envs";
 *
 * const broken = checkEnvironment(numberLine).filter(({ fault }) => fault !== null);
 * assertEquals(broken, []);
 * ```
 */
export function checkEnvironment(
  definition: EnvironmentDefinition,
  settings: EnvironmentSettings = {},
): CheckResult[] {
  return ENVIRONMENT_CHECKS.map(({ name, run }) => {
    try {
      run(definition, settings);
      return { name, fault: null };
    } catch (error) {
      return { name, fault: error instanceof Error ? error.message : String(error) };
    }
  });
}

/** The checks, in the order in which a fault of one explains those of the next. */
export const ENVIRONMENT_CHECKS: readonly EnvironmentCheck[] = [
  {
    name: "it is made, and its actions and tokens are texts that differ",
    run: (definition, settings) => {
      const env = definition.make(settings);
      expect(env.name === definition.name, `name is ${env.name}, expected ${definition.name}`);
      expect(env.actions.length >= 2, `actions are ${env.actions.length}, expected at least 2`);
      for (const [list, texts] of Object.entries({ actions: env.actions, tokens: env.tokens })) {
        expect(texts.every((text) => text !== ""), `${list} has an empty text`);
      }
      const twin = env.actions.find((action, i) => env.actions.indexOf(action) !== i);
      expect(twin === undefined, `actions has ${twin} twice`);
    },
  },
  {
    name: "a picture is width x height x 3 bytes, and that of its own state whenever it is read",
    run: (definition, settings) => {
      const env = definition.make(settings), twin = definition.make(settings);
      const begin = env.reset({ seed: 1 });
      const first = twin.reset({ seed: 1 }).observation.data.slice();
      act(env);
      const { width, height } = begin.observation;
      checkFrame(env.name, begin.observation);
      expect(equalBytes(begin.observation.data, first), "a picture changes when the next step is taken");
      for (const { observation } of states(env, 3)) {
        checkFrame(env.name, observation);
        const size = `${observation.width} x ${observation.height}`;
        expect(
          size === `${width} x ${height}`,
          `pictures are ${width} x ${height} and ${size}, expected one size`,
        );
      }
    },
  },
  {
    name: "the same seed gives the same episodes, and different seeds differ",
    run: (definition, settings) => {
      const first = transcript(definition.make(settings), 7);
      expect(transcript(definition.make(settings), 7) === first, "two environments differ on seed 7");
      const used = definition.make(settings);
      transcript(used, 11);
      expect(transcript(used, 7) === first, "seed 7 gives another episode once others have been played");
      const deals = new Set(
        Array.from({ length: 20 }, (_, seed) => transcript(definition.make(settings), seed)),
      );
      expect(deals.size > 1, "20 seeds give one and the same episode");
    },
  },
  {
    name: "an illegal seed or option is a RangeError and leaves the episode as it was",
    run: (definition, settings) => {
      const env = definition.make(settings), twin = definition.make(settings);
      for (const each of [env, twin]) each.reset({ seed: 2 });
      for (const seed of [-1, 0.5, NaN, 2 ** 53]) {
        expectThrows(RangeError, () => env.reset({ seed }), `reset takes seed ${seed}`);
      }
      const options = { noSuchOption: 1 };
      expectThrows(RangeError, () => env.reset({ seed: 9, options }), "reset takes an option noSuchOption");
      expect(env.stateKey() === twin.stateKey(), "a reset that failed changes the state");
      expect(same(env.step(0).info, twin.step(0).info), "a reset that failed changes the next step");
    },
  },
  {
    name: "actions are indices of the list, and no other number is taken",
    run: (definition, settings) => {
      const env = definition.make(settings);
      env.reset({ seed: 1 });
      for (const action of [-1, env.actions.length, 0.5, NaN]) {
        expectThrows(RangeError, () => env.step(action), `step takes action ${action}`);
      }
      for (const _ of states(env, EPISODES)) {
        for (
          const action of [
            env.randomAction(),
            ...env.legalActions?.() ?? [],
            ...env.solve ? [env.solve()] : [],
          ]
        ) {
          const isAction = Number.isInteger(action) && action >= 0 && action < env.actions.length;
          expect(isAction, `${action} is no action, expected 0 to ${env.actions.length - 1}`);
        }
        const legal = env.legalActions?.() ?? [0];
        expect(legal.length > 0, "a state has no legal action");
        expect(
          legal.every((action, i) => i === 0 || action > legal[i - 1]),
          `legalActions ${legal} do not ascend`,
        );
      }
    },
  },
  {
    name: "every episode ends once, and nothing goes on before a reset",
    run: (definition, settings) => {
      const env = definition.make(settings);
      const needsReset = () => expectThrows(Error, () => env.step(0), "step is taken without an episode");
      needsReset();
      for (let seed = 0; seed < EPISODES; seed++) {
        expect(env.reset({ seed }).info.goalReached === false, "goalReached is not false at the beginning");
        playOut(env);
        needsReset();
      }
    },
  },
  {
    name: "a state's key is the same when the same is done again, and looking at a state does not change it",
    run: (definition, settings) => {
      const env = definition.make(settings), twin = definition.make(settings);
      const random = new Random(3);
      for (let seed = 0; seed < 3; seed++) {
        for (const each of [env, twin]) each.reset({ seed });
        for (let step = 0; step < STEPS; step++) {
          env.demonstrate?.(random, { cot: true });
          env.parse('{"action": "?"}');
          env.judge?.("{}");
          env.actionValues?.();
          const action = env.solve?.() ?? step % env.actions.length;
          const key = env.stateKey();
          expect(key === twin.stateKey(), `keys of the same state differ: ${key}, ${twin.stateKey()}`);
          expect(env.stateKey() === key, "a state's key changes when it is asked for twice");
          const [result] = [env.step(action), twin.step(action)];
          if (result.terminated || result.truncated) break;
        }
      }
    },
  },
  {
    name: "current is what the last reset or step returned, and a failed one changes nothing",
    run: (definition, settings) => {
      const env = definition.make(settings);
      for (let seed = 0; seed < 3; seed++) {
        const begin = env.reset({ seed });
        expect(env.current() === begin, "current is not what reset returned");
        expectThrows(RangeError, () => env.step(-1), "step takes action -1");
        expect(env.current() === begin, "a step that failed changes current");
        const next = act(env);
        expect(env.current() === next, "current is not what step returned");
        expectThrows(RangeError, () => env.reset({ seed: -1 }), "reset takes seed -1");
        expect(env.current() === next, "a reset that failed changes current");
      }
    },
  },
  {
    name: "the prompt is that of the very state, and tokens cover it",
    run: (definition, settings) => {
      const env = definition.make(settings), fresh = definition.make(settings);
      env.reset({ seed: 1 });
      playOut(env);
      const { info } = env.reset({ seed: 2 });
      const { info: freshInfo } = fresh.reset({ seed: 2 });
      for (const cot of [true, false]) {
        const prompt = env.prompt(info, { cot });
        expect(prompt === fresh.prompt(freshInfo, { cot }), "a prompt depends on the episode before");
      }
      for (const { info } of states(env, 3)) {
        for (const cot of [true, false]) covered(env, env.prompt(info, { cot }), "a prompt");
      }
    },
  },
  {
    name: "any text parses to null or to the span of an action",
    run: (definition, settings) => {
      const env = definition.make(settings);
      env.reset({ seed: 1 });
      const random = new Random(6);
      const fragments = ['{"action": "', '"action":', '"', "}", " ", "\u{1F0A1}", "\ud800", "İ"];
      for (let i = 0; i < 500; i++) {
        const text = Array.from({ length: random.integer(6) }, () => {
          const list = random.chance(0.3) ? env.actions : fragments;
          return list[random.integer(list.length)];
        }).join("");
        expectSpan(env, text);
        const judgement = env.judge?.(text);
        const fault = judgement === undefined ? null : judgementFault(judgement);
        expect(fault === null, `judge: ${fault}`);
      }
      const legal = env.legalActions?.() ?? env.actions.map((_, i) => i);
      for (const action of legal) {
        const text = `{"action": "${env.actions[action]}"}`;
        expectSpan(env, text);
      }
      const isFound = legal.some((i) => env.parse(`{"action": "${env.actions[i]}"}`).action === i);
      expect(isFound, `{"action": "${env.actions[legal[0]]}"} parses to no action`);
    },
  },
  {
    name: "demonstrations parse back to an action, and tokens cover them and mark it",
    run: (definition, settings) => {
      const env = definition.make(settings);
      if (env.demonstrate === undefined) return;
      const random = new Random(1);
      for (const _ of states(env, EPISODES)) {
        for (const cot of [true, false]) {
          const text = env.demonstrate(random, { cot });
          const { action, start, end } = expectSpan(env, text);
          expect(action !== null, `a demonstration parses to no action: ${text}`);
          const ends = covered(env, text, "a demonstration");
          expect(
            (start === 0 || ends.includes(start)) && ends.includes(end),
            `no token begins and ends with the action of ${text}`,
          );
        }
      }
    },
  },
];

function expect(holds: boolean, fault: string): void {
  if (!holds) throw new Error(fault);
}

function expectThrows(kind: ErrorConstructor | RangeErrorConstructor, work: () => void, fault: string): void {
  try {
    work();
  } catch (error) {
    if (error instanceof kind) return;
    throw new Error(`${fault}: it throws ${error}, expected a ${kind.name}`);
  }
  throw new Error(`${fault}, expected a ${kind.name}`);
}

function expectSpan(env: Environment, text: string) {
  const parse = env.parse(text);
  const { action, start, end } = parse;
  const written = text.slice(start, end).toLowerCase();
  const isRight = action === null
    ? start === -1 && end === -1
    : written === env.actions[action]?.toLowerCase();
  expect(
    isRight,
    `${JSON.stringify(text)} parses to action ${action} from ${start} to ${end}, which is no such span`,
  );
  return parse;
}

/** Finds the ends of a text's greedy pieces. Throws when no piece covers some part of it, or when there are very many. */
function covered(env: Environment, text: string, what: string): number[] {
  // An empty token covers nothing; it would be found without end.
  const pieces = env.tokens.filter((token) => token !== "").sort((a, b) => b.length - a.length);
  const ends: number[] = [];
  for (let at = 0; at < text.length;) {
    const piece = pieces.find((piece) => text.startsWith(piece, at));
    if (piece === undefined) {
      throw new Error(`no token covers ${JSON.stringify(text.slice(at, at + 20))} in ${what}`);
    }
    ends.push(at += piece.length);
  }
  expect(
    ends.length <= MAX_PROMPT_PIECES,
    `${what} takes ${ends.length} tokens, expected at most ${MAX_PROMPT_PIECES}`,
  );
  return ends;
}

function act(env: Environment): StepResult {
  return env.step(env.solve?.() ?? env.randomAction());
}

/** The states of episodes that the solver plays, on even seeds, and of random ones. */
function* states(env: Environment, seeds: number): Generator<ResetResult> {
  for (let seed = 0; seed < seeds; seed++) {
    let state = env.reset({ seed });
    for (let steps = 0; steps < STEPS; steps++) {
      yield state;
      const result = seed % 2 === 0 ? act(env) : env.step(env.randomAction());
      if (result.terminated || result.truncated) break;
      state = result;
    }
  }
}

function playOut(env: Environment): void {
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const { reward, terminated, truncated, info } = env.step(env.randomAction());
    expect(Number.isFinite(reward), `reward is ${reward}, expected a finite number`);
    expect(!(terminated && truncated), "a step is both terminated and truncated");
    expect(
      typeof info.goalReached === "boolean",
      `info.goalReached is ${info.goalReached}, expected true or false`,
    );
    if (terminated || truncated) return;
  }
  throw new Error(`an episode of random actions goes on after ${MAX_STEPS} steps, give it a step limit`);
}

/** Two episodes of random actions as text. */
function transcript(env: Environment, seed: number): string {
  const lines: unknown[] = [];
  const see = (info: Info) => lines.push(info, env.prompt(info, { cot: true }), env.stateKey());
  for (let episode = 0; episode < 2; episode++) {
    const { info, observation } = env.reset(episode === 0 ? { seed } : {});
    see(info);
    lines.push(observation.data.reduce((sum, byte, i) => (sum + byte * (i % 251 + 1)) % 2 ** 32, 0));
    for (let steps = 0; steps < STEPS; steps++) {
      const { info, reward, terminated, truncated } = env.step(env.randomAction());
      see(info);
      lines.push(reward, terminated, truncated);
      if (terminated || truncated) break;
    }
  }
  return JSON.stringify(lines);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
