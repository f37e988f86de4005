/** The `import` command: from a hub that misbehaves, from folders that are right and from those that are not. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { importCommand } from "../../commands/import.ts";
import { buildTokenizer, decodeSafetensors, encodeSafetensors, Tokenizer } from "../../model/mod.ts";
import { runCommand } from "../../rl/cli/mod.ts";
import { readBase } from "../../rl/pretrained/base.ts";
import { installFiles } from "../../rl/pretrained/install.ts";
import { serveHub } from "../rl/hub/hub_server.ts";
import { TempFolder } from "../rl/tiny_run.ts";

const DATA = new URL("../model/data/pretrained", import.meta.url).pathname;
const TINY = `${DATA}/idefics3-tiny`;

/** Imports, with these variables of the environment. */
async function bring(args: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  const [out, err]: string[][] = [[], []];
  const streams = { stdout: Deno.stdout.writeSync, stderr: Deno.stderr.writeSync };
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  const write = (to: string[]) => (bytes: Uint8Array) => {
    to.push(new TextDecoder().decode(bytes));
    return bytes.length;
  };
  Deno.stdout.writeSync = write(out);
  Deno.stderr.writeSync = write(err);
  const { error } = globalThis.console;
  globalThis.console.error = (text) => void err.push(`${text}\n`);
  try {
    const code = await runCommand(importCommand, args, {
      console: { out: () => {}, err: (text) => void err.push(text) },
    });
    return { code, out: out.join(""), err: err.join("") };
  } finally {
    Deno.stdout.writeSync = streams.stdout;
    Deno.stderr.writeSync = streams.stderr;
    globalThis.console.error = error;
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

/** The files of the tiny model, with a tokenizer that fits it. */
function tinyFiles(): Record<string, Uint8Array> {
  const names = ["config.json", "model.safetensors", "preprocessor_config.json"];
  const files = Object.fromEntries(names.map((name) => [name, Deno.readFileSync(`${TINY}/${name}`)]));
  const tokenizer = buildTokenizer(Array.from({ length: 156 }, (_, i) => `word ${i}.`));
  const config = JSON.parse(new TextDecoder().decode(files["config.json"]));
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return {
    ...files,
    "config.json": text({ ...config, image_token_id: 1 }),
    "tokenizer.json": text(tokenizer),
    "tokenizer_config.json": text({
      eos_token: "<|end|>",
      chat_template: "{% for m in messages %}{{ m.role }}:{% for part in m.content %}" +
        "{% if part.type == 'image' %}<|image|>{% else %}{{ part.text }}{% endif %}{% endfor %}<|end|>{% endfor %}" +
        "{% if add_generation_prompt %}assistant:{% endif %}",
    }),
  };
}

function write(folder: string, files: Readonly<Record<string, Uint8Array | undefined>>): string {
  Deno.mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) {
    if (bytes !== undefined) Deno.writeFileSync(`${folder}/${name}`, bytes);
  }
  return folder;
}

const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("a model comes from the hub whole, with what it is, and again without a connection", async () => {
  using temp = new TempFolder();
  const files = tinyFiles();
  await using hub = await serveHub(files);
  hub.cuts.push(1000); // the first file ends there, and goes on from there
  const variables = { HF_ENDPOINT: hub.endpoint, HF_HOME: `${temp.path}/hf`, HF_TOKEN: "hf_secret" };
  const first = await bring(["owner/model", "--out", `${temp.path}/a`], variables);
  assertEquals(first.code, 0, first.err);
  for (const line of ["idefics3, 0.11M parameters, F32", "160 tokens for 160 rows", '"<|end|>"', "user:"]) {
    assertStringIncludes(first.out, line);
  }
  assertEquals(namesIn(`${temp.path}/a`), Object.keys(files).sort());
  for (const [name, bytes] of Object.entries(files)) {
    assertEquals(Deno.readFileSync(`${temp.path}/a/${name}`), bytes, name);
  }
  assertEquals(hub.leaked, []);
  const fetched = hub.fetched.length;
  const offline = await bring(["owner/model", "--out", `${temp.path}/b`, "--json"], {
    ...variables,
    HF_HUB_OFFLINE: "1",
  });
  assertEquals(offline.code, 0, offline.err);
  assertEquals(JSON.parse(offline.out).tokens, 160);
  assertEquals(hub.fetched.length, fetched);
  const again = await bring(["owner/model", "--out", `${temp.path}/b`], variables);
  assertEquals(again.code, 2);
  assertStringIncludes(again.err, "--overwrite");
});

Deno.test("a hub that refuses, lacks or damages a model leaves no folder", async () => {
  using temp = new TempFolder();
  const files = tinyFiles();
  await using hub = await serveHub(files);
  const variables = { HF_ENDPOINT: hub.endpoint, HF_HOME: `${temp.path}/hf`, HF_TOKEN: "" };
  const out = ["--out", `${temp.path}/models/a`];
  const gated = await bring(["owner/gated", ...out], variables);
  assertEquals(gated.code, 1);
  assertStringIncludes(gated.err, "set HF_TOKEN");
  const missing = await bring(["owner/nothing", ...out], variables);
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.err, "check the name and the revision");
  hub.wrong.set("model.safetensors", new Uint8Array(files["model.safetensors"].length));
  const wrong = await bring(["owner/model", ...out], variables);
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.err, "the hub lists");
  const absent = await bring(["owner/other", ...out], { ...variables, HF_HUB_OFFLINE: "1" });
  assertEquals(absent.code, 1);
  assertStringIncludes(absent.err, "connect, or name a folder");
  assertEquals(namesIn(temp.path), ["hf"]);
});

