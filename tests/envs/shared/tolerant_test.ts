/** What a reader takes as the action of a text, with its place. */
import { assertEquals } from "@std/assert";
import { createTolerantParser, ENVIRONMENTS, makeEnv, Random } from "../../../envs/mod.ts";
import { processorMs } from "../../processor_time.ts";

const F = "```";
/** Environment, text, and what a reader takes; the span is the last text in the list, where it is not the action itself. */
const cases: readonly (readonly [env: string, text: string, action: string | null, written?: string])[] = [
  ["Blackjack", `${F}json\n{"thoughts": "18 against 6", "action": "stand"}\n${F}`, "stand"],
  ["Blackjack", `{'thoughts': '12 against 10', 'action': 'hit'}`, "hit"],
  ["Blackjack", `{"thoughts": "12 against 10", "action": "hit",}`, "hit"],
  ["Blackjack", `{"thoughts": "12 against 10", "action" : "hit"}`, "hit"],
  ["Blackjack", `{“thoughts”: “12 against 10”, “action”: “hit”}`, "hit"],
  ["Blackjack", `{"Action": "Hit"}`, "hit", "Hit"],
  ["Blackjack", `Action: hit`, "hit"],
  ["Blackjack", `<think>I could stand or hit.</think><answer>hit</answer>`, "hit"],
  ["Blackjack", `I should hit.`, "hit"],
  ["Blackjack", `{"action": "hit"} because to stand on 12 loses`, "hit"],
  ["Blackjack", `{"action": "stand", "reason": "a hit would bust"}`, "stand"],
  ["Blackjack", `{"action": "hit", "confidence": "understandable"}`, "hit"],
  ["Blackjack", `{"action": "stay"}`, null],
  ["Blackjack", `{"thoughts": "the \\"action\\": should be stand", "action": "hit"}`, "hit"],
  ["Blackjack", `{"action": "要牌 (hit)"}`, "hit"],
  ["Blackjack", `{"thoughts": "Totals 12, dealer 10, so I`, null],
  ["Blackjack", `{"action": "hit"}\n{"action": "stand"}`, "hit"],
  ["Blackjack", `{"action":"hit"}`, "hit"],
  ["Blackjack", `{"action":\n  "hit"\n}`, "hit"],
  ["Blackjack", `{"action": ["hit"]}`, "hit"],
  ["NumberLine", `{"current number": "3", "target number": "-", "action": "+"}`, "+"],
  ["NumberLine", `{"action": "+", "thoughts": "3 - 1 < 5"}`, "+"],
  ["NumberLine", `{"action": "+1"}`, "+"],
  ["NumberLine", `The answer is: +.`, "+"],
  ["EZPoints", `{"cards": [4, 3], "current formula": "4", "action": "*"}`, "*"],
  ["EZPoints", `{"action": "10"}`, "10"],
  ["EZPoints", `{"action": 10}`, "10"],
  ["EZPoints", `{"action": "×"}`, "*", "×"],
  ["Points24", `{"action": "1", "next": "10"}`, "1"],
  ["Points24", `{"action": "("}`, "("],
  ["Points24", `{"action": "÷"}`, "/", "÷"],
  ["Points24", `{"action": "=" \n}`, "="],
  ["Points24", `{"action": "11"}`, null],
  // Other quotes, decoration, keys and values of other shapes.
  ["Blackjack", '{"thoughts": "a", \'action\': "hit"}', "hit"],
  ["Blackjack", "{`action`: `stand`}", "stand"],
  ["Blackjack", "{«action»: «hit»}", "hit"],
  ["Blackjack", `**Action:** hit`, "hit"],
  ["Blackjack", `Thought: they could hit me\nAction: stand\n`, "stand"],
  ["Blackjack", `action = hit`, "hit"],
  ["Blackjack", `Action：hit`, "hit"],
  ["Blackjack", `{"action": {"name": "hit"}}`, "hit"],
  ["Blackjack", `{action: hit}`, "hit"],
  ["Blackjack", `{"action": "HIT"`, "hit", "HIT"],
  ["Blackjack", `{"action": "hit`, "hit"],
  ["Blackjack", `{"action": "hit because to stand loses"}`, "hit"],
  ["Blackjack", `{"action": "hit. A stand would lose"}`, "hit"],
  ["Blackjack", `{"action": hit, because to stand loses}`, "hit"],
  ["Blackjack", `{"thoughts": "Action: hit is bold", "action": "stand"}`, "stand"],
  ["Blackjack", `<think>{"action": "hit"}</think>{"action": "stand"}`, "stand"],
  ["Blackjack", `hit`, "hit"],
  ["Blackjack", `I hit. Yes, hit.`, "hit"],
  ["Blackjack", `I could stand. <action>hit</action>`, "hit"],
  ["Blackjack", `I could stand. <ANSWER>hit</ANSWER>`, "hit"],
  ["Blackjack", `<THINK>stand</THINK>hit`, "hit"],
  ["Blackjack", `<thinking>{"action":"stand"}</thinking>{"action":"hit"}`, "hit"],
  ["Blackjack", `◁think▷stand◁/think▷hit`, "hit"],
  ["Blackjack", `action: hit # to stand would lose`, "hit"],
  ["Blackjack", `{"action": "hit" // to stand would lose\n}`, "hit"],
  ["Blackjack", `{" Action ": "hit"}`, "hit"],
  ["Blackjack", `{"actions": ["hit"]}`, "hit"],
  ["Blackjack", `{"next_action": "hit", "why": "stand loses"}`, "hit"],
  ["Blackjack", `Action (hit or stand): hit`, "hit"],
  ["Blackjack", `Choose {"action": "hit"/"stand"}. {"action": "stand"}`, "stand"],
  ["Blackjack", `{"action": "hit", "or": "stand"}`, "hit"],
  ["Blackjack", `｛＂ａｃｔｉｏｎ＂：＂ｈｉｔ＂｝`, "hit", "ｈｉｔ"],
  ["Blackjack", `「action」：「hit」`, "hit"],
  ["NumberLine", `{"action": "\\u002b"}`, "+", "\\u002b"],
  ["Points24", `{"action": "\\u00d7"}`, "*", "\\u00d7"],
  ["Points24", `{"action": "\\/"}`, "/"],
  ["EZPoints", `Action: *`, "*"],
  ["EZPoints", `Action:*`, "*"],
  ["EZPoints", `**Action:** *`, "*"],
  ["EZPoints", `**Action: ***`, "*"],
  ["EZPoints", `{"action": *}`, "*"],
  ["EZPoints", `*Action:* 4`, "4"],
  ["EZPoints", `**Action:** **10**`, "10"],
  ["EZPoints", `**Action: 10**`, "10"],
  ["EZPoints", `{"action": "**4**"}`, "4"],
  ["EZPoints", `Action: **"10"**`, "10"],
  ["EZPoints", `Available actions: 4, 3\nAction: 3`, "3"],
  // What a reader would not take.
  ["Blackjack", `{"action": "stand" or "hit"}`, null],
  ["Blackjack", `{"action": "hit"/"stand"}`, null],
  ["Blackjack", `<think>{"action": "hit"}`, null],
  ["EZPoints", `action: "4" | "3"`, null],
  ["Blackjack", `{"action": "hit or stand"}`, null],
  ["Blackjack", `{"action": "hit, stand"}`, null],
  ["Blackjack", `{"action": ["hit", "stand"]}`, null],
  ["Blackjack", `I should not hit.`, null],
  ["Blackjack", `I don't hit`, null],
  ["Blackjack", `Shall I hit or stand?`, null],
  ["Blackjack", `{"thoughts": "I could hit`, null],
  ["Blackjack", `understand the hitman`, null],
  ["Blackjack", `reaction: hitting`, null],
  ["Blackjack", ``, null],
  ["NumberLine", `a well-known result`, null],
  ["NumberLine", `{"action": "−"}`, "-", "−"],
  ["NumberLine", `3 + 1 - 2`, null],
  ["EZPoints", `{"action": "4*3"}`, null],
  ["EZPoints", `{"action": "1.5"}`, null],
  ["EZPoints", `{"action": "-1"}`, null],
  ["EZPoints", `{"action": −1}`, null],
  ["EZPoints", `Action: -10`, null],
  ["EZPoints", `I take -1.`, null],
  ["EZPoints", `{"action": "+1"}`, null],
  ["EZPoints", `{"action": "10 cards"}`, null],
  ["EZPoints", `{"action": "- 10"}`, "10"],
  ["Points24", `{"action": "-1"}`, null],
  ["NumberLine", `{"action": "-1"}`, "-"],
  ["Blackjack", `{"action": "hit and run"}`, null],
  ["Blackjack", `{"action": "hit-and-run"}`, null],
  ["Blackjack", `Action: stand up`, null],
  ["Blackjack", `I will stand by.`, null],
  ["Blackjack", `I choose hit\nThe dealer has 10`, "hit"],
  ["Blackjack", `{"action": "hit as 12 is low"}`, "hit"],
  ["Blackjack", `{"action": "I will hit, then stand by"}`, null],
  ["Points24", `{"action": "（"}`, "(", "（"],
  ["Household", `{"action": "go to shelf 1"}`, "go to shelf 1"],
  ["Household", `Action: Go to  Shelf 1`, "go to shelf 1", "Go to  Shelf 1"],
  ["Household", `{"action": "go to shelf 11"}`, null],
];

