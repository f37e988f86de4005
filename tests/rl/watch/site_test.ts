/** What the page's server answers, and what it never does. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { decodeRecorded, encodeRecorded } from "../../../rl/run/recorded.ts";
import { exportPage } from "../../../rl/watch/export.ts";
import { formatRuns } from "../../../commands/runs.ts";
import { readPage } from "../../../rl/watch/page.ts";
import { describeRun, findRuns } from "../../../rl/watch/runs.ts";
import { serveSite } from "../../../rl/watch/serve.ts";
import { makeSite } from "../../../rl/watch/site.ts";
import type { RecordingTold, RunListed, RunTold, SceneTold } from "../../../rl/watch/wire.ts";
import { keepReplay } from "../../../rl/run/replayed.ts";
import { TempFolder } from "../tiny_run.ts";
import { writeSyntheticRun } from "./synthetic_run.ts";

/** A site of one run, and how to ask it. */
async function siteOf(folder: string) {
  const runs = () => findRuns([folder]);
  const site = makeSite({ page: { "index.html": "<p>page</p>" }, runs });
  const get = (path: string, init?: RequestInit) => site(new Request(`http://127.0.0.1:8787${path}`, init));
  const json = async <T>(path: string) => await (await get(path)).json() as T;
  await Promise.resolve();
  return { site, get, json };
}

Deno.test("the server tells a run's settings, metrics, recording, pictures and frames", async () => {
  using temp = new TempFolder();
  await writeSyntheticRun(`${temp.path}/one`, { iterations: 5, recorded: 3 });
  const { get, json } = await siteOf(temp.path);
  const [listed] = await json<RunListed[]>("/api/runs");
  assertEquals([listed.id, listed.environment, listed.status], ["one", "NumberLine", "stopped"]);
  const told = await json<RunTold>("/api/run/one");
  assertEquals(told.baselines.map(({ label }) => label), ["random", "optimal", "RL4VLM (7B)"]);
  const metrics = await get("/api/run/one/metrics");
  const text = await metrics.text();
  assertEquals(text.trim().split("\n").length, 55);
  const rest = await get(`/api/run/one/metrics?from=${metrics.headers.get("x-next")}`);
  assertEquals([await rest.text(), rest.headers.get("x-start")], ["", String(text.length)]);
  const { episodes, iterations, faults } = await json<RecordingTold>("/api/run/one/recording");
  assertEquals([episodes.length, iterations, faults], [6, [2, 3, 5], []]);
  const recorded = decodeRecorded(await (await get(`/api/run/one/file/${episodes[0].file}`)).text());
  const picture = await get(`/api/run/one/file/${recorded.turns[0].picture}`);
  assertEquals([picture.status, picture.headers.get("content-type")], [200, "image/png"]);
  await picture.body?.cancel();
  const scene = await json<SceneTold>(`/api/run/one/scene/${episodes[0].file}/0`);
  assertEquals(scene.turns.length, episodes[0].turns);
  // The third action of the first episode is the wrong one.
  const regrets = scene.turns.map(({ regret }) => regret! > 1e-9);
  assertEquals(regrets, scene.turns.map((_, turn) => turn % 3 === 2));
});

