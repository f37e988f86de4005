/** Messages between learner and workers, from whoever can reach the server. */
import fc from "fast-check";
import { numberLine } from "../../envs/mod.ts";
import type { Policy } from "../../rl/policy.ts";
import { requireSameEpisodes, requireSamePlaces } from "../../rl/remote/ahead.ts";
import { encodeCard, readCard } from "../../rl/remote/card.ts";
import { encodeJob, encodeResult, readJob, readResult, requireFitting } from "../../rl/remote/jobs.ts";
import { decodeMessage, encodeMessage, type Message } from "../../rl/remote/message.ts";
import { readGradient, readShare } from "../../rl/remote/shares.ts";
import { readAddress } from "../../rl/remote/address.ts";
import { damaged, damagedBytes, damagedText, fuzz, oddJson } from "./fuzz.ts";

const job = await encodeJob({
  ...{ id: "a-1", version: 3, episodes: "training", temperature: 0.4, maxNewTokens: 6, greedy: false },
  rows: [{ episodeSeed: 4, history: [{ action: 2, isRandom: true }] }],
  random: Uint32Array.of(1, 2),
});
const worker = { name: "w", ponder: "0.2.0", adapter: "x" };
const responses = [{ ids: [5], logprobs: Float32Array.of(-1), entropies: Float32Array.of(1), value: 0 }];
const result = await encodeResult({
  id: "a-1",
  worker,
  weights: "d",
  ms: 1,
  outcome: { responses, prompts: "p" },
});
const wholeJob = await encodeJob({
  ...{ id: "a-2", version: 3, episodes: "evaluation", temperature: 0.4, maxNewTokens: 6, greedy: true },
  ...{ side: 2, rows: [{ episodeSeed: 4, history: [] }, { episodeSeed: 5, history: [] }] },
  random: Uint32Array.of(1, 0, 2, 0),
});
const placesJob = await encodeJob({
  ...{ id: "a-3", version: 3, episodes: "training", temperature: 0.4, maxNewTokens: 6, greedy: false },
  ...{ side: 2, rows: [{ episodeSeed: 4, history: [{ action: 0, isRandom: false }] }] },
  ...{ random: Uint32Array.of(1, 0), places: { turns: 4, next: [5, 6] } },
});
const turns = [1, 2];
const wholeResult = await encodeResult({
  ...{ id: "a-2", worker, weights: "d", ms: 1 },
  outcome: { responses: Array(3).fill(responses[0]), turns, prompts: "p" },
});
const card = await encodeCard({
  kernels: { forced: null, chosen: { matmul: "naive" }, rejected: { reduce: ["texture"] } },
  ...{ id: "a", place: "b", since: "c", ponder: "d", adapter: "e", environment: "NumberLine", isOwn: false },
  ...{ envSettings: [], trainingSettings: [], files: { "config.json": new Uint8Array(3) } },
});

/** Reads a message as everybody who might get it does. */
function readAll(message: Message): void {
  const readers = [
    () => readJob(message),
    () => {
      const { outcome } = readResult(message);
      if ("responses" in outcome) {
        const isWhole = outcome.turns !== undefined;
        requireFitting(outcome, { rows: isWhole ? 2 : 1, isWhole, maxNewTokens: 6, vocabularySize: 90 });
      }
      if ("gradient" in outcome) readGradient(outcome.gradient, [[0, 4]], 8);
    },
    () => readCard(message),
    () => readShare(message),
  ];
  let refusal: unknown;
  for (const read of readers) {
    try {
      return read();
    } catch (error) {
      // One that is not a sentence of ours must be seen.
      if (refusal === undefined || !(error as Error).message.startsWith("Cannot ")) refusal = error;
    }
  }
  throw refusal;
}

for (const [name, good] of Object.entries({ job, wholeJob, placesJob, result, wholeResult, card })) {
  fuzz(`bytes of a ${name}`, damagedBytes(good), async (bytes) => readAll(await decodeMessage(bytes)));
  const { kind, fields, arrays } = await decodeMessage(good);
  const strange = fc.record({
    kind: fc.constantFrom("run", "job", "result", "share") as fc.Arbitrary<Message["kind"]>,
    fields: fc.oneof(damaged(fields), oddJson).map((value) => Object(value ?? {}) as Message["fields"]),
    lost: fc.subarray(Object.keys(arrays)),
    cut: fc.nat(3),
  });
  fuzz(`fields and arrays of a ${name}, well signed`, strange, async ({ kind: other, fields, lost, cut }) => {
    const kept = Object.entries(arrays).map(([name, array]) =>
      [name, lost.includes(name) ? array.slice(0, cut) : array] as const
    );
    const message = {
      kind: cut === 0 ? other : kind,
      fields,
      arrays: Object.fromEntries(kept) as Message["arrays"],
    };
    readAll(await decodeMessage(await encodeMessage(message)));
  });
}

const players = fc.array(fc.array(fc.integer({ min: -1, max: 1 }), { maxLength: 12 }), {
  minLength: 1,
  maxLength: 4,
});
fuzz(
  "episodes that end whenever a worker likes",
  fc.tuple(players, fc.boolean()),
  async ([episodes, isPlaces]) => {
    // The one token of a response is its action; -1 is none.
    const policy = {
      promptOf: () => [],
      decide: (_: unknown, __: unknown, { ids: [action] }: { ids: number[] }) => ({
        parse: { action: action < 0 ? null : action },
      }),
    } as unknown as Policy;
    const played = {
      responses: episodes.flat().map((action) => ({ ...responses[0], ids: [action] })),
      turns: episodes.map(({ length }) => length),
      prompts: "p",
    };
    const rows = episodes.map((_, episodeSeed) => ({ episodeSeed, history: [] }));
    const make = () => numberLine.make();
    if (isPlaces) await requireSamePlaces(policy, make, rows, { turns: 6, next: [7, 8] }, played);
    else await requireSameEpisodes(policy, make(), rows, played);
  },
  { refusal: /^it (left (episode|place)|went on after turn|saw other) / },
);

fuzz(
  "addresses of NATS servers",
  damagedText(["nats://user:pass@host:4222,tls://[::1]:1", "tls://token@a.b-c.org", "%%%", "nats://a:b@c@d"]),
  (text) => void readAddress(text, "--nats"),
);
