import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { EZPoints } from "../../../envs/points/ez_points.ts";
import { Random } from "../../../envs/shared/random.ts";
import { greedyPieces } from "../greedy_pieces.ts";
import { assertReplays, demonstratedSuccess, frameDifference } from "./points_records.ts";
import parserRecords from "../data/ez_points_parser.json" with { type: "json" };
import prompts from "../data/ez_points_prompts.json" with { type: "json" };
import records from "../data/ez_points_records.json" with { type: "json" };

const PERFECT = { misread: 0, plan: 0, randomAction: 0, close: 0 };

/** After `items` of the deal. */
function envAt(cards: readonly string[], ...items: string[]): EZPoints {
  const env = new EZPoints();
  env.reset({ options: { cards } });
  for (const item of items) env.step(env.actions.indexOf(item));
  return env;
}

Deno.test("every recorded EZPoints episode replays exactly", () => {
  assertEquals(records.length, 120);
  assertReplays(new EZPoints(), records);
});

Deno.test("every recorded EZPoints response parses to the published action", () => {
  const env = new EZPoints();
  assertEquals(parserRecords.length, 104);
  for (const [text, action] of parserRecords) {
    assertEquals(env.parse(String(text)).action, action, String(text));
  }
});

Deno.test("EZPoints prompts are the published ones to the byte, with the formula in both places", () => {
  const env = new EZPoints();
  const { info } = env.reset({ options: { cards: ["H3", "DK"] } });
  assertEquals(env.prompt(info, { cot: true }), prompts.cot);
  assertEquals(env.prompt(info, { cot: false }), prompts.actionOnly);
  env.step(9);
  const after = env.step(9).info; // an illegal second ten appends a space
  const filled = prompts.cot.replace("formula: ", "formula: 10 ").replace('formula": ', 'formula": 10 ');
  assertEquals(env.prompt(after, { cot: true }), filled);
  assertEquals(env.prompt(after, { cot: false }), prompts.actionOnly.replace("formula: ", "formula: 10 "));
});

Deno.test("the span of a ten is the two digits of the text, whatever stands before it", () => {
  const text = 'é\0 1 "action": "10"}';
  const { action, start, end } = new EZPoints().parse(text);
  assertEquals([action, text.slice(start, end)], [9, "10"]);
  assertEquals(new EZPoints().parse('"action": "\0\x01"').action, null);
});

Deno.test("EZPoints deals have the published distribution", () => {
  const env = new EZPoints();
  env.reset({ seed: 1 });
  const counts: Record<string, number> = {};
  const count = 24_000;
  for (let i = 0; i < count; i++) {
    const [a, b] = env.reset().info.numbers.toSorted((x, y) => x - y);
    counts[`${a} ${b}`] = (counts[`${a} ${b}`] ?? 0) + 1;
  }
  // Of 12 first ranks: ten to king; two; three; four; six; five, seven; eight, nine.
  const expected = { "2 10": 4.5, "2 6": 1, "3 9": 1.5, "3 4": 1, "4 8": 1.5, "5 7": 2, "6 6": 0.5 };
  assertEquals(Object.keys(counts).sort(), Object.keys(expected).sort());
  for (const [pair, share] of Object.entries(expected)) {
    assertAlmostEquals(counts[pair], count * share / 12, 4 * Math.sqrt(count * share / 12), pair);
  }
});

Deno.test("the EZPoints solver wins every deal in four steps", () => {
  const env = new EZPoints();
  for (let seed = 0; seed < 500; seed++) {
    env.reset({ seed });
    const rewards = [1, 2, 3, 4].map(() => env.step(env.solve()).reward);
    assertEquals(rewards, [0, 0, 0, 10]);
  }
});

Deno.test("the EZPoints solver goes on from any formula, and closes one that is lost", () => {
  const solve = (...items: string[]) => {
    const env = envAt(["H3", "D9"], ...items);
    return env.actions[env.solve()];
  };
  assertEquals(solve("9"), "+");
  assertEquals(solve("9", "+", "1"), "3"); // a space in between does no harm
  assertEquals(solve("+"), "3"); // a sign
  assertEquals(solve("3", "*"), "="); // 3*9
  assertEquals(solve("3", "9"), "="); // 39
  assertEquals(solve("1", "1", "1"), "="); // too long to finish
});

