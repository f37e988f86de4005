import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import { Blackjack } from "../../../envs/blackjack/blackjack.ts";
import parserRecords from "../data/blackjack_parser.json" with { type: "json" };
import prompts from "../data/blackjack_prompts.json" with { type: "json" };
import records from "../data/blackjack_records.json" with { type: "json" };

type Draw = [value: number, face: string, suit: string];

/** Draws of clubs by their faces: dealer, dealer, player, player, later cards. */
function clubs(faces: string): Draw[] {
  return faces.split(" ").map((face) => [Number(face.replace("A", "1").replace(/[TJQK]/, "10")), face, "C"]);
}

function envAt(faces: string, options: Record<string, unknown> = {}): Blackjack {
  const env = new Blackjack();
  env.reset({ options: { draws: clubs(faces), ...options } });
  return env;
}

Deno.test("every recorded episode of the published environment replays exactly", () => {
  assertEquals(records.length, 120);
  for (const { draws, steps } of records) {
    const env = new Blackjack();
    const { info } = env.reset({ options: { draws } });
    assertEquals(info.dealerCard, `${draws[0][2]}${draws[0][1]}`);
    assertEquals(info.player, [`${draws[2][2]}${draws[2][1]}`, `${draws[3][2]}${draws[3][1]}`]);
    const replayed = steps.map(([action]) => {
      const { reward, terminated, truncated, info } = env.step(Number(action));
      assertEquals(info.goalReached, reward > 0);
      return [action, reward, terminated, truncated, info.playerSum, info.dealerSum];
    });
    assertEquals(replayed, steps);
    if (steps.at(-1)![2]) {
      assertThrows(() => env.step(0), Error, "Cannot step Blackjack: the episode has ended");
    }
  }
});

Deno.test("the prompts are the published ones to the byte", () => {
  const env = new Blackjack();
  const { info } = env.reset();
  assertEquals(env.prompt(info, { cot: true }), prompts.cot);
  assertEquals(env.prompt(info, { cot: false }), prompts.actionOnly);
});

Deno.test("every recorded text of the published parser gives the recorded action", () => {
  assertEquals(parserRecords.length, 27);
  for (const { text, action } of parserRecords) {
    assertEquals(new Blackjack().parse(text).action, action, text);
  }
});

Deno.test("the symbolic observation is Gymnasium's", () => {
  const env = envAt("A 9 A 6 9 K");
  assertEquals(env.reset({ options: { draws: clubs("A 9 A 6 9 K") } }).info.symbolic, [17, 1, 1]);
  assertEquals(env.step(1).info.symbolic, [16, 1, 0]);
  assertEquals(env.step(1).info, {
    player: ["CA", "C6", "C9", "CK"],
    dealerCard: "CA",
    playerSum: 26,
    dealerSum: 20,
    symbolic: [26, 1, 0],
    goalReached: false,
  });
});

Deno.test("a natural pays more, or beats any other 21, only where the rules say so", () => {
  const stand = (faces: string, options: Record<string, unknown>) => envAt(faces, options).step(0).reward;
  const against20 = "9 A A K", against21 = "7 7 A K 7", againstNatural = "A K A K";
  assertEquals([against20, against21, againstNatural].map((faces) => stand(faces, {})), [1, 0, 0]);
  const natural = { natural: true }, sab = { sab: true }, both = { natural: true, sab: true };
  assertEquals([against20, against21, againstNatural].map((faces) => stand(faces, natural)), [1.5, 0, 0]);
  assertEquals([against20, against21, againstNatural].map((faces) => stand(faces, sab)), [1, 1, 0]);
  assertEquals([against20, against21, againstNatural].map((faces) => stand(faces, both)), [1, 1, 0]);
  const drawn = envAt("9 A 9 2 K", both); // 21 by three cards is no natural
  drawn.step(1);
  assertEquals(drawn.step(0).reward, 1);
});

Deno.test("settings hold for every episode, options for one", () => {
  const env = new Blackjack({ natural: true });
  const stand = (options: Record<string, unknown>) => {
    env.reset({ options: { draws: clubs("9 A A K"), ...options } });
    return env.step(0).reward;
  };
  assertEquals([stand({}), stand({ natural: false }), stand({})], [1.5, 1, 1.5]);
});

Deno.test("cards come with replacement, tens as jack, queen or king", () => {
  const env = new Blackjack();
  const counts = new Map<string, number>();
  const hands = 10_000;
  for (let seed = 0; seed < hands; seed++) {
    const { player } = env.reset({ seed }).info;
    for (const [, rank] of player) counts.set(rank, (counts.get(rank) ?? 0) + 1);
  }
  const expected = (rank: string) => ("JQK".includes(rank) ? 4 / 3 : 1) * 2 * hands / 13;
  assertEquals([...counts.keys()].toSorted(), [..."23456789AJKQ"]);
  const chiSquare = [...counts].reduce(
    (sum, [rank, n]) => sum + (n - expected(rank)) ** 2 / expected(rank),
    0,
  );
  assert(chiSquare < 31.3, `chi-square is ${chiSquare}, above the 0.1% point of 11 degrees of freedom`);
});

Deno.test("the next hand does not depend on how this one was played", () => {
  const hands = (action: number) => {
    const env = new Blackjack({ seed: 3 });
    return Array.from({ length: 8 }, () => {
      const { info } = env.reset();
      while (!env.step(action).terminated);
      return [info.dealerCard, ...info.player];
    });
  };
  assertEquals(hands(0), hands(1));
  assertEquals(new Set(hands(0).map(String)).size, 8);
});

