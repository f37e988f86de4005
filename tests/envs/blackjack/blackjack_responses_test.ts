import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Blackjack } from "../../../envs/blackjack/blackjack.ts";
import { Random } from "../../../envs/shared/random.ts";
import { greedyPieces } from "../greedy_pieces.ts";

const PERFECT = { misread: 0, flipStand: 0, flipHit: 0 };

/** Player and dealer's open card by value, the ace as 1. */
function envAt(dealer: number, ...player: number[]): Blackjack {
  const env = new Blackjack();
  const draw = (value: number) => [value, value === 1 ? "A" : value === 10 ? "J" : String(value), "H"];
  env.reset({ options: { draws: [dealer, 5, ...player].map(draw) } });
  for (let i = 2; i < player.length; i++) env.step(1);
  return env;
}

Deno.test("a demonstration without mistakes reads the cards, then adds, plans and acts", () => {
  const random = new Random(0);
  const write = (env: Blackjack, cot = true) => env.demonstrate(random, { cot, bias: PERFECT });
  assertEquals(
    write(envAt(5, 2, 7, 1)),
    '{"thoughts": "player 2 7 A is soft 20, dealer 5, stand is better", "action": "stand"}',
  );
  assertEquals(
    write(envAt(1, 10, 5)),
    '{"thoughts": "player 10 5 is 15, dealer A, hit is better", "action": "hit"}',
  );
  assertEquals(write(envAt(1, 10, 5), false), '{"action": "hit"}');
});

Deno.test("demonstrations without mistakes are optimal and judged so", () => {
  const random = new Random(1);
  const env = new Blackjack();
  for (let seed = 0; seed < 300; seed++) {
    env.reset({ seed });
    for (let terminated = false; !terminated;) {
      for (const cot of [true, false]) {
        const response = env.demonstrate(random, { cot, bias: PERFECT });
        const { action, start, end } = env.parse(response);
        assertEquals(action, env.solve());
        assertEquals(response.slice(start, end), JSON.parse(response).action);
        assertEquals(
          env.judge(response),
          cot ? { perception: 1, faithful: true } : { perception: null, faithful: null },
        );
      }
      terminated = env.step(env.solve()).terminated;
    }
  }
});

Deno.test("mistakes come at the rates that the bias says", () => {
  const count = 10_000;
  const random = new Random(2);
  const standing = envAt(6, 10, 8), hitting = envAt(10, 7, 4);
  const share = (env: Blackjack, bias: Record<string, number>, happened: (text: string) => boolean) => {
    const texts = Array.from({ length: count }, () => env.demonstrate(random, { cot: true, bias }));
    return texts.filter(happened).length / count;
  };
  const within = (p: number) => 4 * Math.sqrt(p * (1 - p) / count);
  const hits = (text: string) => text.endsWith('"hit"}'),
    stands = (text: string) => text.endsWith('"stand"}');
  assertAlmostEquals(share(standing, {}, hits), 0.4, within(0.4));
  assertAlmostEquals(share(hitting, {}, stands), 0.15, within(0.15));
  const misread = { ...PERFECT, misread: 0.2 };
  assertAlmostEquals(share(hitting, misread, (text) => !text.includes("dealer 10,")), 0.2, within(0.2));
  const bothRead = (text: string) => text.includes("player 7 4 is 11");
  assertAlmostEquals(share(hitting, misread, bothRead), 0.64, within(0.64));
});

Deno.test("a flipped action is unfaithful to a plan that is right", () => {
  const random = new Random(3);
  const flipped = envAt(6, 10, 8).demonstrate(random, { cot: true, bias: { ...PERFECT, flipStand: 1 } });
  assertEquals(
    flipped,
    '{"thoughts": "player 10 8 is 18, dealer 6, stand is better", "action": "hit"}',
  );
  assertEquals(envAt(6, 10, 8).judge(flipped), { perception: 1, faithful: false });
});

