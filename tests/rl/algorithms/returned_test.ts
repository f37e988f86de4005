/** What an algorithm of a user's own may return, and what is refused by name. */
import { assertEquals, assertThrows } from "@std/assert";
import { NotFiniteError } from "../../../kernels/gpu/mod.ts";
import { numberLine } from "../../../envs/mod.ts";
import { type Algorithm, algorithms } from "../../../rl/algorithms/mod.ts";
import type { Scores } from "../../../rl/algorithms/algorithm.ts";
import { requireScores } from "../../../rl/algorithms/returned.ts";
import { UsageError } from "../../../rl/cli/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import type { Transition } from "../../../rl/rollout.ts";

// deno-lint-ignore no-explicit-any -- what a file of plain JavaScript may hold
const changed = (changes: any): Algorithm => ({ ...algorithms.rloo, reference: "./mine.ts", ...changes });

Deno.test("a collection or objective of no known kind is refused before anything is trained", () => {
  const good = { kind: "episodes", groups: 2, groupSize: 2 };
  for (
    const [changes, message] of [
      [
        { collect: () => ({ ...good, kind: "epsodes" }) },
        'collect returned kind "epsodes", expected "steps" or "episodes"',
      ],
      [{ collect: () => ({ ...good, groupSize: 0 }) }, 'collect returned groupSize "0"'],
      [{ collect: () => ({ ...good, groups: NaN }) }, 'collect returned groups "NaN"'],
      [{ collect: () => ({ kind: "steps", steps: 1.5 }) }, 'collect returned steps "1.5"'],
      [{ collect: () => undefined }, 'collect returned kind "undefined"'],
      [
        { objective: (s: object) => ({ ...s, ratio: "sentence", values: "none" }) },
        'objective returned ratio "sentence"',
      ],
      [
        { objective: (s: object) => ({ ...s, ratio: "token", values: "all" }) },
        'objective returned values "all"',
      ],
    ] as const
  ) {
    assertThrows(() => resolveConfig({}, numberLine, changed(changes)), UsageError, message);
  }
});

Deno.test("scores must fit the turns: number, order, one number a turn or a token, and declared metrics", () => {
  const turns = [2, 3].map((tokens) => ({ response: Array(tokens).fill(1) })) as unknown as Transition[];
  const algorithm = { name: "mine", metrics: { baseline: "mean return" } };
  const samples = turns.map((transition) => ({ transition, advantage: 1 }));
  const first = (changes: object) => [{ ...samples[0], ...changes }, samples[1]];
  const good = {
    samples: first({ advantage: new Float32Array(2), valueTarget: 0, weight: 0 }),
    metrics: { baseline: 1 },
  };
  assertEquals(requireScores(algorithm, good, turns), good);
  for (
    const [scores, message] of [
      [undefined, "score returned no list of samples, expected one for each of 2 turns"],
      [{ samples: samples.slice(1) }, "score returned 1 samples, expected one for each of 2 turns"],
      [{ samples: samples.toReversed() }, "sample 0 is of another turn, keep their order"],
      [{ samples: first({ advantage: [1, 2] }) }, "the advantage of turn 0 is "],
      [
        { samples: first({ advantage: new Float32Array(3) }) },
        "the advantage of turn 0 has 3 numbers for 2 tokens",
      ],
      [{ samples: first({ valueTarget: "1" }) }, "the valueTarget of turn 0 is "],
      [{ samples: first({ weight: new Float32Array(2) }) }, "the weight of turn 0 is "],
      [{ samples, metrics: { other: 1 } }, 'score returned the metric "other", define it in "metrics"'],
    ] as const
  ) {
    assertThrows(
      () => requireScores(algorithm, scores as unknown as Scores, turns),
      TypeError,
      `Cannot learn by mine: ${message}`,
    );
  }
  for (const advantage of [NaN, Infinity, new Float32Array([1, NaN])]) {
    assertThrows(
      () => requireScores(algorithm, { samples: first({ advantage }) } as unknown as Scores, turns),
      NotFiniteError,
      "the advantage of turn 0 is ",
    );
  }
});
