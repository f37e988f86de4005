/** Downloading a model from a server on this machine that behaves as the hub does. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { downloadModel, type DownloadProgress } from "../../../rl/hub/download.ts";
import { type Hub, isModelName, readHub } from "../../../rl/hub/hub.ts";
import { TempFolder } from "../tiny_run.ts";
import { COMMIT, type HubServer, serveHub } from "./hub_server.ts";

const text = (content: string) => new TextEncoder().encode(content);
const weights = Uint8Array.from({ length: 300_000 }, (_, i) => i * i >> 7);
const FILES = {
  "config.json": text('{"model_type":"idefics3"}'),
  "model.safetensors": weights,
  "tokenizer.json": text('{"model":{}}'),
  "pytorch_model.bin": text("not asked for"),
  "onnx/model.safetensors": text("not asked for either"),
  "../../escape.safetensors": text("nor this"),
  ".hidden.safetensors": text("nor this"),
};

/** A server and a hub that asks it, with a cache of its own. */
async function withHub(
  use: (server: HubServer, hub: Hub, cache: string) => Promise<void>,
  files: Record<string, Uint8Array> = FILES,
): Promise<void> {
  using temp = new TempFolder();
  await using server = await serveHub(files);
  await use(
    server,
    { endpoint: server.endpoint, token: null, cache: `${temp.path}/hub`, isOffline: false },
    temp.path,
  );
}

const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const quick = { retryMs: 1 };

Deno.test("a model is downloaded into the hub tools' own cache, and used from there", () =>
  withHub(async (server, hub) => {
    const seen: DownloadProgress[] = [];
    const folder = await downloadModel(hub, "owner/model", {
      ...quick,
      onProgress: (state) => seen.push(state),
    });
    assertEquals(folder, `${hub.cache}/models--owner--model/snapshots/${COMMIT}`);
    assertEquals(namesIn(folder), ["config.json", "model.safetensors", "tokenizer.json"]);
    assertEquals(Deno.readFileSync(`${folder}/model.safetensors`), weights);
    assertEquals(Deno.readTextFileSync(`${hub.cache}/models--owner--model/refs/main`), COMMIT);
    assert(Deno.lstatSync(`${folder}/config.json`).isSymlink);
    const total = FILES["config.json"].length + weights.length + FILES["tokenizer.json"].length;
    assert(seen.every((state, i) => state.total === total && state.done >= (seen[i - 1]?.done ?? 0)));
    assertEquals(seen.at(-1)!.done, total);

    server.fetched.length = 0;
    assertEquals(await downloadModel(hub, "owner/model", quick), folder);
    assertEquals(server.fetched, []);
  }));

Deno.test("without a connection the copy serves; without a copy it says so", () =>
  withHub(async (_, hub) => {
    const offline = { ...hub, isOffline: true };
    await assertRejects(
      () => downloadModel(offline, "owner/model", quick),
      Deno.errors.NotFound,
      "HF_HUB_OFFLINE is set; connect, or name a folder",
    );
    const folder = await downloadModel(hub, "owner/model", quick);
    assertEquals(await downloadModel(offline, "owner/model", quick), folder);
    assertEquals(
      await downloadModel({ ...offline, endpoint: "http://x" }, "owner/model", { revision: COMMIT }),
      folder,
    );
    // A port of this machine at which nobody listens.
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const endpoint = `http://127.0.0.1:${listener.addr.port}`;
    listener.close();
    assertEquals(await downloadModel({ ...hub, endpoint }, "owner/model", quick), folder);
    await assertRejects(
      () => downloadModel({ ...hub, endpoint }, "owner/other", quick),
      Deno.errors.NotFound,
      `${endpoint} cannot be reached`,
    );
  }));

Deno.test("a connection that is cut goes on where it ended", () =>
  withHub(async (server, hub) => {
    server.cuts.push(26, 100_000, 50_000);
    const folder = await downloadModel(hub, "owner/model", quick);
    assertEquals(Deno.readFileSync(`${folder}/model.safetensors`), weights);
    const ranges = server.fetched.filter(({ name }) => name === "model.safetensors").map(({ range }) =>
      range
    );
    assertEquals(ranges.length, 3);
    assertEquals([ranges[0], ranges[1]?.startsWith("bytes=")], [null, true]);
  }));

