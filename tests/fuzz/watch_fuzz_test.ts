/** Recordings, pictures and metrics from strangers, as they are listed, shown, played again and exported. */
import { assert, assertEquals } from "@std/assert";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { numberLine } from "../../envs/mod.ts";
import { openGpu } from "../../kernels/gpu/mod.ts";
import { decodePicture, encodePicture } from "../../rl/image.ts";
import { metricsCsv, scalarsOf, tensorboardEvents } from "../../rl/report/metrics_export.ts";
import { decodeRecorded, sha256 } from "../../rl/run/recorded.ts";
import { entriesAt, recordingFaults } from "../../rl/run/recording.ts";
import { compareEpisode } from "../../rl/run/replay.ts";
import { exportPage } from "../../rl/watch/export.ts";
import { Play } from "../../rl/watch/play.ts";
import { listRecording } from "../../rl/watch/recordings.ts";
import { describeRun, findRuns } from "../../rl/watch/runs.ts";
import { playScene } from "../../rl/watch/scenes.ts";
import { makeSite, stageOf } from "../../rl/watch/site.ts";
import { writeSyntheticRun } from "../rl/watch/synthetic_run.ts";
import { damaged, damagedBytes, fuzz, oddJson, oddText } from "./fuzz.ts";

const folder = Deno.makeTempDirSync({ prefix: "ponder_fuzz_" });
const run = `${folder}/one`;
await writeSyntheticRun(run, { iterations: 3, recorded: 2 });
const page = { "index.html": "<p></p>", "page.js": "", "page.css": "" };
const stage = stageOf({ env: "NumberLine" })!;

const [file, other] = entriesAt(`${run}/recording`).filter((name) => name.endsWith(".jsonl"));
const good = Deno.readTextFileSync(`${run}/recording/${file}`);
const lines = good.trimEnd().split("\n").slice(0, -1).map((line) => JSON.parse(line));

/** A file whose digest is right, whatever it holds. */
function signed(lines: unknown): string {
  const body = (Array.isArray(lines) ? lines : [lines]).map((line) => `${JSON.stringify(line)}\n`).join("");
  return `${body}{"kind":"end","sha256":"${sha256(body)}"}\n`;
}
// The callers say of which file.
const refusal = /^(it |its |line \d|")/;

fuzz(
  "a signed file of a recording, compared and played again",
  fc.oneof(damaged(lines), oddJson),
  (lines) => {
    const recorded = decodeRecorded(signed(lines));
    for (const { episode } of recorded.episodes.slice(0, 3)) {
      playScene(recorded, episode, stage);
      const { mismatches } = compareEpisode(recorded, [recorded.header, ...recorded.turns], episode);
      assertEquals(mismatches.filter(({ field }) => field !== "turn"), []);
    }
  },
  { runs: 60, share: 0.1, refusal },
);

const goodBytes = new TextEncoder().encode(good);
fuzz(
  "bytes of a recorded file",
  damagedBytes(goodBytes),
  (bytes) => void decodeRecorded(new TextDecoder().decode(bytes)),
  { share: 0.2, refusal },
);

fuzz(
  "a run's files as the page lists and exports them",
  fc.tuple(damaged(lines), oddJson, oddJson, oddText),
  async ([recorded, config, summary, metrics]) => {
    Deno.writeTextFileSync(`${run}/recording/${other}`, signed(recorded));
    Deno.writeTextFileSync(`${run}/config.json`, JSON.stringify(config) ?? "");
    Deno.writeTextFileSync(`${run}/summary.json`, JSON.stringify(summary) ?? "");
    Deno.writeTextFileSync(`${run}/metrics.jsonl`, metrics);
    const runs = await findRuns([run]);
    const { listed } = await describeRun(runs[0]);
    assert(["training", "finished", "stopped", "damaged"].includes(listed.status));
    JSON.stringify(await listRecording(run));
    recordingFaults(run);
    const html = await exportPage(page, runs);
    assert(!html.slice(html.indexOf('id="data"')).includes("<!--"));
  },
  { runs: 12, share: 0.005 },
);

const png = encodePicture({ width: 5, height: 3, data: Uint8Array.from({ length: 45 }, (_, i) => i * 5) });

/** The same bytes with the checksums that its chunks should have. */
function checked(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) break;
    view.setUint32(end - 4, crc32(bytes.subarray(at + 4, end - 4)));
    at = end;
  }
  return bytes;
}
fuzz(
  "a PNG, with right checksums or not",
  fc.tuple(damagedBytes(png), fc.boolean()),
  ([bytes, isChecked]) => {
    const { width, height, data } = decodePicture(isChecked ? checked(bytes) : bytes);
    assert(width > 0 && height > 0 && data.length === 3 * width * height);
  },
  { runs: 300 },
);

