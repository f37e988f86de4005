/** The binary form of messages, jobs and results. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  encodeJob,
  encodeResult,
  type Job,
  readJob,
  readResult,
  requireFitting,
} from "../../../rl/remote/jobs.ts";
import { decodeMessage, encodeMessage } from "../../../rl/remote/message.ts";

const job: Job = {
  ...{ id: "a-1", version: 3, episodes: "training", temperature: 0.4, maxNewTokens: 6, greedy: false },
  rows: [
    { episodeSeed: 4_000_000_000, history: [] },
    { episodeSeed: 7, history: [{ action: 2, isRandom: true }, { action: 0, isRandom: false }] },
  ],
  random: Uint32Array.of(1, 2, 3, 0xffffffff),
};
const responses = [
  { ids: [5, 1], logprobs: Float32Array.of(-0.5, -1), entropies: Float32Array.of(1, 2), value: 0.25 },
  { ids: [70_000], logprobs: Float32Array.of(0), entropies: Float32Array.of(0), value: -3 },
];
const worker = { name: "w", ponder: "0.2.0", adapter: "x" };
const result = { id: "a-1", worker, weights: "d", ms: 12.5, outcome: { responses, prompts: "p" } };

Deno.test("jobs and results come back as they were sent, to the bit", async () => {
  assertEquals(readJob(await decodeMessage(await encodeJob(job))), job);
  assertEquals(readResult(await decodeMessage(await encodeResult(result))), result);
  const whole = { ...result, outcome: { responses, prompts: "p", turns: [2] } };
  assertEquals(readResult(await decodeMessage(await encodeResult(whole))), whole);
  assertEquals(readJob(await decodeMessage(await encodeJob({ ...job, side: 7 }))), { ...job, side: 7 });
  const places = { ...job, side: 2, places: { turns: 8, next: [3, 4_000_000_000] } };
  assertEquals(readJob(await decodeMessage(await encodeJob(places))), places);
  for (const changes of [{ side: 1 }, { side: undefined }, { places: { turns: 0, next: [] } }]) {
    const odd = await decodeMessage(await encodeJob({ ...places, ...changes }));
    assertThrows(() => readJob(odd), SyntaxError, "Cannot use a job");
  }
  const failed = { ...result, outcome: { error: "no memory" } };
  assertEquals(readResult(await decodeMessage(await encodeResult(failed))), failed);
});

/** Each episode has `turns` responses of 14 tokens; without turns, one response. */
async function resultBytes(rows: number, turns?: number): Promise<number> {
  const arrays = { logprobs: new Float32Array(14), entropies: new Float32Array(14) };
  const one = { ids: Array(14).fill(1), ...arrays, value: 0 };
  const outcome = {
    ...{ responses: Array(rows * (turns ?? 1)).fill(one), prompts: "p" },
    ...turns !== undefined && { turns: Array(rows).fill(turns) },
  };
  return (await encodeResult({ ...result, outcome })).length;
}

async function jobBytes(rows: number, steps: number): Promise<number> {
  const history = Array(steps).fill({ action: 1, isRandom: false });
  const all = { random: new Uint32Array(2 * rows), rows: Array(rows).fill({ episodeSeed: 1, history }) };
  return (await encodeJob({ ...job, ...all })).length;
}

Deno.test("a response of 14 tokens takes 174 bytes, and a row of a job 16 and 4 a step before it", async () => {
  assertEquals(await resultBytes(900) - await resultBytes(800), 100 * (6 + 12 * 14));
  assertEquals(await jobBytes(900, 0) - await jobBytes(800, 0), 100 * 16);
  assertEquals(await jobBytes(900, 19) - await jobBytes(900, 18), 900 * 4);
});