/** A timer whose time comes when the test says so. */
function manualTimer() {
  let onTime: (() => void) | null = null;
  const asked: number[] = [];
  return {
    asked,
    pass: () => onTime?.(),
    timer: (ms: number, then: () => void) => {
      asked.push(ms);
      onTime = then;
      return () => onTime = null;
    },
  };
}

Deno.test("a server that falls silent is given up after a while, and the download goes on where it ended", () =>
  withHub(async (server, hub) => {
    const { timer, pass, asked } = manualTimer();
    // Silent at once, after some bytes, and after more. Time passes when the bytes before have been read.
    server.silences.push(0, 1000, 50_000);
    const heard = [0, 1000, 51_000];
    let [done, isSilent] = [0, false];
    const look = () => {
      if (!isSilent || done < heard[0]) return;
      isSilent = false;
      heard.shift();
      pass();
    };
    server.onSilence = () => {
      isSilent = true;
      look();
    };
    const onProgress = (progress: DownloadProgress) => {
      done = progress.done;
      look();
    };
    const folder = await downloadModel(hub, "owner/model", { ...quick, timer, stallMs: 7000, onProgress });
    assertEquals(Deno.readFileSync(`${folder}/model.safetensors`), weights);
    const ranges = server.fetched.map(({ range }) => range);
    assertEquals(ranges, [null, null, "bytes=1000-", "bytes=51000-", null]);
    assertEquals(new Set(asked), new Set([7000]));
  }, { "model.safetensors": weights, "config.json": FILES["config.json"] }));

Deno.test("a server that never answers is named with what it did", async () => {
  const { timer, pass } = manualTimer();
  const answers: PromiseWithResolvers<Response>[] = [];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
    const answer = Promise.withResolvers<Response>();
    answers.push(answer);
    pass();
    return answer.promise;
  });
  using temp = new TempFolder();
  const endpoint = `http://127.0.0.1:${server.addr.port}`;
  const hub: Hub = { endpoint, token: null, cache: `${temp.path}/hub`, isOffline: false };
  const error = await assertRejects(
    () => downloadModel(hub, "owner/model", { ...quick, timer }),
    Deno.errors.NotFound,
    "nothing arrived for 30 seconds",
  );
  assert(error.message.includes(`${endpoint} cannot be reached`), error.message);
  assertEquals(answers.length, 5);
  // Only then can the server end.
  for (const { resolve } of answers) resolve(new Response("late"));
});

Deno.test("a download that failed goes on at the next import, with or without ranges", async () => {
  for (const takesRanges of [true, false]) {
    await withHub(async (server, hub) => {
      server.cuts.push(1000, ...Array(6).fill(0));
      // The first file comes whole only after the cuts are used up: weights are cut until it gives up.
      server.takesRanges = takesRanges;
      const blobs = `${hub.cache}/models--owner--model/blobs`;
      await assertRejects(
        () => downloadModel(hub, "owner/model", quick),
        Error,
        "the connection failed 5 times",
      );
      assert(namesIn(blobs).some((name) => name.endsWith(".incomplete")), "what arrived is kept");
      server.cuts.length = 0;
      const folder = await downloadModel(hub, "owner/model", quick);
      assertEquals(Deno.readFileSync(`${folder}/model.safetensors`), weights);
      assert(!namesIn(blobs).some((name) => name.endsWith(".incomplete")));
    }, { "model.safetensors": weights, "config.json": FILES["config.json"] });
  }
});

for (
  const [name, content, message] of [
    ["model.safetensors", weights.with(7, weights[7] ^ 1), "arrived with the digest"],
    ["config.json", text('{"model_type":"idefics4"}'), "arrived with the digest"],
    ["config.json", text('{"model_type":"idefics3"}  '), "is longer than the 25 bytes"],
  ] as const
) {
  Deno.test(`refused, and nothing of it stays: ${name} ${message}`, () =>
    withHub(async (server, hub) => {
      const folder = `${hub.cache}/models--owner--model`;
      server.wrong.set(name, content);
      await assertRejects(() => downloadModel(hub, "owner/model", quick), Deno.errors.InvalidData, message);
      assert(!namesIn(folder).includes("snapshots") && !namesIn(folder).includes("refs"));
      server.wrong.clear();
      await downloadModel(hub, "owner/model", quick);
      assertEquals(namesIn(`${folder}/blobs`).length, 3);
    }));
}