Deno.test("a request reaches nothing but what the runs that were found hold", async () => {
  using temp = new TempFolder();
  await writeSyntheticRun(`${temp.path}/runs/one`, { iterations: 2, recorded: 1 });
  Deno.writeTextFileSync(`${temp.path}/secret.txt`, "secret");
  Deno.writeTextFileSync(`${temp.path}/runs/one/recording/notes.txt`, "secret");
  Deno.writeTextFileSync(`${temp.path}/runs/one/notes.txt`, "secret");
  const { get } = await siteOf(`${temp.path}/runs`);
  const paths = [
    ...[
      "/secret.txt",
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/api/run/..%2f..%2fsecret.txt",
    ],
    ...[
      "/api/run/..",
      "/api/run/%2e%2e",
      "/api/run/%2Fetc",
      "/api/run/one%2f..%2f..",
      "/api/run/two",
      "/api/run/%E0%A4%A",
    ],
    ...[
      "/api/run/one/file/notes.txt",
      "/api/run/one/file/..%2fnotes.txt",
      "/api/run/one/file/%2e%2e%2fconfig.json",
    ],
    ...[
      "/api/run/one/file/..",
      "/api/run/one/file/rl-000001.jsonl%00",
      "/api/run/one/file/rl-000001.jsonl/x",
    ],
    ...[
      "/api/run/one/file//etc/passwd",
      "/api/run/one/config.json",
      "/api/run/one/metrics/x",
      "/api/run/one/scene/..%2f/0",
    ],
    ...[
      "/api/run/one/scene/rl-000001.jsonl/-1",
      "/api/run/one/metrics?from=-1",
      "/api/run/one/metrics?from=x",
      "/page.js%2f..",
    ],
    ...[
      "/api/run/__proto__",
      "/__proto__",
      "/constructor",
      "/api/constructor",
      "/play/act",
      "/api/run/one/file/rl-999999.jsonl",
    ],
  ];
  for (const path of paths) {
    const response = await get(path);
    const text = await response.text();
    assertEquals(response.status, 404, path);
    assert(!text.includes("secret"), path);
  }
  assertEquals((await get("/api/runs", { method: "POST" })).status, 405);
});

Deno.test("answers carry a content security policy, and only this machine's names are answered", async () => {
  using temp = new TempFolder();
  const { site, get } = await siteOf(temp.path);
  const { headers } = await get("/");
  const policy = headers.get("content-security-policy")!;
  for (
    const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]
  ) {
    assertStringIncludes(policy, part);
  }
  assert(!policy.includes("unsafe"));
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"]) {
    assertEquals((await site(new Request(`http://${host}:8787/api/runs`))).status, 403, host);
  }
  const ask = site(new Request("http://localhost:8787/play/act", { method: "POST" }));
  assertEquals((await ask).status, 403, "another page's form sends no header of ours");
});

