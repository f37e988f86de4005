/** Folders with seeded weights, which the suite `pretrained` measures. */
import { assert, assertEquals } from "@std/assert";
import { writeSeededFolder } from "../../bench/pretrained/folder.ts";
import { loadPretrained } from "../../model/pretrained/folder.ts";
import { gpuTest } from "../gpu.ts";
import { TempFolder } from "../rl/tiny_run.ts";

const DATA = new URL("../model/data/pretrained", import.meta.url).pathname;

for (const name of ["idefics3-tiny", "nanovlm-tiny"]) {
  gpuTest(
    `a folder of ${name}'s sizes loads, is the same each time, and has the spread of a fresh model`,
    async (gpu) => {
      using temp = new TempFolder();
      const config = JSON.parse(Deno.readTextFileSync(`${DATA}/${name}/config.json`));
      const folders = [`${temp.path}/a`, `${temp.path}/b`];
      for (const folder of folders) await writeSeededFolder(folder, config);
      const [first, second] = folders.map((folder) => Deno.readFileSync(`${folder}/model.safetensors`));
      assertEquals(first, second);
      const { vlm, dtype } = await loadPretrained(folders[0], gpu);
      assertEquals(dtype, "BF16");
      const values = await vlm.parameters.toHost();
      const spread = (name: string) => {
        const { data } = values.get(name)!;
        const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
        return [mean, Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length)];
      };
      const [mean, deviation] = spread("language.blocks.0.mlp.gate_up.weight");
      assert(
        Math.abs(mean) < 0.01 && Math.abs(deviation * Math.sqrt(3 * 48) - 1) < 0.05,
        `${mean}, ${deviation}`,
      );
      const [scale] = spread("language.norm.weight");
      assert(Math.abs(scale - 1) < 0.02, `${scale}`);
    },
  );
}
