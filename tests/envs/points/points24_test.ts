import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Points24, type Points24Settings } from "../../../envs/points/points24.ts";
import { Random } from "../../../envs/shared/random.ts";
import { fastestMs } from "../../processor_time.ts";
import { greedyPieces } from "../greedy_pieces.ts";
import { assertReplays, demonstratedSuccess, frameDifference } from "./points_records.ts";
import parserRecords from "../data/points24_parser.json" with { type: "json" };
import prompts from "../data/points24_prompts.json" with { type: "json" };
import records from "../data/points24_records.json" with { type: "json" };

const CARDS = ["D8", "SA", "CJ", "H7"];

/** After `items` of the deal. */
function envAt(
  cards: readonly string[],
  items: readonly string[] = [],
  settings?: Points24Settings,
): Points24 {
  const env = new Points24(settings);
  env.reset({ options: { cards } });
  for (const item of items) env.step(env.actions.indexOf(item));
  return env;
}

Deno.test("every recorded Points24 episode replays exactly", () => {
  assertEquals(records.length, 120);
  assertReplays(new Points24(), records);
});

Deno.test("every recorded Points24 response parses to the published action", () => {
  const env = new Points24();
  assertEquals(parserRecords.length, 132);
  for (const [text, action] of parserRecords) {
    assertEquals(env.parse(String(text)).action, action, String(text));
  }
});

Deno.test("Points24 prompts are the published ones to the byte, with the formula in both places", () => {
  const env = new Points24();
  const { info } = env.reset({ options: { cards: CARDS } });
  assertEquals(env.prompt(info, { cot: true }), prompts.cot);
  assertEquals(env.prompt(info, { cot: false }), prompts.actionOnly);
  env.step(14);
  const after = env.step(9).info;
  const filled = prompts.cot.replace("formula: ", "formula: (10").replace('formula": ', 'formula": (10');
  assertEquals(env.prompt(after, { cot: true }), filled);
  assertEquals(env.prompt(after, { cot: false }), prompts.actionOnly.replace("formula: ", "formula: (10"));
});

Deno.test("a formula is won as Python evaluates it: digits join, operators join, doubles are exact", () => {
  const play = (cards: string[], items: string) => {
    const env = envAt(cards, items.split(" "));
    return env.step(16).reward;
  };
  assertEquals(play(["HA", "H2", "H2", "HT"], "1 2 + 2 + 10"), 10); // 12+2+10
  assertEquals(play(["H2", "H3", "H3", "HA"], "2 * * 3 * 3 * 1"), 10);
  assertEquals(play(["H3", "H3", "H8", "H8"], "8 / ( 3 - 8 / 3 )"), -1); // 23.999999999999986
  assertEquals(play(["H2", "D2", "C2", "H8"], "2 * 8 + 2 * 2 * 2"), -1); // the fourth 2 is a space
  assertEquals(play(["H8", "D3", "C2", "H2"], "8 * 3"), -1); // cards left
  assertEquals(play(["H9", "D9", "C9", "S9"], "9 * * 9 * * 9 + 9"), -1);
});

Deno.test("Points24 deals four ranks and suits, each uniform", () => {
  const env = new Points24();
  env.reset({ seed: 1 });
  const counts = new Map<string, number>();
  for (let i = 0; i < 10_400; i++) {
    for (const card of env.reset().info.cards) counts.set(card, (counts.get(card) ?? 0) + 1);
  }
  assertEquals(counts.size, 52);
  const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - 800) ** 2 / 800, 0);
  assert(chiSquare < 87.97, `chi-square is ${chiSquare}, above the 0.1% point of 51 degrees of freedom`);
});

Deno.test("the Points24 solver and a demonstration win what can be won and close the rest at once", () => {
  const env = new Points24();
  let wins = 0;
  for (let seed = 0; seed < 1000; seed++) {
    env.reset({ seed });
    let total = 0;
    for (let isOver = false; !isOver;) {
      const step = env.step(env.solve());
      total += step.reward;
      isOver = step.terminated;
    }
    assert(total === 10 || total === -1);
    wins += Number(total === 10);
  }
  assertAlmostEquals(wins / 1000, 0.731, 4 * Math.sqrt(0.731 * 0.269 / 1000));
  assertEquals(demonstratedSuccess(env, 1000), wins / 1000);
});

