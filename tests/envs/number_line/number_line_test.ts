import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import { NumberLine } from "../../../envs/number_line/number_line.ts";
import records from "../data/number_line_records.json" with { type: "json" };
import prompts from "../data/number_line_prompts.json" with { type: "json" };

Deno.test("every recorded episode of the published environment replays exactly", () => {
  assertEquals(records.length, 120);
  for (const { maxPosition, start, target, steps } of records) {
    const env = new NumberLine({ maxPosition });
    const { info } = env.reset({ options: { start, target } });
    assertEquals([info.current, info.target], [start, target]);
    const replayed = steps.map(([action]) => {
      const { reward, terminated, truncated, info } = env.step(Number(action));
      assertEquals(info.goalReached, terminated);
      return [action, reward, terminated, truncated, info.current, info.target];
    });
    assertEquals(replayed, steps);
  }
});

Deno.test("an episode that ended in the record has ended here", () => {
  for (const { start, target, steps } of records) {
    const env = new NumberLine();
    env.reset({ options: { start, target } });
    for (const [action] of steps) env.step(Number(action));
    assertThrows(() => env.step(0), Error, "Cannot step NumberLine: the episode has ended, call reset first");
  }
});

Deno.test("the prompts are the published ones to the byte", () => {
  const env = new NumberLine();
  const { info } = env.reset();
  assertEquals(env.prompt(info, { cot: true }), prompts.cot);
  assertEquals(env.prompt(info, { cot: false }), prompts.actionOnly);
});

Deno.test("a seed gives the same deals and random actions; streams go on over resets without one", () => {
  const play = (seed: number) => {
    const env = new NumberLine();
    return Array.from({ length: 20 }, (_, i) => {
      const { info } = env.reset(i === 0 ? { seed } : {});
      return [info.current, info.target, env.randomAction()];
    });
  };
  assertEquals(play(7), play(7));
  assertNotEquals(play(7), play(8));
  assertEquals(play(7).slice(0, 3), [[0, 2, 0], [4, 0, 1], [3, 4, 0]]);
});

Deno.test("random actions and pinned deals leave the sampled deals as they are", () => {
  const deals = (disturb: (env: NumberLine) => void) => {
    const env = new NumberLine();
    env.reset({ seed: 7 });
    return Array.from({ length: 8 }, () => {
      disturb(env);
      const { current, target } = env.reset().info;
      return [current, target];
    });
  };
  const undisturbed = deals(() => {});
  assertEquals(deals((env) => env.randomAction()), undisturbed);
  assertEquals(deals((env) => env.reset({ options: { start: 1, target: 2 } })), undisturbed);
});

Deno.test("sampled deals are as published: where both numbers would be the same, the target is the next one", () => {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 6000; seed++) {
    const { current, target } = new NumberLine().reset({ seed }).info;
    assertNotEquals(current, target);
    counts.set(`${current} ${target}`, (counts.get(`${current} ${target}`) ?? 0) + 1);
  }
  assertEquals(counts.size, 30);
  const next = (current: string) => String((Number(current) + 1) % 5);
  const expected = (pair: string) =>
    pair.split(" ")[1] === next(pair.split(" ")[0]) ? 2 * 6000 / 36 : 6000 / 36;
  const chiSquare = counts.entries().reduce(
    (sum, [pair, n]) => sum + (n - expected(pair)) ** 2 / expected(pair),
    0,
  );
  assert(chiSquare < 58.3, `chi-square is ${chiSquare}, above the 0.1% point of 29 degrees of freedom`);
});

Deno.test("one pinned number leaves the other to the seed, never equal", () => {
  const env = new NumberLine();
  for (let seed = 0; seed < 50; seed++) {
    const { info } = env.reset({ seed, options: { target: 3 } });
    assertEquals(info.target, 3);
    assertNotEquals(info.current, 3);
  }
});

Deno.test("a line of two numbers deals both, never the same", () => {
  const env = new NumberLine({ maxPosition: 1 });
  const pairs = Array.from({ length: 50 }, (_, seed) => {
    const { current, target } = env.reset({ seed }).info;
    return `${current} ${target}`;
  });
  assertEquals([...new Set(pairs)].sort(), ["0 1", "1 0"]);
});

Deno.test("a longer line truncates after twice its length", () => {
  const env = new NumberLine({ maxPosition: 50 });
  env.reset({ options: { start: 0, target: 50 } });
  let steps = 0;
  for (let ended = false; !ended; steps++) ended = env.step(0).truncated;
  assertEquals(steps, 100);
});