Deno.test("a folder that is no model, or not one model, is refused with what to do, and nothing is left", async () => {
  using temp = new TempFolder();
  const good = tinyFiles();
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const config = JSON.parse(new TextDecoder().decode(good["config.json"]));
  const weights = good["model.safetensors"];
  const { tensors } = decodeSafetensors(weights);
  const changed = new Map(tensors);
  const first = [...tensors.keys()][0];
  changed.delete(first);
  const extra = new Map([...tensors, ["lm_head.bias", { shape: [160], data: new Float32Array(160) }]]);
  const other = new Map(tensors);
  other.set("lm_head.weight", { shape: [96, 80], data: new Float32Array(96 * 80) });
  const shard = "model-00001-of-00002.safetensors";
  const cases: [
    what: string,
    changes: Record<string, Uint8Array | undefined>,
    code: number,
    says: string[],
  ][] = [
    ["no config", { "config.json": undefined }, 1, ["config.json"]],
    ["no weights", { "model.safetensors": undefined }, 1, ["has no model.safetensors"]],
    ["unknown", { "config.json": text({ model_type: "llava" }) }, 1, [
      "llava",
      "idefics3 (SmolVLM)",
      "nanoVLM",
    ]],
    [
      "shards",
      {
        "model.safetensors": undefined,
        [shard]: weights,
        "model.safetensors.index.json": text({
          weight_map: Object.fromEntries(tensors.keys().map((name) => [name, shard])),
        }),
      },
      1,
      ["model-00002-of-00002.safetensors"],
    ],
    ["missing", { "model.safetensors": encodeSafetensors(changed) }, 1, [first, "lacks"]],
    ["extra", { "model.safetensors": encodeSafetensors(extra) }, 1, ["lm_head.bias", "no place"]],
    ["shape", { "model.safetensors": encodeSafetensors(other) }, 1, [
      "lm_head.weight",
      "(96,80)",
      "(160,48)",
    ]],
    ["truncated", { "model.safetensors": weights.slice(0, -100) }, 1, ["model.safetensors"]],
    ["a page", { "config.json": new TextEncoder().encode("<html>") }, 1, ["config.json", "not JSON"]],
    [
      "foreign",
      {
        "tokenizer.json": text(buildTokenizer(Array.from({ length: 300 }, (_, i) => `${i}.`))),
      },
      1,
      ["320 tokens", "160 rows", "own tokenizer.json"],
    ],
    ["no image", { "config.json": text({ ...config, image_token_id: 7 }) }, 1, [
      "image token is 7",
      "word 3.",
    ]],
    [
      "loops",
      {
        "chat_template.jinja": new TextEncoder().encode("{{ 1 / none.x }}"),
      },
      1,
      ["chat template", "remove it"],
    ],
  ];
  for (const [what, changes, code, says] of cases) {
    const folder = write(`${temp.path}/${what}`, { ...good, ...changes });
    const result = await bring([folder, "--out", `${temp.path}/models/m`]);
    assertEquals(result.code, code, `${what}: ${result.err}`);
    for (const words of says) assertStringIncludes(result.err, words, what);
    assertEquals(result.err.includes("models/m"), false, `names our own folder: ${result.err}`);
    assertEquals(namesIn(`${temp.path}/models`), [], what);
  }
});