Deno.test("deals without a solution are left out on request", () => {
  const env = new Points24({ solvableOnly: true });
  assertEquals(demonstratedSuccess(env, 200, false), 1);
  const impossible = new Points24({ solvableOnly: true, target: 983 });
  assertThrows(() => impossible.reset(), Error, "Cannot deal Points24");
});

Deno.test("a Points24 demonstration states what is left of the plan, and is faithful", () => {
  const random = new Random(0);
  const write = (env: Points24, cot = true) => env.demonstrate(random, { cot });
  assertEquals(
    write(envAt(["S2", "D3", "H8", "C7"], ["(", "8", "+"])),
    '{"cards": [2, 3, 8, 7], "current formula": "(8+", "thoughts": "sorted 8, 7, 3, 2: append 7-3)*2", "action": "7"}',
  );
  assertEquals(
    write(envAt(["S2", "D3", "H8", "C7"], "( 8 + 7 - 3 ) * 2".split(" "))),
    '{"cards": [2, 3, 8, 7], "current formula": "(8+7-3)*2", "thoughts": "sorted 8, 7, 3, 2: complete", "action": "="}',
  );
  assertEquals(
    write(envAt(["HA", "DA", "CA", "SA"])),
    '{"cards": [1, 1, 1, 1], "current formula": "", "thoughts": "sorted 1, 1, 1, 1: no plan", "action": "="}',
  );
  assertEquals(write(envAt(["HA", "DA", "CA", "SA"]), false), '{"action": "="}');
  for (const items of [[], ["("], ["10", "10"], ["-"], ["8", "7"], ["7", "+", "8"], [")"]]) {
    const env = envAt(CARDS, items);
    assertEquals(env.judge(write(env)), { perception: 1, faithful: true });
    assertEquals(env.judge(write(env, false)), { perception: null, faithful: null });
    assertEquals(env.parse(write(env)).action, env.solve());
  }
});

Deno.test("each kind of Points24 mistake can be asked for, none by default", () => {
  const random = new Random(1);
  const env = envAt(["S2", "D3", "H8", "C7"]); // (8+7-3)*2
  const write = (bias: Record<string, number>, of = env) =>
    JSON.parse(of.demonstrate(random, { cot: true, bias }));
  assertEquals(env.bias, { misread: 0, plan: 0, randomAction: 0, close: 0 });
  const { cards } = write({ misread: 1 });
  assert([2, 3, 8, 7].every((number, i) => cards[i] !== number && cards[i] >= 1 && cards[i] <= 10));
  const spoilt = write({ plan: 1 }).thoughts;
  assert(
    /^sorted 8, 7, 3, 2: append \(8[-+*/]7[-+*/]3\)[-+*/]2$/.test(spoilt) &&
      !spoilt.endsWith("append (8+7-3)*2"),
    spoilt,
  );
  const actions = new Set(Array.from({ length: 500 }, () => write({ randomAction: 1 }).action));
  assertEquals(actions.size, 17);
  const complete = envAt(["S2", "D3", "H8", "C7"], "( 8 + 7 - 3 ) * 2".split(" "));
  assertEquals(write({ close: 1 }, complete).action, "+");
  assertThrows(() => write({ flip: 1 }), RangeError, 'unknown bias "flip", use misread, plan');
});