Deno.test("a whole episode takes 16 bytes in its job and 4 in the result; a place also 4 for each turn, in its job", async () => {
  assertEquals(await resultBytes(900, 5) - await resultBytes(800, 5), 100 * (4 + 5 * (6 + 12 * 14)));
  // As turns, the same episodes take a place in five jobs, and name the actions before each.
  let turns = 0;
  for (let turn = 0; turn < 5; turn++) turns += await jobBytes(900, turn) - await jobBytes(800, turn);
  const placesBytes = async (rows: number) => {
    const places = { turns: 5, next: Array(5 * rows).fill(1) };
    const all = {
      random: new Uint32Array(2 * rows),
      rows: Array(rows).fill({ episodeSeed: 1, history: [] }),
    };
    return (await encodeJob({ ...job, ...all, side: 900, places })).length;
  };
  assertEquals(await placesBytes(900) - await placesBytes(800), 100 * (16 + 5 * 4));
  assertEquals([turns, await jobBytes(900, 0) - await jobBytes(800, 0)], [100 * (5 * 16 + 10 * 4), 100 * 16]);
});

Deno.test("a message that is cut, lengthened or changed anywhere is refused", async () => {
  const good = await encodeJob(job);
  for (let at = 0; at < good.length; at++) {
    const bad = good.slice();
    bad[at] ^= 1;
    // Two bytes of the header mean nothing.
    if (at === 6 || at === 7) continue;
    const error = await assertRejects(async () => readJob(await decodeMessage(bad)));
    assertEquals((error as Error).message.startsWith("Cannot "), true);
  }
  for (let length = 0; length < good.length; length++) {
    await assertRejects(() => decodeMessage(good.subarray(0, length)), SyntaxError, "Cannot read a message");
  }
  await assertRejects(() => decodeMessage(Uint8Array.of(...good, 0)), SyntaxError, "but says");
});

Deno.test("another version of the form is told from damage", async () => {
  const other = await encodeJob(job);
  other[4] = 9;
  await assertRejects(() => decodeMessage(other), RangeError, "use the same ponder everywhere");
});

Deno.test("well-formed messages with impossible content are refused", async () => {
  const withFields = async (changes: Record<string, unknown>) => {
    const { kind, fields, arrays } = await decodeMessage(await encodeJob(job));
    return await decodeMessage(await encodeMessage({ kind, fields: { ...fields, ...changes }, arrays }));
  };
  for (
    const changes of [
      { version: -1 },
      { side: 0 },
      { side: 1.5 },
      { episodes: "none" },
      { temperature: 0 },
      { greedy: 1 },
      { id: 3 },
      {
        maxNewTokens: 1e9,
      },
    ]
  ) {
    const message = await withFields(changes);
    assertThrows(() => readJob(message), SyntaxError, "Cannot use a job");
  }
  const expected = { rows: 2, maxNewTokens: 6, vocabularySize: 100_000 };
  requireFitting({ responses }, expected);
  for (const changes of [{ rows: 3 }, { maxNewTokens: 1 }, { vocabularySize: 60_000 }]) {
    assertThrows(
      () => requireFitting({ responses }, { ...expected, ...changes }),
      SyntaxError,
      "Cannot use a result",
    );
  }
  const whole = { ...expected, isWhole: true, rows: 1 };
  requireFitting({ responses, turns: [2] }, whole);
  for (const [what, each] of [[{ responses }, whole], [{ responses, turns: [1, 1] }, expected]] as const) {
    assertThrows(() => requireFitting(what, each), SyntaxError, "Cannot use a result");
  }
  for (const turns of [[1], [3], [2, 0], [0xffff_ffff]]) {
    const odd = await decodeMessage(
      await encodeResult({ ...result, outcome: { responses, prompts: "p", turns } }),
    );
    assertThrows(() => readResult(odd), SyntaxError, "its turns");
  }
  const likely = [{ ...responses[1], logprobs: Float32Array.of(0.5) }];
  assertThrows(
    () => requireFitting({ responses: likely }, { ...expected, rows: 1 }),
    SyntaxError,
    "log-probability",
  );
  const infinite = { ...result, outcome: { prompts: "p", responses: [{ ...responses[1], value: NaN }] } };
  const message = await decodeMessage(await encodeResult(infinite));
  assertThrows(() => readResult(message), SyntaxError, "values 0");
});
