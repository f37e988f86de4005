/** Adapters on a pretrained folder: new ones, trained ones, merged ones, and beside weights in pieces. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Gpu } from "../../../kernels/gpu/mod.ts";
import {
  AdamW,
  adapterEntries,
  type LoraConfig,
  mergeAdapters,
  type Parameter,
  type Pretrained,
  Vlm,
} from "../../../model/mod.ts";
import { loadPretrained } from "../../../model/pretrained/folder.ts";
import { readBase } from "../../../rl/pretrained/base.ts";
import { adapterFiles } from "../../../rl/pretrained/export.ts";
import { compareWithGolden, type Golden, readGolden } from "../../../rl/pretrained/verify.ts";
import { gpuTest } from "../../gpu.ts";
import { TempFolder } from "../tiny_run.ts";

const DATA = new URL("../../model/data/pretrained", import.meta.url).pathname;
const TINY = `${DATA}/idefics3-tiny`;
const read = async (path: string) => JSON.parse(await Deno.readTextFile(path));

/** The question of the folder's golden with the logits and loss of its own, or of the adapter's. */
async function question(answers: "folder" | "adapter"): Promise<Golden> {
  const base = await read(`${TINY}/golden.json`);
  const own = answers === "folder" ? base : await read(`${DATA}/lora-tiny/golden.json`);
  return readGolden({ logits_last_7_positions: own.logits_last_7_positions, loss: own.loss }, base);
}

/** Largest differences of logits and loss. */
async function differences(pretrained: Pretrained, vlm: Vlm, golden: Golden): Promise<number[]> {
  return (await compareWithGolden({ ...pretrained, vlm }, golden)).map(({ difference }) => difference);
}

const adapted = (gpu: Gpu) => loadPretrained(TINY, gpu, { adapter: `${DATA}/lora-tiny` });
const isWithin = (found: readonly number[]) => found.every((difference) => difference <= 2e-5);

gpuTest("new adapters, whose B is zero, change nothing before they are trained", async (gpu) => {
  const plain = await loadPretrained(TINY, gpu);
  const targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
  const lora: LoraConfig = { rank: 4, alpha: 8, rslora: true, targets };
  const fresh = await loadPretrained(TINY, gpu, { lora });
  const golden = await question("folder");
  const want = await differences(plain, plain.vlm, golden);
  assert(isWithin(want));
  assertEquals(await differences(fresh, fresh.vlm, golden), want);
  const values = await fresh.vlm.parameters.toHost();
  for (const { name, kind } of fresh.vlm.parameters.list) {
    if (kind !== "adapter") continue;
    const { data } = values.get(name)!;
    assertEquals(data.every((value) => value === 0), name.endsWith(".B"), name);
  }
});

gpuTest("an adapter that holds infinity is refused, by the name of its matrix", async (gpu) => {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["adapter_config.json", "adapter_model.safetensors"]) {
      const bytes = await Deno.readFile(`${DATA}/lora-tiny/${name}`);
      if (name.endsWith("tensors")) new DataView(bytes.buffer).setFloat32(bytes.length - 4, Infinity, true);
      await Deno.writeFile(`${folder}/${name}`, bytes);
    }
    await assertRejects(
      () => loadPretrained(TINY, gpu, { adapter: folder }),
      RangeError,
      "weight: it has values that are NaN or infinite",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

gpuTest("rank-stabilised adapters are those of alpha over the root of the rank", async (gpu) => {
  const own = await adapted(gpu);
  const { config, parameters } = own.vlm;
  const lora = { ...config.lora!, rslora: true };
  const golden = await question("adapter");
  // alpha / sqrt(r) with alpha' = alpha / sqrt(r) is alpha / r: the same adapter.
  const same = new Vlm(gpu, { ...config, lora: { ...lora, alpha: lora.alpha / Math.sqrt(lora.rank) } });
  same.parameters.fromHost(await parameters.toHost());
  assert(isWithin(await differences(own, same, golden)));
  const other = new Vlm(gpu, { ...config, lora });
  other.parameters.fromHost(await parameters.toHost());
  assert(!isWithin(await differences(own, other, golden)));
  const merged = new Vlm(gpu, { ...config, lora: undefined });
  merged.parameters.fromHost(mergeAdapters(same.config, await parameters.toHost()));
  assert(isWithin(await differences(own, merged, golden)));
});

gpuTest("merged weights give the adapter's answers without it", async (gpu) => {
  const own = await adapted(gpu);
  const merged = new Vlm(gpu, { ...own.vlm.config, lora: undefined });
  merged.parameters.fromHost(mergeAdapters(own.vlm.config, await own.vlm.parameters.toHost()));
  assert(isWithin(await differences(own, merged, await question("adapter"))));
});

gpuTest(
  "beside weights in many pieces an adapter answers and trains as beside weights in one",
  async (gpu) => {
    const own = await adapted(gpu);
    const { config, parameters } = own.vlm;
    const apart = new Vlm(gpu, config, { pieceWords: 12_000 });
    apart.parameters.fromHost(await parameters.toHost());
    assertEquals(await apart.parameters.toHost(), await parameters.toHost());
    const golden = await question("adapter");
    assertEquals(await differences(own, apart, golden), await differences(own, own.vlm, golden));
    const after = [];
    for (const vlm of [own.vlm, apart]) {
      const optimizer = new AdamW(gpu, vlm.parameters, ({ kind }: Parameter) => ({
        ...{ learningRateScale: kind === "adapter" ? 1 : 0, weightDecay: 0, clipGroup: "policy" as const },
      }));
      vlm.parameters.train(({ kind }) => kind === "adapter");
      for (
        const name of vlm.parameters.list.filter(({ kind }) => kind === "adapter").map(({ name }) => name)
      ) {
        const { gradient, shape } = vlm.parameters.get(name);
        gpu.write(gradient!, Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i)));
      }
      optimizer.update({
        ...{ learningRate: 0.1, beta1: 0.9, beta2: 0.9, epsilon: 1e-8, policyClip: 0, valueClip: 0 },
      });
      after.push(await differences(own, vlm, golden));
      optimizer.dispose();
    }
    assertEquals(after[0], after[1]);
    assert(!isWithin(after[0]));
  },
);

Deno.test("an adapter that was exported is read again, of either format and with ranks by layer", async () => {
  for (const name of ["idefics3-tiny", "nanovlm-tiny"]) {
    using temp = new TempFolder();
    for (const file of ["config.json", "model.safetensors"]) {
      Deno.copyFileSync(`${DATA}/${name}/${file}`, `${temp.path}/${file}`);
    }
    const base = await readBase(temp.path);
    const lora = {
      ...{ rank: 2, alpha: 4, rslora: false, targets: ["q_proj", "o_proj", "up_proj"] },
      ...{ rankPattern: { up_proj: 3 }, alphaPattern: { q_proj: 8 } },
    };
    const config = { ...base.model, lora };
    const ours = new Map(
      adapterEntries(config, base.format).map(({ ours, shape: [rows, columns] }) => [
        ours,
        { shape: [columns, rows], data: new Float32Array(rows * columns) },
      ]),
    );
    for (
      const [file, content] of Object.entries(adapterFiles({ run: "a run", config, ours, card: "" }, base))
    ) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content as Uint8Array;
      Deno.writeFileSync(`${temp.path}/${file}`, bytes);
    }
    assertEquals((await readBase(temp.path)).adapter, lora);
  }
});