Deno.test("an EZPoints demonstration without mistakes is the documented JSON and faithful", () => {
  const random = new Random(0);
  const write = (env: EZPoints, cot = true) => env.demonstrate(random, { cot, bias: PERFECT });
  assertEquals(
    write(envAt(["H3", "D9"], "3", "+")),
    '{"cards": [3, 9], "current formula": "3+", "thoughts": "3+9 makes 12", "action": "9"}',
  );
  assertEquals(
    write(envAt(["H3", "D9"], "3", "9")),
    '{"cards": [3, 9], "current formula": "39", "thoughts": "no plan", "action": "="}',
  );
  assertEquals(write(envAt(["H3", "D9"]), false), '{"action": "3"}');
  for (
    const items of [[], ["3"], ["3", "+"], ["3", "+", "9"], ["9", "9"], ["9", "9", "+"], ["*"], ["3", "9"]]
  ) {
    const env = envAt(["H3", "D9"], ...items);
    assertEquals(env.judge(write(env)), { perception: 1, faithful: true });
    assertEquals(env.judge(write(env, false)), { perception: null, faithful: null });
    assertEquals(env.parse(write(env)).action, env.solve());
  }
});

Deno.test("EZPoints mistakes come at the rates that the bias says, and the teacher wins 0.25 to 0.35", () => {
  const random = new Random(2);
  const count = 20_000;
  const expectRate = (happened: number, p: number, of = count) =>
    assertAlmostEquals(happened / of, p, 4 * Math.sqrt(p * (1 - p) / of));
  const write = (env: EZPoints, bias: Record<string, number>) =>
    JSON.parse(env.demonstrate(random, { cot: true, bias: { ...PERFECT, ...bias } }));
  const start = envAt(["H3", "D9"]);
  const full = envAt(["H3", "D9"], "3", "+", "9");
  const { bias } = new EZPoints();
  const tally = { misread: 0, plan: 0, randomAction: 0, close: 0 };
  for (let i = 0; i < count; i++) {
    tally.misread += Number(write(start, { misread: bias.misread }).cards[0] !== 3);
    tally.plan += Number(write(start, { plan: bias.plan }).thoughts === "3*9 makes 12");
    tally.randomAction += Number(write(start, { randomAction: bias.randomAction }).action !== "3");
    tally.close += Number(write(full, { close: bias.close }).action === "+");
  }
  expectRate(tally.misread, 0.08);
  expectRate(tally.plan, 0.15);
  expectRate(tally.randomAction, 0.12 * 12 / 13);
  expectRate(tally.close, 0.55);
  const success = demonstratedSuccess(new EZPoints(), 1000);
  assert(success > 0.25 && success < 0.35, `teacher wins ${success}`);
});

Deno.test("judging EZPoints tells misreading from an unfaithful thought", () => {
  const env = envAt(["H3", "D9"], "3");
  const judge = (cards: string, formula: string, thoughts: string, action: string) =>
    env.judge(
      `{"cards": [${cards}], "current formula": "${formula}", "thoughts": "${thoughts}", "action": "${action}"}`,
    );
  assertEquals(judge("3, 9", "3", "3+9 makes 12", "+"), { perception: 1, faithful: true });
  assertEquals(judge("3, 8", "3", "3+9 makes 12", "+"), { perception: 2 / 3, faithful: false });
  assertEquals(judge("2, 6", "2", "2*6 makes 12", "*"), { perception: 0, faithful: true });
  assertEquals(judge("3, 9", "3", "3*9 makes 12", "*"), { perception: 1, faithful: false });
  assertEquals(judge("3, 9", "3", "3+9 makes 13", "+"), { perception: 1, faithful: false });
  assertEquals(judge("3, 9", "3", "9+3 makes 12", "+"), { perception: 1, faithful: false });
  assertEquals(judge("3, 9", "3", "3+9 makes 12", "9"), { perception: 1, faithful: false });
  assertEquals(judge("3, 9", "3", "no plan", "="), { perception: 1, faithful: false });
  assertEquals(judge("3, 8", "3", "no plan", "="), { perception: 2 / 3, faithful: true });
  assertEquals(judge("3, 9, 1", "", "hm", "+"), { perception: 2 / 3, faithful: false });
  assertEquals(env.judge('{"cards": [3'), { perception: 0, faithful: false });
  assertEquals(env.judge('{"action": "+"}'), { perception: null, faithful: null });
});

