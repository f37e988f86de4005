/** Runs that train a pretrained model through workers: each has its folder, and only what learns is sent. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { numberLine } from "../../../envs/mod.ts";
import { resolveConfig } from "../../../rl/config.ts";
import { firstPolicy } from "../../../rl/policies/mod.ts";
import { testGpu } from "../../gpu.ts";
import { NatsServer, withNats } from "../../nats.ts";
import { writeTinyBase } from "../pretrained/tiny_base.ts";
import { metricsOf, TempFolder, TINY, trainHere } from "../tiny_run.ts";
import { trainAt, WorkersHere } from "./run_at.ts";

const { preset: _, ...SMALL } = { ...TINY, evalEpisodes: 1, sftSteps: 2 };
const LORA = { lora: true, loraRank: 2, loraTargets: ["q_proj", "down_proj"] } as const;

Deno.test(
  "a run with LoRA writes the same bytes alone and with 1 and 2 workers that have the folder elsewhere, and two learners",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const model = writeTinyBase(`${temp.path}/models/base`);
    const moved = writeTinyBase(`${temp.path}/elsewhere/other-name`);
    const cases = [
      { name: "lora", settings: { ...SMALL, ...LORA, model }, workers: [1, 2] },
      { name: "learners", settings: { ...SMALL, ...LORA, model, learners: 2 }, workers: [1] },
      {
        name: "rounded",
        settings: { ...SMALL, ...LORA, model, actingWeights: "bf16" as const },
        workers: [1],
      },
      { name: "whole", settings: { ...SMALL, model, envSteps: 16 }, workers: [1] },
    ];
    for (const { name, settings, workers } of cases) {
      const alone = `${temp.path}/${name}-alone`;
      await trainHere(alone, resolveConfig(settings, numberLine));
      for (const count of workers) {
        const out = `${temp.path}/${name}-${count}`;
        const notes: string[] = [];
        await using here = new WorkersHere(server, ["one", "two"].slice(0, count), { model: moved });
        const run = trainAt(server, out, settings, { onNote: (text) => notes.push(text) });
        await Promise.race([run, here.failed]);
        assertEquals(metricsOf(out), metricsOf(alone), `${name} with ${count}`);
        assert(notes.some((note) => /jobs by [12] workers/.test(note)), notes.join("\n"));
        if (name === "lora") {
          // Version 0 and one for each of two iterations: adapters and value head alone, with a header each.
          const agent = await firstPolicy(await testGpu(), numberLine, resolveConfig(settings, numberLine));
          const { parameters } = agent;
          const kept = parameters.list.filter(({ kind, part }) =>
            kind === "adapter" || part === "value_head"
          );
          const bytes = 4 * kept.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
          const [, sent] = notes.join("\n").match(/and ([\d.]+) KiB of weights/)!;
          const sentBytes = 1024 * Number(sent);
          assert(bytes < 4 * parameters.count / 8, `${bytes} of ${4 * parameters.count}`);
          assert(sentBytes < 3 * (bytes + 2500) && sentBytes > 2.9 * bytes, `${sentBytes}, ${bytes}`);
        }
      }
    }
  },
);

Deno.test(
  "a worker without the pretrained model, or with another one of its name, is refused by name",
  withNats,
  async () => {
    using temp = new TempFolder();
    await using server = await NatsServer.start();
    const model = writeTinyBase(`${temp.path}/models/base`);
    const other = writeTinyBase(`${temp.path}/other/base`, { torch_dtype: "float16" });
    const notes: string[] = [];
    let isStopped = false;
    const run = trainAt(server, `${temp.path}/run`, { ...SMALL, ...LORA, model, sftSteps: 1 }, {
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