Deno.test("judging Points24 tells misreading from an unfaithful thought", () => {
  const env = envAt(CARDS, ["("]); // 8 1 10 7
  const judge = (cards: string, formula: string, thoughts: string, action: string) =>
    env.judge(
      `{"cards": [${cards}], "current formula": "${formula}", "thoughts": "${thoughts}", "action": "${action}"}`,
    );
  assertEquals(judge("8, 1, 10, 7", "(", "sorted 10, 8, 7, 1: append 8-1)+10+7", "8"), {
    perception: 1,
    faithful: true,
  });
  assertEquals(judge("8, 1, 10, 7", "(", "sorted 10, 8, 7, 1: append 8+1)+10+7", "8"), {
    perception: 1,
    faithful: false,
  });
  assertEquals(judge("8, 1, 10, 7", "(", "sorted 10, 8, 7, 1: append 8-1)+10+7", "1"), {
    perception: 1,
    faithful: false,
  });
  assertEquals(judge("8, 1, 10, 7", "(", "sorted 10, 8, 7, 1: append 8*(10-7)", "8"), {
    perception: 1,
    faithful: false,
  });
  assertEquals(judge("8, 1, 10, 7", "(", "sorted 10, 8, 7, 1: no plan", "="), {
    perception: 1,
    faithful: false,
  });
  assertEquals(judge("8, 2, 10, 7", "", "sorted 10, 8, 7, 2: complete", "="), {
    perception: 3 / 5,
    faithful: false,
  });
  assertEquals(judge("1, 1, 1, 1", "", "sorted 1, 1, 1, 1: no plan", "="), {
    perception: 1 / 5,
    faithful: true,
  });
  assertEquals(env.judge('"thoughts": "hm", "action": "8"'), { perception: 0, faithful: false });
});

Deno.test("Points24 tokens write prompts and responses of every variant, one token an item", () => {
  const random = new Random(3);
  const { tokens } = new Points24();
  assertEquals(new Set(tokens).size, tokens.length);
  for (
    const settings of [{}, { target: 36 }, { faceValue: "11-13" }, { target: 105 }] as Points24Settings[]
  ) {
    const env = new Points24(settings);
    for (let seed = 0; seed < 60; seed++) {
      let { info } = env.reset({ seed });
      for (let isOver = false; !isOver;) {
        for (const cot of [true, false]) {
          const prompt = greedyPieces(env.prompt(info, { cot }), tokens);
          const response = env.demonstrate(random, { cot });
          const pieces = greedyPieces(response, tokens);
          const { start, end } = env.parse(response);
          assertEquals(JSON.parse(response).action, response.slice(start, end));
          if (Object.keys(settings).length > 0) continue;
          const { length } = info.formula;
          assertEquals(prompt.length, cot ? 4 + 2 * length : 3 + length);
          assertEquals(prompt.slice(1, 1 + length), info.formula);
          assertEquals(pieces.at(-2), response.slice(start, end));
          if (!info.formula.includes(" ")) {
            assert(
              pieces.length <= 26,
              `${pieces.length} pieces: ${response}`,
            );
          }
        }
        // Mostly on the plan, so that complete formulas come up as well.
        const step = env.step(random.chance(0.9) ? env.solve() : env.randomAction());
        info = step.info;
        isOver = step.terminated || step.truncated;
      }
    }
  }
});

Deno.test("another target and other face values change deal, prompt, actions and solver", () => {
  const env = new Points24({ target: 36, faceValue: "11-13" });
  const { info } = env.reset({ options: { cards: ["HK", "DQ", "CJ", "SA"] } });
  assertEquals([info.numbers, info.target], [[13, 12, 11, 1], 36]);
  assertEquals(env.actions.slice(9, 14), ["10", "11", "12", "13", "+"]);
  assertEquals(env.actions.length, 20);
  const prompt = env.prompt(info, { cot: true });
  assert(prompt.includes("36 points card game") && prompt.includes("evaluates to 36, and"));
  assert(prompt.includes("'10', '11', '12', '13', '+'") && !prompt.includes("24"));
  assertEquals(["11", "13", "1", "113"].map((item) => env.parse(`"action": "${item}"`).action), [
    10,
    12,
    0,
    null,
  ]);
  let reward = 0;
  for (let isOver = false; !isOver;) {
    const response = env.demonstrate(new Random(0), { cot: true });
    assertEquals(env.judge(response), { perception: 1, faithful: true });
    const step = env.step(env.parse(response).action!);
    reward += step.reward;
    isOver = step.terminated;
  }
  assertEquals(reward, 10); // 13+12+11*1
  assertEquals(env.reset({ options: { target: 10 } }).info.target, 10);
  assertEquals(env.reset().info.target, 36);
});