Deno.test("EZPoints tokens write prompts and responses, one token an item", () => {
  const env = new EZPoints();
  assertEquals(new Set(env.tokens).size, env.tokens.length);
  const random = new Random(3);
  for (let seed = 0; seed < 300; seed++) {
    let { info } = env.reset({ seed });
    for (let isOver = false; !isOver;) {
      for (const cot of [true, false]) {
        const prompt = greedyPieces(env.prompt(info, { cot }), env.tokens);
        const length = info.formula.length;
        assertEquals(prompt.length, cot ? 3 + 2 * length : 2 + length);
        assertEquals(prompt.slice(1, 1 + length), info.formula);
        const response = env.demonstrate(random, { cot });
        const pieces = greedyPieces(response, env.tokens);
        // 15 on the way to a win; spaces and signs, written twice, lengthen the rest.
        const most = /^(\d+([+*](\d+)?)?)?$/.test(info.formula.join("")) ? 15 : 19;
        assert(pieces.length <= most, `${pieces.length} pieces: ${response}`);
        const { start, end } = env.parse(response);
        assertEquals(pieces.at(-2), response.slice(start, end));
        assertEquals(JSON.parse(response).action, response.slice(start, end));
      }
      const step = env.step(env.randomAction());
      info = step.info;
      isOver = step.terminated || step.truncated;
    }
  }
});

Deno.test("illegal EZPoints options, actions and calls are named, and leave the episode as it was", () => {
  const env = new EZPoints();
  assertThrows(() => env.step(0), Error, "Cannot step EZPoints: no episode has begun, call reset first");
  env.reset({ options: { cards: ["H3", "D9"] } });
  const resets: [Record<string, unknown>, string][] = [
    [{ cards: ["H1", "D9"] }, 'cards has "H1", which is no card'],
    [{ cards: ["H3", 9] }, "cards has 9, which is no card"],
    [{ cards: ["H3"] }, "cards has 1 cards, use a list of 2 names"],
    [{ cards: "H3D9" }, "cards has no list"],
    [{ target: 13 }, 'unknown option "target", use cards'],
  ];
  for (const [options, message] of resets) assertThrows(() => env.reset({ options }), RangeError, message);
  assertThrows(() => env.reset({ seed: -1 }), RangeError, "seed is -1");
  for (const action of [-1, 13, 0.5, NaN]) {
    assertThrows(() => env.step(action), RangeError, `action is ${action}, use an integer from 0 to 12`);
  }
  assertEquals(env.step(2).info.formula, ["3"]);
  env.step(12);
  assertThrows(() => env.solve(), Error, "Cannot solve EZPoints: the episode has ended, call reset first");
});

Deno.test("an EZPoints seed gives the same deals, undisturbed by pinned deals and random actions", () => {
  const deals = (seed: number, disturb: (env: EZPoints) => void) => {
    const env = new EZPoints();
    return Array.from({ length: 10 }, (_, i) => {
      disturb(env);
      return env.reset(i === 0 ? { seed } : {}).info.cards;
    });
  };
  const undisturbed = deals(7, () => {});
  assertEquals(deals(7, (env) => env.reset({ options: { cards: ["H3", "D9"] } })), undisturbed);
  assertEquals(deals(7, (env) => env.randomAction()), undisturbed);
  assertNotEquals(deals(8, () => {}), undisturbed);
});

Deno.test("an EZPoints frame shows the published picture", async () => {
  const env = new EZPoints();
  const { observation } = env.reset({ options: { cards: ["H7", "D5"] } });
  env.step(6);
  const step = env.step(10);
  // 4.77 measured, the faces being other art; another card in one place adds 1.2 and more.
  assert(await frameDifference(observation.data, "ez_points_frame_0.png") < 5);
  const { data } = env.reset({ options: { cards: ["H7", "H5"] } }).observation;
  assert(await frameDifference(data, "ez_points_frame_0.png") > 5.5);
  // In the rows of the formula 1.28 and 1.65 measured, the hinting of the type apart; a wrong item adds 0.4 and more.
  assert(await frameDifference(observation.data, "ez_points_frame_0.png", 250) < 1.4);
  assert(await frameDifference(step.observation.data, "ez_points_frame_2.png", 250) < 1.8);
  assert(await frameDifference(observation.data, "ez_points_frame_2.png", 250) > 2);
});