for (const name of new Set(cases.map(([env]) => env))) {
  Deno.test(`a reader's action and its place: ${name}`, () => {
    const { actions } = makeEnv(name);
    const parse = createTolerantParser(actions);
    for (const [env, text, want, written = want] of cases) {
      if (env !== name) continue;
      const { action, start, end } = parse(text);
      assertEquals(action === null ? null : actions[action], want, text);
      assertEquals(action === null ? null : text.slice(start, end), written, text);
      if (action === null) assertEquals([start, end], [-1, -1]);
    }
  });
}

Deno.test("in and on are in/on", () => {
  const { actions } = makeEnv("Household");
  const parse = createTolerantParser(actions);
  const put = actions.findIndex((action) => action.includes(" in/on "));
  for (const preposition of ["in/on", "in", "on", "into", "onto", "in / on", "IN"]) {
    const text = `{"action": "${actions[put].replace("in/on", preposition)}"}`;
    const { action, start, end } = parse(text);
    assertEquals(action, put, text);
    assertEquals(text.slice(start, end), actions[put].replace("in/on", preposition));
  }
});

Deno.test("what an environment's own solver writes is read as by its own parser", () => {
  for (const definition of Object.values(ENVIRONMENTS)) {
    const env = definition.make();
    const parse = createTolerantParser(env.actions);
    for (let seed = 0; seed < 20; seed++) {
      env.reset({ seed });
      const text = env.demonstrate!(new Random(seed), { cot: seed % 2 === 0 });
      const { action, start, end } = env.parse(text);
      const tolerant = parse(text);
      assertEquals([tolerant.action, tolerant.start, tolerant.end], [action, start, end], text);
      assertEquals(tolerant.key, text.lastIndexOf('"action":'));
    }
  }
});