Deno.test("damaged, half-written and foreign files are named, and the rest is told", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/one`;
  await writeSyntheticRun(run, { iterations: 6, recorded: 6 });
  const at = (file: string) => `${run}/recording/rl-00000${file}.jsonl`;
  const text = Deno.readTextFileSync(at("1"));
  Deno.writeTextFileSync(at("1"), text.slice(0, text.length / 2));
  Deno.writeTextFileSync(at("2"), text.replace("so it goes", "so it went"));
  Deno.writeTextFileSync(at("3"), "\u0000\u0001");
  Deno.writeTextFileSync(`${run}/summary.json`, '{"evaluation": ');
  Deno.writeTextFileSync(`${run}/metrics.jsonl`, '{"stage":"rl","iter', { append: true });
  const { get, json } = await siteOf(temp.path);
  const told = await json<RunTold>("/api/run/one");
  const restore = `; ./ponder check ${run} --restore`;
  const whole = `${restore} goes back to what is whole`;
  assertEquals(told.status, "damaged");
  assertEquals(told.faults, [{ file: "summary.json", state: "it is not JSON" + whole }]);
  const { episodes, faults } = await json<RecordingTold>("/api/run/one/recording");
  assertEquals(new Set(episodes.map(({ iteration }) => iteration)), new Set([4, 5, 6]));
  assertEquals(faults, [
    { file: "recording/rl-000001.jsonl", state: `it is half-written${restore} removes it` },
    {
      file: "recording/rl-000002.jsonl",
      state: `its content is not what was written${restore} removes it`,
    },
    { file: "recording/rl-000003.jsonl", state: `it is half-written${restore} removes it` },
  ]);
  // The line that is being written is not told yet.
  assertEquals((await (await get("/api/run/one/metrics")).text()).trim().split("\n").length, 56);
  Deno.removeSync(`${run}/config.json`);
  assertEquals((await json<RunTold>("/api/run/one")).faults[0], {
    file: "config.json",
    state: "it is missing" + whole,
  });
  Deno.writeTextFileSync(`${run}/config.json`, '{"env": "/tmp/evil.ts", "envSettings": 7, "seed": {}}');
  assertEquals((await json<RunTold>("/api/run/one")).canDraw, false);
});

Deno.test("a port that is in use gives way to the next, which is said", async () => {
  const notes: string[] = [];
  const note = (text: string) => notes.push(text);
  const handler = () => Promise.resolve(new Response("x"));
  await using first = serveSite(handler, { port: 0, note });
  const port = Number(new URL(first.url).port);
  await using second = serveSite(handler, { port, note });
  assertEquals(new URL(second.url).hostname, "127.0.0.1");
  assert(Number(new URL(second.url).port) > port);
  assertStringIncludes(notes[0], `Port ${port} is in use, taking`);
  assertEquals(await (await fetch(second.url)).text(), "x");
});

Deno.test("an exported page holds the runs, and no text of a model can leave its element", async () => {
  using temp = new TempFolder();
  const thought = "</script><script>alert(1)</script><!--";
  await writeSyntheticRun(`${temp.path}/one`, { iterations: 3, recorded: 2, thought });
  const html = await exportPage(await readPage(), await findRuns([temp.path]));
  assertEquals(html.match(/<script/g)?.length, 2);
  assertEquals(html.match(/<\/script>/g)?.length, 2);
  assert(!html.includes("<!--"));
  const [, policy] = /content-security-policy" content="([^"]*)"/.exec(html)!;
  assert(!policy.includes("unsafe") && policy.includes("script-src 'sha256-"));
  const [, data] = /id="data">(.*?)<\/script>/s.exec(html)!;
  const { runs } = JSON.parse(data);
  assertEquals([runs[0].told.name, runs[0].recording.episodes.length], ["one", 4]);
  assertStringIncludes(JSON.stringify(runs[0].recording.episodes[0].text), "</script>");
  assertEquals(Object.keys(runs[0].scenes).length, 4);
});

Deno.test("the result of a replay is told beside its episode, and goes with an exported page", async () => {
  using temp = new TempFolder();
  const run = `${temp.path}/one`;
  await writeSyntheticRun(run, { iterations: 3, recorded: 2 });
  const { json, get } = await siteOf(temp.path);
  const { episodes: [{ file, episode }] } = await json<RecordingTold>("/api/run/one/recording");
  assertEquals(await json(`/api/run/one/replay/${file}/${episode}`), null);
  const text = Deno.readTextFileSync(`${run}/recording/${file}`);
  const told = { adapter: "here", responses: 3, tokens: 18, compared: 200, mismatch: 0, mismatches: [] };
  await keepReplay(run, { file, episode, text }, told);
  assertEquals(await json(`/api/run/one/replay/${file}/${episode}`), told);
  assertEquals((await get(`/api/run/one/replay/rl-000099.jsonl/0`)).status, 404);
  const html = await exportPage(await readPage(), await findRuns([temp.path]));
  const [, data] = /id="data">(.*?)<\/script>/s.exec(html)!;
  assertEquals(JSON.parse(data).runs[0].replays, { [`${file}/${episode}`]: told });
});

Deno.test("runs are found in folders of folders; a path that is none is named", async () => {
  using temp = new TempFolder();
  await writeSyntheticRun(`${temp.path}/a`, { iterations: 1, recorded: 1 });
  await writeSyntheticRun(`${temp.path}/sweep/a`, { iterations: 1, recorded: 1 });
  Deno.mkdirSync(`${temp.path}/empty`);
  assertEquals((await findRuns([temp.path])).map(({ id }) => id), ["a", "sweep/a"]);
  // A run that is added changes no id.
  await writeSyntheticRun(`${temp.path}/0/a`, { iterations: 1, recorded: 1 });
  assertEquals((await findRuns([temp.path])).map(({ id }) => id), ["0/a", "a", "sweep/a"]);
  assertEquals((await findRuns([`${temp.path}/a`, `${temp.path}/sweep/`])).map(({ id }) => id), [
    "a",
    "sweep/a",
  ]);
  assertEquals((await findRuns([`${temp.path}/0/a`, `${temp.path}/sweep/a`])).map(({ id }) => id), [
    "0/a",
    "sweep/a",
  ]);
  Deno.removeSync(`${temp.path}/0`, { recursive: true });
  await assertRejects(() => findRuns([`${temp.path}/none`]), Deno.errors.NotFound, "no such folder");
  Deno.writeTextFileSync(
    `${temp.path}/a/summary.json`,
    JSON.stringify({ evaluation: { sampled: { success: 0.75 }, greedy: { success: 1 } }, env_steps: 256 }),
  );
  const runs = await Promise.all((await findRuns([temp.path])).map(describeRun));
  const listed = runs.map(({ listed }) => ({ ...listed, changedMs: 1e12 }));
  assertEquals(formatRuns(listed, 1e12 + 3 * 86_400e3).split("\n"), [
    "run  environment  algorithm  after SFT  success  greedy  state     age",
    "a    NumberLine   ppo                -    75.0%  100.0%  finished  3 d",
    "a    NumberLine   ppo                -        -       -  stopped   3 d",
  ]);
});

Deno.test({
  name: "nothing outside a run is shown, whatever names and links a stranger's recording holds",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using temp = new TempFolder();
    const run = `${temp.path}/one`;
    await writeSyntheticRun(run, { iterations: 2, recorded: 2 });
    Deno.writeTextFileSync(`${temp.path}/secret.txt`, "secret\n");
    const linked = `${"0".repeat(32)}.png`;
    Deno.symlinkSync(`${temp.path}/secret.txt`, `${run}/recording/${linked}`);
    Deno.symlinkSync(`${temp.path}/secret.txt`, `${run}/recording/after-rl.jsonl`);
    Deno.removeSync(`${run}/metrics.jsonl`);
    Deno.symlinkSync(`${temp.path}/secret.txt`, `${run}/metrics.jsonl`);
    const file = `${run}/recording/rl-000001.jsonl`;
    const { header, episodes, turns } = decodeRecorded(Deno.readTextFileSync(file));
    const named = [linked, "../../secret.txt", `${temp.path}/secret.txt`];
    const hostile = named.map((picture) => ({ ...turns[0], picture }));
    Deno.writeTextFileSync(file, encodeRecorded([header, ...episodes, ...hostile]));
    const { get } = await siteOf(temp.path);
    for (const path of [`file/${linked}`, "file/after-rl.jsonl", "scene/after-rl.jsonl/0", "metrics"]) {
      const response = await get(`/api/run/one/${path}`);
      assert(response.status >= 400, path);
      assert(!(await response.text()).includes("secret\n"), path);
    }
    const html = await exportPage(await readPage(), await findRuns([temp.path]));
    assert(!html.includes(btoa("secret\n")) && !html.includes('"secret\\n'));
  },
});

Deno.test({
  name: "a pipe or a device in place of a run's files does not stop the list",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using temp = new TempFolder();
    for (const name of ["pipe", "device", "loop"]) {
      await writeSyntheticRun(`${temp.path}/${name}`, { iterations: 1, recorded: 1 });
      Deno.removeSync(`${temp.path}/${name}/config.json`);
    }
    await new Deno.Command("mkfifo", { args: [`${temp.path}/pipe/config.json`] }).output();
    Deno.symlinkSync("/dev/zero", `${temp.path}/device/config.json`);
    Deno.symlinkSync("config.json", `${temp.path}/loop/config.json`);
    const { json } = await siteOf(temp.path);
    const listed = await json<RunListed[]>("/api/runs");
    assertEquals(listed.map(({ name, status }) => [name, status]), [
      ["device", "damaged"],
      ["loop", "damaged"],
      ["pipe", "damaged"],
    ]);
  },
});

Deno.test("a list of runs holds nothing that a terminal obeys, whatever a run says of itself", async () => {
  using temp = new TempFolder();
  const hostile = "\x1b[2J\x9b31m\nfake";
  Deno.mkdirSync(`${temp.path}/one`);
  Deno.writeTextFileSync(
    `${temp.path}/one/config.json`,
    JSON.stringify({ env: hostile, algorithm: hostile }),
  );
  const listed = await Promise.all((await findRuns([temp.path])).map(describeRun));
  const text = formatRuns(listed.map(({ listed }) => ({ ...listed, name: hostile })), 0);
  // deno-lint-ignore no-control-regex -- they are what must not be there
  assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(text));
  assertEquals(text.split("\n").length, 2);
});
