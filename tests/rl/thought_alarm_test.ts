/** The alarm on synthetic rollouts: thoughts that collapse, and ones that only get better. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { rolloutMetrics } from "../../rl/metrics.ts";
import type { Transition } from "../../rl/rollout.ts";
import { faithfulnessWarning, ThoughtAlarm, type ThoughtQuality } from "../../rl/thought_alarm.ts";
import { resultOf } from "./report/result_cells.ts";

const healthy: ThoughtQuality = { thoughtInformation: 0.9, perception: 0.99, faithfulness: 0.5 };

/** Metrics of one response a state; the token at the start of a response is its thought. */
function metricsOf(thoughts: readonly number[], over: Partial<Transition> = {}) {
  const transitions = thoughts.map((thought, state): Transition => ({
    prompt: [{ kind: "text", ids: [state] }],
    response: [thought, 0],
    logprobs: new Float32Array(2),
    weights: new Float32Array(2),
    logPi: 0,
    actionSpan: [17, 18],
    isParsed: true,
    action: 0,
    value: 0,
    reward: 0,
    terminated: true,
    truncated: false,
    random: [0, 0],
    entropies: new Float32Array(2),
    perception: 1,
    faithful: true,
    correction: null,
    state: "",
    ...over,
  }));
  const rollout = {
    transitions,
    bootstrapValues: new Float32Array(thoughts.length),
    trajectories: [],
    episodes: [],
  };
  return rolloutMetrics(rollout, {
    decode: ({ 0: thought }) => {
      const text = `say ${String(thought).padStart(2, "0")}"action": "-"`;
      return { text, starts: [0, 6], ends: [6, text.length] };
    },
  });
}

const states = Array.from({ length: 64 }, (_, i) => i);

Deno.test("a rollout in which one thought answers all states raises the alarm, once in the log", () => {
  const alarm = new ThoughtAlarm();
  const notes: (string | null)[] = [];
  const signs = [states, states, states.map(() => 7), states.map(() => 7)].map((thoughts, i) => {
    const metrics = metricsOf(thoughts);
    const found = alarm.check(metrics);
    notes.push(alarm.note(i + 1, metrics, found));
    return found;
  });
  assertEquals(signs, [[], [], ["thoughtInformation"], ["thoughtInformation"]]);
  assertEquals(notes, [
    null,
    null,
    "Warning at RL iteration 3: thoughts do not tell states apart (thoughtInformation 0.0%, was 100.0%)",
    null,
  ]);
});

Deno.test("thoughts that ignore the states at the start already are an alarm", () => {
  const alarm = new ThoughtAlarm();
  // Nearly all states get the same thought: H(thought) / H(state) = 0.320 / ln 64.
  const few = states.map((state) => state < 60 ? 0 : state);
  const metrics = metricsOf(few);
  const signs = alarm.check(metrics);
  assertEquals(signs, ["thoughtInformation"]);
  const note = "Warning at RL iteration 1: thoughts do not tell states apart (thoughtInformation 7.7%)";
  assertEquals(alarm.note(1, metrics, signs), note);
});

Deno.test("half of the information at the start is the limit", () => {
  for (const [share, signs] of [[0.46, []], [0.44, ["thoughtInformation"]]] as const) {
    const alarm = new ThoughtAlarm();
    alarm.check(healthy);
    assertEquals(alarm.check({ ...healthy, thoughtInformation: share }), [...signs]);
  }
});

Deno.test("perception and faithfulness raise the alarm when they fall far below their best, not before", () => {
  const alarm = new ThoughtAlarm();
  assertEquals(alarm.check(healthy), []);
  assertEquals(alarm.check({ ...healthy, faithfulness: 0.98 }), []);
  assertEquals(alarm.check({ ...healthy, faithfulness: 0.75 }), []);
  const fallen = { ...healthy, perception: 0.7, faithfulness: 0.7 };
  const signs = alarm.check(fallen);
  assertEquals(signs, ["perception", "faithfulness"]);
  const note = alarm.note(4, fallen, signs)!;
  assertStringIncludes(note, "thoughts do not read the picture (perception 70.0%, was 99.0%)");
  assertStringIncludes(note, "(faithfulness 70.0%, was 98.0%)");
  // One that recovers and falls again is in the metrics, and not told twice.
  assertEquals(alarm.check(healthy), ["faithfulness"]);
  assertEquals(alarm.note(5, healthy, ["faithfulness"]), null);
});

Deno.test("without a chain of thought there is nothing to watch", () => {
  const alarm = new ThoughtAlarm();
  const silent = { thoughtInformation: null, perception: null, faithfulness: null };
  assertEquals([alarm.check(healthy), alarm.check(silent)], [[], []]);
  assertEquals(alarm.note(2, silent, []), null);
});

Deno.test("greedy faithfulness that falls by more than a tenth in RL is told, though sampled responses hide it", () => {
  const evaluation = (sampled: number | null, greedy: number | null) => ({
    sampled: { ...resultOf(0.4), faithfulness: sampled },
    greedy: { ...resultOf(0.4), faithfulness: greedy },
  });
  const before = evaluation(0.774, 0.974);
  assertStringIncludes(
    faithfulnessWarning(before, evaluation(0.757, 0.765))!,
    "greedy actions no longer fit their thoughts (faithfulness 76.5%, was 97.4% after SFT)",
  );
  assertEquals(faithfulnessWarning(before, evaluation(0.3, 0.88)), null);
  assertEquals(faithfulnessWarning(null, before), null);
  assertEquals(faithfulnessWarning(evaluation(null, null), evaluation(null, null)), null);
});
