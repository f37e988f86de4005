/** Runs that train a pretrained model through workers: each has its folder, and only what learns is sent. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { numberLine } from "../../../envs/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import { openSameBase } from "../../../rl/remote/base.ts";
import { firstPolicy } from "../../../rl/policies/mod.ts";
import { testGpu } from "../../gpu.ts";
import { NatsServer, withNats } from "../../nats.ts";
import { writeTinyBase } from "../pretrained/tiny_base.ts";
import { metricsOf, TempFolder, trainHere } from "../tiny_run.ts";
import { SHORT, trainAt, WorkersHere } from "./run_at.ts";

const { preset: _, ...SMALL } = SHORT;
const LORA = { lora: true, loraRank: 2, loraTargets: ["q_proj", "down_proj"] } as const;

/** A base without a chat template, which a thread of its own would have to read each time. */
function writeBase(folder: string, changes: Readonly<Record<string, unknown>> = {}): string {
  const base = writeTinyBase(folder, changes);
  Deno.writeTextFileSync(
    `${base}/tokenizer_config.json`,
    JSON.stringify({ eos_token: "<|end|>", pad_token: "<|pad|>" }),
  );
  return base;
}

Deno.test(
  "a run with LoRA writes the same bytes with workers that have the folder elsewhere, with learners, and with rounded weights",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const model = writeBase(`${temp.path}/models/base`);
    const moved = writeBase(`${temp.path}/elsewhere/other-name`);
    const lora = { ...SMALL, ...LORA, model };
    const cases = [
      { name: "lora", settings: lora, workers: ["one", "two"] },
      { name: "learners", settings: { ...lora, learners: 2 }, workers: ["one"] },
      { name: "rounded", settings: { ...lora, actingWeights: "bf16" as const }, workers: ["one"] },
    ];
    for (const { name, settings, workers } of cases) {
      const [alone, out] = [`${temp.path}/${name}-alone`, `${temp.path}/${name}`];
      await trainHere(alone, resolveConfig(settings, numberLine));
      const notes: string[] = [];
      await using here = new WorkersHere(server, workers, { model: moved });
      const run = trainAt(server, out, settings, { onNote: (text) => notes.push(text) });
      await Promise.race([run, here.failed]);
      assertEquals(metricsOf(out), metricsOf(alone), name);
      assert(notes.some((note) => /jobs by [12] workers/.test(note)), notes.join("\n"));
      if (name !== "lora") continue;
      // Version 0 and that after the one iteration: adapters and value head alone, with a header each.
      const { parameters } = await firstPolicy(
        await testGpu(),
        numberLine,
        resolveConfig(settings, numberLine),
      );
      const kept = parameters.list.filter(({ kind, part }) => kind === "adapter" || part === "value_head");
      const bytes = 4 * kept.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
      const [, sent] = notes.join("\n").match(/and ([\d.]+) KiB of weights/)!;
      const sentBytes = 1024 * Number(sent);
      assert(bytes < 4 * parameters.count / 8, `${bytes} of ${4 * parameters.count}`);
      assert(sentBytes < 2 * (bytes + 2500) && sentBytes > 1.9 * bytes, `${sentBytes}, ${bytes}`);
    }
  },
);

Deno.test(
  "a worker without the pretrained model, or with another one of its name, is refused by name",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const model = writeBase(`${temp.path}/models/base`);
    const other = writeBase(`${temp.path}/other/base`, { torch_dtype: "float16" });
    const notes: string[] = [];
    let isStopped = false;
    const run = trainAt(server, `${temp.path}/run`, { ...SMALL, ...LORA, model }, {
      onNote: (text) => notes.push(text),
      isStopped: () => isStopped,
    });
    for (
      const [folder, state] of [[`${temp.path}/none`, "which cannot be used here"], [other, "with sha256"]]
    ) {
      await using here = new WorkersHere(server, ["stranger"], { model: folder });
      const error = await assertRejects(() => here.failed, Error, "Cannot work for ");
      assertStringIncludes(error.message, `it trains the pretrained model "base", ${state}`);
      assertStringIncludes(error.message, "name it with --model");
    }
    while (notes.filter((note) => note.startsWith("Refused worker stranger: ")).length < 2) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    isStopped = true;
    assertEquals((await run).afterRl, null);
  },
);

Deno.test("a path of the wire opens nothing: only the model's name is looked for", async () => {
  const cardOf = (config: unknown) => ({
    ...{
      id: "a",
      place: "far",
      since: "s",
      ponder: "0",
      adapter: "x",
      environment: "NumberLine",
      isOwn: false,
    },
    ...{ envSettings: [], trainingSettings: [], kernels: { forced: null, chosen: {}, rejected: {} } },
    files: { "config.json": new TextEncoder().encode(JSON.stringify(config)) },
  });
  const asked: string[] = [];
  const place = {
    modelOf: (name: string) => {
      asked.push(name);
      return `/nowhere/${name}`;
    },
  };
  const sha256 = "0".repeat(64);
  for (const model of ["/etc/passwd", "..\\..\\passwd", "a/b/passwd"]) {
    const card = cardOf({ pretrained: { model, sha256 } });
    await assertRejects(() => openSameBase(card, place), Error, '"passwd", which cannot be used here');
  }
  assertEquals(asked, ["passwd", "passwd", "passwd"]);
  for (const model of ["..", "a/.", "a/", "", 3]) {
    const card = cardOf({ pretrained: { model, sha256 } });
    await assertRejects(() => openSameBase(card, place), SyntaxError, "Cannot ");
  }
  assertEquals(asked.length, 3);
  assertEquals(await openSameBase(cardOf({}), place), null);
});