Deno.test("a gated model needs the token, which no other host is sent", () =>
  withHub(async (server, hub) => {
    await assertRejects(
      () => downloadModel(hub, "owner/gated", quick),
      Deno.errors.NotCapable,
      "does not let you read it (401); check its name, and set HF_TOKEN",
    );
    await assertRejects(
      () => downloadModel({ ...hub, token: "hf_other" }, "owner/gated", quick),
      Deno.errors.NotCapable,
      "and what HF_TOKEN may read",
    );
    const folder = await downloadModel({ ...hub, token: "hf_secret" }, "owner/gated", quick);
    assertEquals(Deno.readFileSync(`${folder}/model.safetensors`), weights);
    assert(server.fetched.length > 0);
    assertEquals(server.leaked, []);
  }));

Deno.test("unknown models, busy hubs, and names that cannot be", () =>
  withHub(async (server, hub) => {
    await assertRejects(
      () => downloadModel(hub, "owner/none", quick),
      Deno.errors.NotFound,
      "check the name",
    );
    server.statuses.push(503, 429);
    await downloadModel(hub, "owner/model", quick);
    server.statuses.push(418);
    await assertRejects(() => downloadModel(hub, "owner/model", quick), Error, "answered with status 418");
    await assertRejects(() => downloadModel(hub, "../x", quick), Error, "is called OWNER/NAME");
    await assertRejects(
      () => downloadModel(hub, "owner/model", { revision: "../../main" }),
      Error,
      "Cannot import revision",
    );
    assertEquals(["a/b", "HuggingFaceTB/SmolVLM-256M-Instruct"].map(isModelName), [true, true]);
    assertEquals(["a", "/a", "a/", "a/b/c", "./a", "a/..", "a b/c"].map(isModelName), Array(7).fill(false));
  }));

Deno.test("a model without safetensors is refused", () =>
  withHub(async (_, hub) => {
    await assertRejects(
      () => downloadModel(hub, "owner/model", quick),
      Deno.errors.NotFound,
      "no .safetensors file",
    );
  }, { "config.json": FILES["config.json"] }));

Deno.test("the environment means what it means to the hub's own tools", async () => {
  using temp = new TempFolder();
  const read = (variables: Record<string, string>) => readHub((name) => variables[name]);
  assertEquals(await read({ HOME: "/h" }), {
    endpoint: "https://huggingface.co",
    token: null,
    cache: "/h/.cache/huggingface/hub",
    isOffline: false,
  });
  assertEquals((await read({ HOME: "/h", XDG_CACHE_HOME: "/c" })).cache, "/c/huggingface/hub");
  Deno.writeTextFileSync(`${temp.path}/token`, "hf_file\n");
  const all = { HF_HOME: temp.path, HF_ENDPOINT: "http://127.0.0.1:9/", HF_HUB_OFFLINE: "1" };
  assertEquals(await read(all), {
    endpoint: "http://127.0.0.1:9",
    token: "hf_file",
    cache: `${temp.path}/hub`,
    isOffline: true,
  });
  assertEquals((await read({ ...all, HF_TOKEN: "hf_env", HF_HUB_CACHE: "/x" })).token, "hf_env");
  assertEquals((await read({ ...all, HF_HUB_CACHE: "/x" })).cache, "/x");
  await assertRejects(() => read({ HF_ENDPOINT: "hub" }), Error, "it is no http or https address");
});

Deno.test("an empty file of a model is downloaded as any other", () =>
  withHub(async (_, hub) => {
    const folder = await downloadModel(hub, "owner/model", quick);
    assertEquals(Deno.readTextFileSync(`${folder}/README.md`), "");
    assertEquals(namesIn(folder), ["README.md", "config.json", "model.safetensors", "tokenizer.json"]);
  }, { ...FILES, "README.md": text("") }));

Deno.test("a redirect to what is no address of the web is refused by name, and one without end ends", () =>
  withHub(async (server, hub) => {
    for (const location of ["file:///etc/passwd", "data:,x", "http://[", "ftp://x/y"]) {
      server.locations.push(location);
      await assertRejects(
        () => downloadModel(hub, "owner/model", quick),
        Deno.errors.InvalidData,
        "which is no http or https address",
      );
    }
    server.locations.push(...Array(20).fill("?again"));
    await assertRejects(
      () => downloadModel(hub, "owner/model", quick),
      Deno.errors.InvalidData,
      "redirects without end",
    );
  }));