Deno.test("import says how to name a model", async () => {
  using temp = new TempFolder();
  const adapter = Object.fromEntries(["adapter_config.json", "adapter_model.safetensors"].map((name) => [
    name,
    Deno.readFileSync(`${DATA}/lora-tiny/${name}`),
  ]));
  for (
    const [args, words] of [
      [[], "name OWNER/NAME"],
      [["nowhere"], "no such folder"],
      [["../../no/such"], "no such folder"],
      [[`${TINY}/config.json`], "name its folder"],
      [["/"], "--out"],
      [[write(`${temp.path}/lonely`, adapter), "--out", `${temp.path}/a`], "--base"],
      [[TINY, "--base", TINY, "--out", `${temp.path}/a`], "leave it out"],
    ] as const
  ) {
    const { code, err } = await bring(args);
    assertEquals(code, 2, err);
    assertStringIncludes(err, words);
  }
});

Deno.test("an adapter comes with its model, and a folder of links becomes files", async () => {
  using temp = new TempFolder();
  const linked = `${temp.path}/linked`;
  Deno.mkdirSync(linked);
  for (const name of ["config.json", "model.safetensors"]) {
    Deno.symlinkSync(`${TINY}/${name}`, `${linked}/${name}`);
  }
  const out = `${temp.path}/models/both`;
  const { code, out: told, err } = await bring([`${DATA}/lora-tiny`, "--base", linked, "--out", out]);
  assertEquals(code, 0, err);
  assertStringIncludes(told, "rank 4, alpha 8, on q_proj, v_proj");
  assertStringIncludes(err, "Without a tokenizer.json");
  assert([...Deno.readDirSync(out)].every(({ isFile }) => isFile));
  assertEquals((await readBase(out)).adapter?.rank, 4);
});

Deno.test("the tokenizer of an imported model writes what it read", async () => {
  using temp = new TempFolder();
  const { talk } = await readBase(write(`${temp.path}/m`, tinyFiles()));
  assert(talk!.tokenizer instanceof Tokenizer);
  assertEquals(talk!.tokenizer.decode(talk!.tokenizer.encode("word 7.word 11.").ids), "word 7.word 11.");
  assertEquals(talk!.imageTokens, { image: "<|image|>", around: "", whole: "" });
  assertEquals(talk!.form.afterAnswer, "<|end|>");
});

Deno.test("--overwrite replaces a model and nothing else", async () => {
  using temp = new TempFolder();
  const source = write(`${temp.path}/source`, tinyFiles());
  const model = write(`${temp.path}/model`, { ...tinyFiles(), "model.safetensors": new Uint8Array(3) });
  assertEquals((await bring([source, "--out", model, "--overwrite"])).code, 0);
  assertEquals(namesIn(model), namesIn(source));
  const text = Uint8Array.of(1);
  const places = {
    "holds thesis.txt": write(`${temp.path}/a`, { ...tinyFiles(), "thesis.txt": text }),
    "no config.json": write(`${temp.path}/b`, { "README.md": text }),
    "it is a file": `${write(`${temp.path}/c`, { x: text })}/x`,
    "holds config.json": `${write(`${temp.path}/d/config.json`, {}).slice(0, -12)}`,
  };
  for (const [state, place] of Object.entries(places)) {
    const before = Deno.statSync(place).isFile ? [] : namesIn(place);
    const { code, err } = await bring([source, "--out", place, "--overwrite"]);
    assertEquals(code, 2, err);
    assertStringIncludes(err, `Cannot overwrite ${place}: `);
    assertStringIncludes(err, state);
    assertEquals(Deno.statSync(place).isFile ? [] : namesIn(place), before);
  }
  assertEquals(namesIn(temp.path), ["a", "b", "c", "d", "model", "source"]);
});

Deno.test("of two imports to one place at a time the second is refused, and the first is whole", async () => {
  using temp = new TempFolder();
  const source = write(`${temp.path}/source`, tinyFiles());
  const target = `${temp.path}/model`;
  const files = namesIn(source).map((name) => ({ name, path: `${source}/${name}`, isShared: false }));
  await installFiles(files, target, {
    overwrite: false,
    check: async () => {
      const second = () => installFiles(files, target, { overwrite: false, check: () => Promise.resolve() });
      await assertRejects(second, Deno.errors.Busy, "another process is writing it");
    },
  });
  assertEquals(namesIn(target), namesIn(source));
  assertEquals(namesIn(temp.path), ["model", "source"]);
});
