/** What can be held out of NumberLine: training never shows it, evaluation shows nothing else. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { NumberLine, type NumberLineSettings } from "../../../envs/number_line/number_line.ts";
import { isHeldOutPair, isHeldOutTarget } from "../../../envs/number_line/variations.ts";
import { Random } from "../../../envs/shared/random.ts";
import { greedyPieces } from "../greedy_pieces.ts";

/** Everything that is shown in some episodes of random play, and what a demonstrator that misreads much says there. */
function played(settings: NumberLineSettings, episodes = 300) {
  const env = new NumberLine(settings);
  const random = new Random(1);
  const starts = new Set<string>(), shown = new Set<string>(), stated = new Set<string>();
  for (let seed = 0; seed < episodes; seed++) {
    const { info } = env.reset({ seed });
    starts.add(`${info.current} ${info.target}`);
    for (let isOver = false; !isOver;) {
      shown.add(env.stateKey());
      const text = env.demonstrate(random, { cot: true, bias: { misread: 0.5 } });
      stated.add(text.match(/\d+/g)!.slice(0, 2).join(" "));
      const { terminated, truncated } = env.step(random.integer(2));
      isOver = terminated || truncated;
    }
  }
  return { starts, shown, stated };
}

const numbersOf = (pair: string) => pair.split(" ").map(Number) as [number, number];

Deno.test("six of thirty pairs are held out, with each number once on each side and both actions alike", () => {
  const { starts } = played({ pairs: "held-out" });
  assertEquals([...starts].sort(), ["0 5", "1 2", "2 4", "3 1", "4 3", "5 0"]);
  assertEquals(played({ pairs: "seen" }).starts.size, 24);
});

Deno.test("with pairs held out no such pair is ever shown or stated, and every other one is", () => {
  for (const maxPosition of [5, 9]) {
    const { shown, stated } = played({ pairs: "seen", maxPosition });
    for (const pairs of [shown, stated]) {
      assert([...pairs].every((pair) => !isHeldOutPair(...numbersOf(pair))), [...pairs].join(", "));
    }
    assertEquals(shown.size, (maxPosition + 1) * maxPosition * 4 / 5);
  }
});

Deno.test("the number moves on over pairs that are held out, and stays where all that follow are", () => {
  const env = new NumberLine({ pairs: "seen" });
  const moved = (start: number, target: number, action: number) => {
    env.reset({ options: { start, target } });
    return env.step(action).info.current;
  };
  assertEquals(moved(1, 4, 1), 3); // 2 4 is held out
  assertEquals(moved(0, 2, 1), 2); // over 1 2 to the target
  assertEquals(moved(4, 0, 1), 4); // 5 0 is the end of the line
  assertEquals(moved(4, 0, 0), 3);
});

Deno.test("action values count the steps over what is held out", () => {
  const env = new NumberLine({ pairs: "seen" });
  env.reset({ options: { start: 0, target: 4 } });
  // 0, 1, 3, 4: two steps are left after the first.
  const [minus, plus] = env.actionValues({ discount: 0.9 });
  assertAlmostEquals(plus, 0.9 ** 2);
  assertAlmostEquals(minus, -1 + 0.9 ** 3);
});

Deno.test("targets that end in 3 or 7 can be held out: training neither deals nor states them as targets", () => {
  const seen = played({ targets: "seen", maxPosition: 9 });
  const targetsOf = (pairs: Set<string>) => [...new Set([...pairs].map((pair) => numbersOf(pair)[1]))].sort();
  assertEquals(targetsOf(seen.shown), [0, 1, 2, 4, 5, 6, 8, 9]);
  assertEquals(targetsOf(seen.stated), [0, 1, 2, 4, 5, 6, 8, 9]);
  assertEquals(targetsOf(played({ targets: "held-out", maxPosition: 9 }).shown), [3, 7]);
  assert([0, 3, 7].map(isHeldOutTarget).join() === "false,true,true");
});

Deno.test("a target in the prompt is not in the picture, and every prompt has its tokens", () => {
  const env = new NumberLine({ targetIn: "prompt", maxPosition: 20 });
  const at = (target: number) => env.reset({ options: { start: 2, target } });
  assertEquals(at(7).observation, at(13).observation);
  const prompt = env.prompt(at(13).info, { cot: true });
  assert(prompt.includes("Your target number is 13. You will see a current number in the image."), prompt);
  const pieces = greedyPieces(prompt, env.tokens);
  assertEquals(pieces.slice(1, 3), ["1", "3"]);
  assertEquals(pieces.length, 6);
  assertEquals(env.judge(env.demonstrate(new Random(0), { cot: true, bias: { misread: 0 } })).perception, 1);
});

Deno.test("looks vary with the seed alone, leave the deals as they are, and keep every number inside", () => {
  const plain = new NumberLine();
  for (const look of ["varied", "held-out"] as const) {
    const env = new NumberLine({ look });
    const pictures = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const { info, observation } = env.reset({ seed });
      assertEquals(info, plain.reset({ seed }).info);
      const again = new NumberLine({ look }).reset({ seed }).observation;
      assertEquals(observation.data, again.data);
      pictures.add(observation.data.toString());
      for (let y = 0; y < 300; y++) {
        for (const x of [0, 299]) {
          assertEquals(observation.data[3 * (300 * y + x)], 255, `${look} ${seed} ${y}`);
        }
      }
    }
    assertEquals(pictures.size, 40);
  }
});

Deno.test("a part of which a line has no deal is refused", () => {
  assertThrows(() => new NumberLine({ maxPosition: 2, targets: "held-out" }), RangeError, "there is no deal");
  const { info } = new NumberLine({ maxPosition: 4, targets: "held-out", pairs: "held-out" }).reset({
    seed: 1,
  });
  assert(isHeldOutPair(info.current, info.target) && info.target === 3);
});