const metric = {
  stage: "rl",
  iteration: 1,
  envSteps: 64,
  success: 0.5,
  sampled: { success: 1, ci95: [0, 1] },
};
fuzz(
  "metrics as tables and event files",
  fc.array(fc.oneof(damaged(metric), fc.constant(metric)), { maxLength: 6 }),
  (lines) => {
    const objects = lines.filter((line) => typeof line === "object" && line !== null && !Array.isArray(line));
    const scalars = scalarsOf(objects as Record<string, unknown>[]);
    const table = metricsCsv(scalars).split("\n").filter((_, i, all) => i > 0 && i < all.length - 1);
    for (const row of table.slice(-3)) assert(/^[\d.,e+-]*$/i.test(row) || row.includes('"'), row);
    // Records follow each other without a gap.
    const events = tensorboardEvents(scalars, 1);
    const view = new DataView(events.buffer);
    let at = 0;
    for (let records = 0; at < events.length; records++) at += 16 + Number(view.getBigUint64(at, true));
    assertEquals(at, events.length);
  },
  { runs: 500 },
);

const site = makeSite({ page, runs: () => findRuns([folder]) });
const part = fc.oneof(
  fc.constantFrom(
    "api",
    "run",
    "runs",
    "one",
    "recording",
    "file",
    "scene",
    "metrics",
    file,
    "0",
    "..",
    "%2e%2e",
  ),
  fc.constantFrom("%2Fetc%2Fpasswd", "play", "begin", "index.html", "%", "recording%2F..", "__proto__"),
  oddText.map((text) => encodeURIComponent(text.toWellFormed()).slice(0, 200)),
);
fuzz(
  "requests to the page's server",
  fc.tuple(
    fc.array(part, { maxLength: 7 }),
    fc.constantFrom("GET", "POST", "DELETE"),
    fc.constantFrom("", "?from=5", "?from=-1", "?from=1e99", "?x"),
  ),
  async ([parts, method, query]) => {
    const response = await site(new Request(`http://127.0.0.1:1/${parts.join("/")}${query}`, { method }));
    assert(response.status <= 500, String(response.status));
    assert(response.headers.get("content-security-policy")?.includes("default-src 'none'"));
    assert(!(await response.text()).includes("root:"));
  },
  { share: 0.02 },
);

const play = new Play({ runs: () => findRuns([folder]), openGpu });
fuzz(
  "what a page asks for when it plays",
  fc.tuple(
    fc.constantFrom("begin", "step", "think", "picture", "toString"),
    fc.oneof(
      damaged({ run: "one", seed: 3, session: "x", side: "you", action: "+", png: "iVBORw0KGgo=" }),
      oddJson,
    ),
  ),
  async ([what, body]) => {
    const text = JSON.stringify(body) ?? "";
    const headers = { "content-length": String(text.length) };
    const request = new Request("http://127.0.0.1/", { method: "POST", body: text, headers });
    const response = await play.answer(request, what);
    if (response === null) return;
    assert(response.status === 200 || response.status === 400);
    assert((await response.text()).length > 0);
  },
  { share: 0.02 },
);

Deno.test("fuzz: the run's folder is removed", async () => {
  await play[Symbol.asyncDispose]();
  Deno.removeSync(folder, { recursive: true });
  assertEquals(numberLine.name, stage.environment.name);
});