Deno.test("illegal deals, seeds, actions and settings are named, and leave the episode as it was", () => {
  const env = new NumberLine();
  assertThrows(() => env.step(0), Error, "Cannot step NumberLine: no episode has begun, call reset first");
  assertThrows(() => env.solve(), Error, "Cannot solve NumberLine: no episode has begun");
  env.reset({ options: { start: 2, target: 5 } });
  const resets: [Record<string, unknown>, string][] = [
    [{ start: 6, target: 1 }, "start is 6, use an integer from 0 to 5"],
    [{ start: 1, target: -1 }, "target is -1"],
    [{ start: 1.5, target: 3 }, "start is 1.5"],
    [{ start: "1", target: 3 }, 'start is "1", use an integer'],
    [{ start: NaN, target: 3 }, "start is NaN"],
    [{ start: 4, target: 4 }, "start and target are both 4"],
    [{ begin: 4, target: 3 }, 'unknown option "begin", use start and target'],
  ];
  for (const [options, message] of resets) {
    assertThrows(() => env.reset({ options }), RangeError, message);
  }
  assertThrows(() => env.reset({ seed: -3 }), RangeError, "seed is -3");
  for (const action of [-1, 2, 0.5, NaN]) {
    assertThrows(() => env.step(action), RangeError, `action is ${action}, use 0 (-) or 1 (+)`);
  }
  assertEquals(env.step(1).info, { current: 3, target: 5, goalReached: false });
  for (const maxPosition of [0, 1000, 2.5]) {
    assertThrows(() => new NumberLine({ maxPosition }), RangeError, `maxPosition is ${maxPosition}`);
  }
});

/** Mean absolute difference of grey levels; a blank page is 11.7 away from a published frame. */
function meanDifference(drawn: Uint8Array, published: ArrayLike<number>): number {
  assertEquals(drawn.length, published.length);
  return drawn.reduce((sum, value, i) => sum + Math.abs(value - published[i]), 0) / drawn.length;
}

Deno.test("a frame is the published frame but for the hinting of the type", async () => {
  const shown = [[5, 3], [5, 4], [5, 5]];
  const env = new NumberLine();
  let { observation } = env.reset({ options: { start: 3, target: 5 } });
  for (const [i, [target, current]] of shown.entries()) {
    const file = new URL(`../data/number_line_frame_${i}.png`, import.meta.url);
    const published = decode(await Deno.readFile(file));
    assertEquals([observation.width, observation.height], [published.width, published.height]);
    const difference = meanDifference(observation.data, published.data);
    // 1.21, 1.15 and 1.20 measured; a wrong digit alone adds 0.3 to 0.6.
    assert(difference < 1.25, `target ${target}, current ${current}: mean difference is ${difference}`);
    if (current < target) observation = env.step(1).observation;
  }
});

Deno.test("equal states share one frozen frame, different states differ", () => {
  const env = new NumberLine();
  const first = env.reset({ options: { start: 3, target: 5 } }).observation;
  assert(Object.isFrozen(first));
  assert(new NumberLine().reset({ options: { start: 3, target: 5 } }).observation === first);
  assertNotEquals(env.step(1).observation.data, first.data);
});

Deno.test("a result keeps the picture of its own state, whenever it is read", () => {
  const env = new NumberLine();
  const before = env.reset({ options: { start: 1, target: 5 } });
  env.step(1);
  const again = new NumberLine().reset({ options: { start: 1, target: 5 } });
  assertEquals(before.observation.data, again.observation.data);
});

Deno.test("frames beyond the bounded cache are drawn again, and the same", () => {
  const env = new NumberLine({ maxPosition: 99 });
  const draw = (start: number) => env.reset({ options: { start, target: 99 } }).observation;
  const first = draw(0);
  for (let start = 1; start <= 64; start++) draw(start);
  const redrawn = draw(0);
  assert(redrawn !== first, "65 frames later the first one must have left the cache");
  assertEquals(redrawn.data, first.data);
});

Deno.test("the longest numbers fit the picture", () => {
  const { data, width } = new NumberLine({ maxPosition: 999 })
    .reset({ options: { start: 998, target: 999 } }).observation;
  const lastColumns = data.filter((_, i) => Math.floor(i / 3) % width >= width - 8);
  assert(lastColumns.every((value) => value === 255));
});

Deno.test("action values are those of value iteration", () => {
  const discount = 0.9;
  for (const maxPosition of [1, 5]) {
    const env = new NumberLine({ maxPosition });
    for (let target = 0; target <= maxPosition; target++) {
      let values = new Array(maxPosition + 1).fill(0);
      const outcome = (current: number, action: number) => {
        const moved = Math.min(Math.max(current + 2 * action - 1, 0), maxPosition);
        const closer = Math.abs(target - moved) < Math.abs(target - current);
        const [reward, rest] = moved === target ? [1, 0] : [closer ? 0 : -1, values[moved]];
        return reward + discount * rest;
      };
      for (let i = 0; i < 400; i++) {
        values = values.map((_, current) => Math.max(outcome(current, 0), outcome(current, 1)));
      }
      for (let start = 0; start <= maxPosition; start++) {
        if (start === target) continue;
        env.reset({ options: { start, target } });
        env.actionValues({ discount }).forEach((value, action) =>
          assertAlmostEquals(value, outcome(start, action), 1e-12, `${start} to ${target}, action ${action}`)
        );
      }
    }
  }
});