Deno.test("pinned draws leave the sampled hands as they are, and later cards follow the seed", () => {
  const env = new Blackjack({ seed: 5 });
  env.reset({ options: { draws: clubs("2 2 2 2") } });
  const sampled = env.reset().info;
  assertEquals(sampled, new Blackjack({ seed: 5 }).reset().info);
  const later = (seed: number) => {
    env.reset({ seed, options: { draws: clubs("2 2 2 2") } });
    return env.step(1).info.player[2];
  };
  assertEquals(later(7), later(7));
  assert(new Set([0, 1, 2, 3, 4, 5].map(later)).size > 1);
});

Deno.test("a ten may be given as T or 10, though none is ever drawn", () => {
  for (const face of ["T", "10"]) {
    const draws = [[2, "2", "H"], [3, "3", "S"], [10, face, "D"], [1, "A", "S"]];
    assertEquals(new Blackjack().reset({ options: { draws } }).info.player, ["DT", "SA"]);
  }
});

Deno.test("illegal draws, options, seeds and actions are named, and leave the episode as it was", () => {
  const env = new Blackjack();
  assertThrows(() => env.step(0), Error, "Cannot step Blackjack: no episode has begun, call reset first");
  env.reset({ options: { draws: clubs("5 6 7 8") } });
  const four = clubs("5 6 7 8");
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const resets: [Record<string, unknown>, string][] = [
    [{ draws: four.slice(1) }, "draws has 3 cards, use a list of at least 4"],
    [{ draws: "CACA" }, 'draws is "CACA"'],
    [{ draws: null }, "draws is null"],
    [{ draws: [...four, [11, "J", "C"]] }, 'draws[4] is [11,"J","C"], which is no card'],
    [{ draws: [...four, [1, "A", "X"]] }, 'draws[4] is [1,"A","X"]'],
    [{ draws: [[1, "1", "C"], ...four] }, 'draws[0] is [1,"1","C"]'],
    [{ draws: [...four, ["5", "5", "C"]] }, 'draws[4] is ["5","5","C"]'],
    [{ draws: [...four, [5, "5"]] }, 'draws[4] is [5,"5"]'],
    [{ draws: [...four, "C5"] }, 'draws[4] is "C5"'],
    [{ draws: [...four, cyclic] }, "draws[4] is object"],
    [{ natural: 1 }, "natural is 1, use true or false"],
    [{ sab: "yes" }, 'sab is "yes", use true or false'],
    [{ cards: [] }, 'unknown option "cards", use draws, natural and sab'],
  ];
  for (const [options, message] of resets) assertThrows(() => env.reset({ options }), RangeError, message);
  assertThrows(() => env.reset({ seed: -3 }), RangeError, "seed is -3");
  for (const action of [-1, 2, 0.5, NaN]) {
    assertThrows(() => env.step(action), RangeError, `action is ${action}, use 0 (stand) or 1 (hit)`);
  }
  assertEquals(env.step(0).info.player, ["C7", "C8"]);
});

const TABLE = [53, 101, 77];

function isTable(rgb: ArrayLike<number>, pixel: number): boolean {
  return TABLE.every((value, channel) => rgb[pixel * 3 + channel] === value);
}

Deno.test("cards, labels and table are where the published frames have them", async () => {
  const env = new Blackjack();
  let { observation } = env.reset({ options: { draws: records[0].draws } });
  for (const i of [0, 1]) {
    const published = decode(
      await Deno.readFile(new URL(`../data/blackjack_frame_${i}.png`, import.meta.url)),
    );
    assertEquals([observation.width, observation.height], [published.width, published.height]);
    const pixels = Array.from({ length: 90_000 }, (_, pixel) => pixel);
    const wrong = pixels.filter((at) => isTable(observation.data, at) !== isTable(published.data, at)).length;
    // 88 measured, the hinting of the labels; a card shifted by a pixel is 168 more.
    assert(wrong < 120, `${wrong} pixels are table in one picture only`);
    observation = env.step(1).observation;
  }
});

Deno.test("any number of cards is in the picture, the fifth and the twenty-first too", () => {
  let env = envAt("5 5 2 2 2 3 4");
  let before = env.step(1).observation.data;
  for (let count = 4; count <= 5; count++) {
    const after = env.step(1).observation.data;
    assertNotEquals(after, before);
    before = after;
  }
  env = envAt(`5 5 ${"A ".repeat(21).trim()}`);
  let step = env.step(1);
  for (let count = 4; count <= 21; count++) step = env.step(1);
  assertEquals(step.info.playerSum, 21);
  const row = Array.from({ length: 300 }, (_, x) => 155 * 300 + x);
  const edges = row.filter((at) =>
    !isTable(step.observation.data, at) && isTable(step.observation.data, at - 1)
  );
  assertEquals(edges.length, 21);
  assert(isTable(step.observation.data, 155 * 300 + 298), "the last card ends inside the picture");
});

Deno.test("the hidden card is not in the picture, before and after the end", () => {
  const frame = (hidden: string) => envAt(`9 ${hidden} 8 K 2`);
  assertEquals(frame("2").step(0).observation.data, frame("K").step(0).observation.data);
  const shown = (faces: string) =>
    new Blackjack().reset({ options: { draws: clubs(faces) } }).observation.data;
  assertEquals(shown("9 2 8 K"), shown("9 K 8 K"));
  assertNotEquals(shown("9 2 8 K"), shown("8 2 8 K"));
});

Deno.test("random actions are fair", () => {
  const env = new Blackjack({ seed: 1 });
  const count = 4000;
  const hits = Array.from({ length: count }, () => env.randomAction()).reduce((a, b) => a + b);
  assertAlmostEquals(hits / count, 0.5, 4 * Math.sqrt(0.25 / count));
});