Deno.test("illegal Points24 settings and options are named", () => {
  const env = new Points24();
  for (const target of [0, 1000, 2.5]) {
    assertThrows(() => new Points24({ target }), RangeError, `Cannot make Points24: target is ${target}`);
    assertThrows(() => env.reset({ options: { target } }), RangeError, `target is ${target}, use an integer`);
  }
  assertThrows(() => env.reset({ options: { target: "24" } }), RangeError, 'target is "24"');
  const faceValue = "12" as Points24Settings["faceValue"];
  assertThrows(() => new Points24({ faceValue }), RangeError, 'faceValue is "12", use "ten" or "11-13"');
  assertThrows(
    () => env.reset({ options: { cards: ["H2"] } }),
    RangeError,
    "cards has 1 cards, use a list of 4",
  );
  assertThrows(
    () => env.reset({ options: { cards: ["H2", "H2", "H2", "T2"] } }),
    RangeError,
    'cards has "T2"',
  );
  assertThrows(
    () => env.reset({ options: { card: [] } }),
    RangeError,
    'unknown option "card", use cards and target',
  );
});

Deno.test("a text of a megabyte is parsed in less than 10 ms of processor time and judged in less than 50 ms", () => {
  const env = envAt(CARDS);
  for (const unit of ["11", "1", "10", '"action":', "\0", '"cards": [', '"thoughts": "', " ", "(", "ab"]) {
    const text = unit.repeat(Math.ceil(1_000_000 / unit.length));
    const parsingMs = fastestMs(10, () => env.parse(text));
    assert(parsingMs < 10, `${JSON.stringify(unit)}: parsing took ${parsingMs} ms`);
    const judgingMs = fastestMs(50, () => env.judge(text));
    assert(judgingMs < 50, `${JSON.stringify(unit)}: judging took ${judgingMs} ms`);
  }
});

Deno.test("a Points24 frame shows the published picture", async () => {
  const env = new Points24();
  const cards = ["S5", "C5", "S7", "C9"];
  const { observation } = env.reset({ options: { cards } });
  env.step(4);
  const step = env.step(10);
  // 5.07 measured, the faces being other art; another suit or rank in one place adds 0.2 or 1.9.
  assert(await frameDifference(observation.data, "points24_frame_0.png") < 5.15);
  for (const last of ["D9", "C8"]) {
    const { data } = env.reset({ options: { cards: [...cards.slice(0, 3), last] } }).observation;
    assert(await frameDifference(data, "points24_frame_0.png") > 5.2);
  }
  // In the rows of the formula 0.56 and 0.78 measured; a formula too many or too few adds 0.1 and more.
  assert(await frameDifference(observation.data, "points24_frame_0.png", 205) < 0.6);
  assert(await frameDifference(step.observation.data, "points24_frame_2.png", 205) < 0.8);
  assert(await frameDifference(observation.data, "points24_frame_2.png", 205) > 0.85);
  assertNotEquals(step.observation.data, observation.data);
});

Deno.test("a reset that finds no deal leaves the episode as it was", () => {
  const env = new Points24({ solvableOnly: true });
  const { info } = env.reset({ seed: 3 });
  const reset = () => env.reset({ seed: 4, options: { target: 767 } });
  assertThrows(reset, RangeError, "makes 767, use a smaller target");
  const { info: after } = env.step(env.solve());
  assertEquals([after.target, after.cards], [24, info.cards]);
  const next = env.reset().info;
  const undisturbed = new Points24({ solvableOnly: true });
  undisturbed.reset({ seed: 3 });
  assertEquals(next, undisturbed.reset().info);
});
