/** What is kept of replays. */
import { assertEquals } from "@std/assert";
import { keepReplay, replayOf, REPLAYS_FILE, type ReplayTold, tellReplay } from "../../../rl/run/replayed.ts";
import { TempFolder } from "../tiny_run.ts";

const FILE = "rl-000003.jsonl";
const mismatch = { turn: 1, token: 2, field: "logprobs", recorded: -0.5, replayed: -0.6 };
const replay = { turns: [], tokens: 12, compared: 90, mismatches: [mismatch] };

Deno.test("a replay's result is kept for the episode as it was recorded, and for no other content", async () => {
  using temp = new TempFolder();
  const told = tellReplay(replay, "some adapter");
  assertEquals([told.mismatch, told.compared, told.adapter], [1, 90, "some adapter"]);
  assertEquals(replayOf(temp.path, { file: FILE, episode: 0, text: "recorded" }), null);
  await keepReplay(temp.path, { file: FILE, episode: 0, text: "recorded" }, told);
  await keepReplay(temp.path, { file: FILE, episode: 1, text: "recorded" }, { ...told, mismatch: 0 });
  assertEquals(replayOf(temp.path, { file: FILE, episode: 0, text: "recorded" }), told);
  assertEquals(replayOf(temp.path, { file: FILE, episode: 1, text: "recorded" })?.mismatch, 0);
  assertEquals(replayOf(temp.path, { file: FILE, episode: 0, text: "recorded anew" }), null);
});

Deno.test("of many results the newest are kept, and of many mismatches the first", async () => {
  using temp = new TempFolder();
  const told = tellReplay({ ...replay, mismatches: Array(500).fill(mismatch) }, "some adapter");
  assertEquals([told.mismatch, told.mismatches.length], [500, 100]);
  const at = (episode: number) => ({ file: FILE, episode, text: "recorded" });
  const short: ReplayTold = { ...told, mismatches: [] };
  for (let episode = 0; episode < 66; episode++) await keepReplay(temp.path, at(episode), short);
  const kept = [0, 1, 2, 65].map((episode) => replayOf(temp.path, at(episode)) !== null);
  assertEquals(kept, [false, false, true, true]);
});

Deno.test("what is no result is none, whoever wrote the file", () => {
  using temp = new TempFolder();
  const good = {
    sha256: "x",
    adapter: "a",
    responses: 1,
    tokens: 1,
    compared: 1,
    mismatch: 0,
    mismatches: [],
  };
  const contents = [
    ...["{", "null", "[1]", '"text"'],
    JSON.stringify({ [`${FILE}/0`]: { ...good, mismatches: [null] } }),
    JSON.stringify({ [`${FILE}/0`]: { ...good, tokens: "<b>" } }),
    JSON.stringify({ "../secret/0": good }),
  ];
  for (const content of contents) {
    Deno.writeTextFileSync(`${temp.path}/${REPLAYS_FILE}`, content);
    assertEquals(replayOf(temp.path, { file: FILE, episode: 0, text: "" }), null, content);
  }
});