Deno.test("places are those of the text as given, behind signs of two code units and in long texts", () => {
  const parse = createTolerantParser(["hit", "stand"]);
  const text = `😀 İ × {'action': 'hit'}`;
  assertEquals(parse(text), {
    action: 0,
    start: text.indexOf("hit"),
    end: text.indexOf("hit") + 3,
    key: text.indexOf("'action"),
  });
  const long = "stand ".repeat(50_000) + `"action": "hit"`;
  assertEquals(parse(long).start, long.indexOf("hit"));
});

Deno.test("hostile texts cost no more than their length", () => {
  const { actions } = makeEnv("Household");
  const parse = createTolerantParser(actions);
  const pieces = [
    "action",
    '"action":',
    "action ",
    " ",
    "go to ",
    "**",
    "''",
    '\\"',
    "action:[",
    '"',
    "put a ",
    "<answer>",
  ];
  const startMs = processorMs();
  for (const piece of pieces) parse(piece.repeat(50_000));
  const ms = processorMs() - startMs;
  assertEquals(ms < 3000, true, `${ms} ms of processor time`);
});

Deno.test("the names of an environment's own actions may hold signs, apostrophes and quotes", () => {
  const read = (actions: readonly string[], text: string) => {
    const { action, start, end } = createTolerantParser(actions)(text);
    return action === null ? null : `${actions[action]}|${text.slice(start, end)}`;
  };
  assertEquals(read(["×", "÷"], '{"action": "×"}'), "×|×");
  assertEquals(read(["×", "÷"], '{"action": "*"}'), "×|*");
  assertEquals(read(["×", "*"], '{"action": "×"}'), "×|×");
  assertEquals(read(["a–b", "c"], '{"action": "a–b"}'), "a–b|a–b");
  const moves = ["don't move", "move"];
  for (const written of ['"don\'t move"', '"don’t move"', "'don't move'", "'don\\'t move'", "‘don’t move’"]) {
    assertEquals(read(moves, `{"action": ${written}}`)?.split("|")[0], "don't move", written);
  }
  assertEquals(read(['say "hi"', "wait"], '{"action": "say \\"hi\\""}'), 'say "hi"|say \\"hi\\"');
});

Deno.test("an action is all that is said: what goes on says another thing", () => {
  const moves = ["go", "stay", "look", "go north"];
  const read = (actions: readonly string[], text: string) => {
    const { action } = createTolerantParser(actions)(text);
    return action === null ? null : actions[action];
  };
  for (
    const value of [
      "go northwest",
      "go to the shop",
      "go-northwest",
      "look for a key",
      "I go east",
      "let's go-kart",
    ]
  ) {
    assertEquals(read(moves, `{"action": "${value}"}`), null, value);
    assertEquals(read(moves, `Action: ${value}`), null, value);
    assertEquals(read(moves, `${value}`), null, value);
  }
  for (const value of ["go north", "Go north.", "go north because it is near"]) {
    assertEquals(read(moves, `{"action": "${value}"}`), "go north", value);
  }
  const numbers = ["-1", "0", "1", "0.5"];
  for (const value of numbers) assertEquals(read(numbers, `{"action": "${value}"}`), value);
  for (const value of ["-10", "-0.5", "1.5", "10", "-1.5", "+1", "1-1", "0.55"]) {
    assertEquals(read(numbers, `{"action": "${value}"}`), null, value);
  }
});

Deno.test("a value that says what not to do names no action", () => {
  const parse = createTolerantParser(["stand", "hit"]);
  for (const value of ["do not hit", "don't hit", "never hit"]) {
    assertEquals(parse(`{"action": "${value}"}`).action, null, value);
  }
  assertEquals(parse('{"action": "hit, not stand"}').action, 1);
  assertEquals(parse('{"action": "I will hit"}').action, 1);
});
