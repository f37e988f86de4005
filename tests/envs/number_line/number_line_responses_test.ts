import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { NumberLine } from "../../../envs/number_line/number_line.ts";
import { Random } from "../../../envs/shared/random.ts";
import { greedyPieces } from "../greedy_pieces.ts";

const PERFECT = { misread: 0, comparison: 0, flipPlus: 0, flipMinus: 0 };

function envAt(start: number, target: number, maxPosition = 5): NumberLine {
  const env = new NumberLine({ maxPosition });
  env.reset({ options: { start, target } });
  return env;
}

/** Every deal of the published line. */
const deals = [0, 1, 2, 3, 4, 5].flatMap((start) =>
  [0, 1, 2, 3, 4, 5].filter((target) => target !== start).map((target) => [start, target])
);

Deno.test("a demonstration without mistakes is the documented JSON, and solves every deal", () => {
  const random = new Random(0);
  assertEquals(
    envAt(3, 5).demonstrate(random, { cot: true, bias: PERFECT }),
    '{"current number": "3", "target number": "5", "thoughts": "the current number is less than the target number", "action": "+"}',
  );
  assertEquals(envAt(3, 5).demonstrate(random, { cot: false, bias: PERFECT }), '{"action": "+"}');
  for (const cot of [true, false]) {
    for (const [start, target] of deals) {
      const env = envAt(start, target);
      for (let terminated = false; !terminated;) {
        const response = env.demonstrate(random, { cot, bias: PERFECT });
        const { action, start, end } = env.parse(response);
        assertEquals(response.slice(start, end), JSON.parse(response).action);
        assertEquals(action, env.solve());
        assertEquals(
          env.judge(response),
          cot ? { perception: 1, faithful: true } : { perception: null, faithful: null },
        );
        const step = env.step(action!);
        assert(step.reward >= 0);
        terminated = step.terminated;
      }
    }
  }
});

Deno.test("demonstrations with mistakes still parse, as JSON and to an action", () => {
  const random = new Random(1);
  for (let i = 0; i < 2000; i++) {
    const env = new NumberLine({ maxPosition: 12 });
    env.reset({ seed: i });
    const cot = i % 2 === 0;
    const response = env.demonstrate(random, { cot });
    const fields = JSON.parse(response);
    assertEquals(
      Object.keys(fields),
      cot ? ["current number", "target number", "thoughts", "action"] : ["action"],
    );
    const { action, start, end } = env.parse(response);
    assertEquals(response.slice(start, end), fields.action);
    assertEquals(env.actions[action!], fields.action);
    if (cot) assert(Number(fields["current number"]) <= 12 && Number(fields["target number"]) <= 12);
  }
});

Deno.test("the same stream gives the same demonstrations", () => {
  const write = () => {
    const random = new Random(5, "demonstrations");
    return deals.map(([start, target]) => envAt(start, target).demonstrate(random, { cot: true }));
  };
  assertEquals(write(), write());
});

Deno.test("mistakes come at the rates that the bias says", () => {
  const count = 20_000;
  const random = new Random(2);
  const env = envAt(1, 4);
  const opposite: Record<string, string> = { "less than": "greater than", "greater than": "less than" };
  const rates = { misread: [0, 0], comparison: [0, 0], flipPlus: [0, 0], flipMinus: [0, 0] };
  const note = (rate: number[], happened: boolean) => {
    rate[0] += Number(happened);
    rate[1]++;
  };
  for (let i = 0; i < count; i++) {
    const fields = JSON.parse(env.demonstrate(random, { cot: true }));
    const current = Number(fields["current number"]);
    const target = Number(fields["target number"]);
    note(rates.misread, current !== 1);
    note(rates.misread, target !== 4);
    const stated = fields.thoughts.match(/less than|greater than|equal to/)[0];
    if (current === target) continue;
    const truth = current < target ? "less than" : "greater than";
    assert(stated === truth || stated === opposite[truth]);
    note(rates.comparison, stated !== truth);
    if (stated === "less than") note(rates.flipPlus, fields.action === "-");
    else note(rates.flipMinus, fields.action === "+");
  }
  for (const [kind, [happened, of]] of Object.entries(rates)) {
    const p = env.bias[kind as keyof typeof rates];
    assertAlmostEquals(happened / of, p, 4 * Math.sqrt(p * (1 - p) / of), `${kind}: ${happened} of ${of}`);
  }
});

