/** Diversity and information of thoughts, on counts worked out by hand. */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { NumberLine } from "../../envs/mod.ts";
import { pictureOf } from "../../model/mod.ts";
import { promptKey, thoughtOf, ThoughtTally } from "../../rl/thought_tally.ts";

/** Rates of [state, thought] pairs. */
function ratesOf(pairs: readonly (readonly [state: string, thought: string | null])[]) {
  const tally = new ThoughtTally();
  for (const [state, thought] of pairs) tally.add(state, thought);
  return tally.rates();
}

Deno.test("a thought of its own for every state tells all, however often the states come up", () => {
  const rates = ratesOf([["a", "1"], ["b", "2"], ["c", "3"], ["a", "1"], ["a", "1"]]);
  assertEquals(rates.thoughtDiversity, 1);
  assertAlmostEquals(rates.thoughtInformation!, 1, 1e-12);
});

Deno.test("one thought for all states tells nothing", () => {
  assertEquals(ratesOf([["a", "1"], ["b", "1"], ["c", "1"], ["d", "1"]]), {
    thoughtDiversity: 0.25,
    thoughtInformation: 0,
  });
});

Deno.test("thoughts that vary and ignore the state tell nothing, though they are diverse", () => {
  const pairs = ["a", "b"].flatMap((state) => ["1", "2", "3"].map((thought) => [state, thought] as const));
  const { thoughtDiversity, thoughtInformation } = ratesOf(pairs);
  assertEquals(thoughtDiversity, 1.5);
  assertAlmostEquals(thoughtInformation!, 0, 1e-12);
});

Deno.test("thoughts that halve four states tell one bit of two", () => {
  const { thoughtDiversity, thoughtInformation } = ratesOf([["a", "1"], ["b", "1"], ["c", "2"], ["d", "2"]]);
  assertEquals(thoughtDiversity, 0.5);
  assertAlmostEquals(thoughtInformation!, 0.5, 1e-12);
});

Deno.test("without thoughts there is no rate, and one state cannot be told from others", () => {
  assertEquals(ratesOf([["a", null], ["b", null]]), { thoughtDiversity: null, thoughtInformation: null });
  assertEquals(ratesOf([["a", "1"], ["a", "2"]]), { thoughtDiversity: 2, thoughtInformation: null });
});

Deno.test("once one response states a thought, those that state none share an empty one", () => {
  const { thoughtDiversity, thoughtInformation } = ratesOf([["a", "1"], ["b", null], ["c", null]]);
  assertAlmostEquals(thoughtDiversity!, 2 / 3, 1e-12);
  const [all, rest] = [Math.log(3), 2 / 3 * Math.log(2)];
  assertAlmostEquals(thoughtInformation!, (all - rest) / all, 1e-12);
});

Deno.test("information is in [0, 1] and does not depend on the order of responses, to the last bit", () => {
  const pair = fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("1", "2", "3"));
  fc.assert(fc.property(fc.array(pair, { minLength: 1, maxLength: 60 }), (pairs) => {
    const rates = ratesOf(pairs);
    assertEquals(ratesOf(pairs.toReversed()), rates);
    const { thoughtInformation } = rates;
    assert(thoughtInformation === null || thoughtInformation >= 0 && thoughtInformation <= 1);
  }));
});

Deno.test("a thought is the text before the action part; a response that is all action has none", () => {
  const text = '{"thoughts": "up", "action": "+"}';
  const cuts = [0, 13, 17, 30, 31, 33, 33];
  const decoding = { text, starts: cuts.slice(0, -1), ends: cuts.slice(1) };
  assertEquals(thoughtOf(decoding, { action: 1, start: 30 }), '{"thoughts": "up"');
  // Nothing was found to do: all of it is thought.
  assertEquals(thoughtOf(decoding, { action: null, start: -1 }), text);
  const bare = { text: '{"action": "+"}', starts: [0, 12, 13], ends: [12, 13, 15] };
  assertEquals(thoughtOf(bare, { action: 1, start: 12 }), null);
});

Deno.test("states have one key each: equal ones the same, others another", () => {
  const env = new NumberLine();
  const keyOf = (start: number, target: number, ids = [1, 2]) => {
    const { observation } = env.reset({ options: { start, target } });
    return promptKey([{ kind: "image", picture: pictureOf(observation.data) }, { kind: "text", ids }]);
  };
  assertEquals(keyOf(1, 2), keyOf(1, 2));
  const keys = [keyOf(1, 2), keyOf(2, 1), keyOf(1, 3), keyOf(1, 2, [1, 3]), keyOf(1, 2, [1, 2, 0])];
  assertEquals(new Set(keys).size, keys.length);
  // A copy of the picture has the key of the picture.
  const pixels = env.reset({ options: { start: 1, target: 2 } }).observation.data.slice();
  assertEquals(
    promptKey([{ kind: "image", picture: pictureOf(pixels) }, { kind: "text", ids: [1, 2] }]),
    keyOf(1, 2),
  );
  const changed = pixels.slice();
  changed[100] ^= 1;
  assertNotEquals(
    promptKey([{ kind: "image", picture: pictureOf(changed) }, { kind: "text", ids: [1, 2] }]),
    keyOf(1, 2),
  );
});