Deno.test("cards read wrongly still make a readable thought", () => {
  const random = new Random(4);
  const env = envAt(6, 2, 2, 2, 2, 3);
  for (let i = 0; i < 500; i++) {
    const response = env.demonstrate(random, { cot: true, bias: { misread: 1 } });
    const { thoughts } = JSON.parse(response);
    const [, total] = thoughts.match(
      /^player(?: (?:A|\d+)){5} is (?:soft )?(\d+), dealer (?:A|\d+), \w+ is better$/,
    );
    assert(Number(total) <= 21);
    assertEquals(env.judge(response).perception, 0);
  }
});

Deno.test("illegal biases are named", () => {
  const demonstrate = (bias: Record<string, number>) =>
    envAt(6, 10, 8).demonstrate(new Random(0), { cot: true, bias });
  assertThrows(() => demonstrate({ flip: 0.1 }), RangeError, 'unknown bias "flip", use misread, flipStand');
  assertThrows(() => demonstrate({ flipHit: 2 }), RangeError, "bias flipHit is 2");
});

Deno.test("judging tells misreading from unfaithful reasoning", () => {
  const env = envAt(5, 2, 7, 1);
  const judge = (thoughts: string, action: string) =>
    env.judge(`{"thoughts": "${thoughts}", "action": "${action}"}`);
  const right = { perception: 1, faithful: true }, unfaithful = { perception: 1, faithful: false };
  assertEquals(judge("player 2 7 A is soft 20, dealer 5, stand is better", "stand"), right);
  assertEquals(judge("player 2 7 A is 20, dealer 5, stand is better", "stand"), unfaithful);
  assertEquals(judge("player 2 7 A is soft 19, dealer 5, stand is better", "stand"), unfaithful);
  assertEquals(judge("player 2 7 A is soft 20, dealer 5, hit is better", "hit"), unfaithful);
  assertEquals(judge("player 2 7 A is soft 20, dealer 5, stand is better", "hit"), unfaithful);
  assertEquals(judge("player 2 7 A is soft 20, dealer 5, stand is better", "?"), unfaithful);
  // One of four fields wrong, and reasoned on faithfully.
  assertEquals(
    judge("player 2 7 2 is 11, dealer 5, hit is better", "hit"),
    { perception: 0.75, faithful: true },
  );
  assertEquals(
    judge("player 2 7 is 9, dealer 6, hit is better", "hit"),
    { perception: 0.5, faithful: true },
  );
  // A card too many is a field too many.
  assertEquals(judge("player 2 7 A A is soft 21, dealer 5, stand is better", "stand").perception, 0.8);
  assertEquals(judge("player 2 99 A is 7, dealer 5, hit is better", "hit").faithful, false);
  assertEquals(judge("", "hit"), { perception: 0, faithful: false });
  assertEquals(env.judge('{"action": "hit"}'), { perception: null, faithful: null });
});

Deno.test("any text can be judged", () => {
  const env = envAt(5, 2, 7);
  const fragment = fc.oneof(
    fc.constantFrom('"thoughts":', "player", " 2", " 7", " A", " is 9", ", dealer", " 5", ", hit is better"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 12 }), (fragments) => {
      const { perception, faithful } = env.judge(fragments.join(""));
      const inRange = perception === null || (perception >= 0 && perception <= 1);
      return inRange && (perception === null) === (faithful === null);
    }),
    { numRuns: 1000, seed: 3 },
  );
});

Deno.test("a prompt is at most six pieces, a hand's demonstration ten and one for each card", () => {
  const random = new Random(5);
  for (const player of [[10, 7], [2, 3, 4], [1, 1, 2, 3], [2, 2, 2, 3, 4], [1, 1, 1, 1, 1, 1, 2]]) {
    const env = envAt(1, ...player);
    for (const cot of [true, false]) {
      const { info } = new Blackjack().reset();
      assert(greedyPieces(env.prompt(info, { cot }), env.tokens).length <= 6);
      const response = env.demonstrate(random, { cot });
      const pieces = greedyPieces(response, env.tokens);
      assertEquals(pieces.join(""), response);
      assert(pieces.length <= player.length + 10, `${pieces.length} pieces: ${response}`);
    }
  }
});