Deno.test("certain mistakes are certain: each kind of bias acts by itself", () => {
  const random = new Random(3);
  for (const [start, target] of deals) {
    const env = envAt(start, target);
    const write = (bias: Record<string, number>) =>
      JSON.parse(env.demonstrate(random, { cot: true, bias: { ...PERFECT, ...bias } }));
    const misread = write({ misread: 1 });
    assert(misread["current number"] !== String(start) && misread["target number"] !== String(target));
    const right = start < target ? "+" : "-";
    const wrong = start < target ? "-" : "+";
    assertEquals(write({ comparison: 1 }).action, wrong);
    assertEquals(write({ flipPlus: 1 }).action, "-");
    assertEquals(write({ flipMinus: 1 }).action, "+");
    assertEquals(write({}).action, right);
  }
});

Deno.test("illegal biases are named", () => {
  const env = envAt(1, 4);
  const demonstrate = (bias: Record<string, number>) =>
    env.demonstrate(new Random(0), { cot: true, bias: bias });
  assertThrows(() => demonstrate({ misred: 0.1 }), RangeError, 'unknown bias "misred", use misread');
  assertThrows(() => demonstrate({ misread: 1.1 }), RangeError, "bias misread is 1.1");
  assertThrows(() => demonstrate({ flipPlus: NaN }), RangeError, "bias flipPlus is NaN");
});

Deno.test("judging tells misreading from unfaithful reasoning", () => {
  const env = envAt(2, 5);
  const response = (current: string, target: string, comparison: string, action: string) =>
    `{"current number": "${current}", "target number": "${target}", ` +
    `"thoughts": "the current number is ${comparison} the target number", "action": "${action}"}`;
  const judge = (...fields: [string, string, string, string]) => env.judge(response(...fields));
  assertEquals(judge("2", "5", "less than", "+"), { perception: 1, faithful: true });
  assertEquals(judge("2", "1", "greater than", "-"), { perception: 0.5, faithful: true });
  assertEquals(judge("5", "2", "greater than", "-"), { perception: 0, faithful: true });
  assertEquals(judge("2", "5", "greater than", "-"), { perception: 1, faithful: false });
  assertEquals(judge("2", "5", "less than", "-"), { perception: 1, faithful: false });
  assertEquals(judge("2", "2", "equal to", "-"), { perception: 0.5, faithful: true });
  assertEquals(judge("2", "5", "next to", "+"), { perception: 1, faithful: false });
  assertEquals(judge("2", "5", "less than", "?"), { perception: 1, faithful: false });
  assertEquals(env.judge('{"current number": "2'), { perception: 0, faithful: false });
  assertEquals(env.judge('{"action": "+"}'), { perception: null, faithful: null });
  assertEquals(env.judge(""), { perception: null, faithful: null });
});

Deno.test("any text can be judged", () => {
  const env = envAt(2, 5);
  const fragment = fc.oneof(
    fc.constantFrom('"current number": "2', '"target number": "', '"thoughts":', "5", '"', '"action": "+"'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 8 }), (fragments) => {
      const { perception, faithful } = env.judge(fragments.join(""));
      return [null, 0, 0.5, 1].includes(perception) && (perception === null) === (faithful === null);
    }),
    { numRuns: 1000, seed: 3 },
  );
});

Deno.test("the tokens cover the prompts by at most six pieces", () => {
  const env = new NumberLine();
  const { info } = env.reset();
  for (const cot of [true, false]) {
    const prompt = env.prompt(info, { cot });
    const pieces = greedyPieces(prompt, env.tokens);
    assertEquals(pieces.join(""), prompt);
    assert(pieces.length <= 6, `${pieces.length} pieces`);
  }
});

Deno.test("the tokens cover every demonstration by at most 13 pieces, the action being one of them", () => {
  const random = new Random(4);
  for (const maxPosition of [5, 99]) {
    const env = new NumberLine({ maxPosition });
    for (let seed = 0; seed < 300; seed++) {
      env.reset({ seed });
      for (const cot of [true, false]) {
        const response = env.demonstrate(random, { cot });
        const pieces = greedyPieces(response, env.tokens);
        assertEquals(pieces.join(""), response);
        assert(pieces.length <= 13, `${pieces.length} pieces`);
        const starts = pieces.map((_, i) => pieces.slice(0, i).join("").length);
        const { start, end } = env.parse(response);
        assertEquals(pieces[starts.indexOf(start)], response.slice(start, end));
      }
    }
  }
});

Deno.test("no token is listed twice", () => {
  const { tokens } = new NumberLine();
  assertEquals(new Set(tokens).size, tokens.length);
});
