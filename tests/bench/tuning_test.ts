import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { benchCases } from "../../bench/cases.ts";
import { applyTuning, tuningVersion, UNTUNED } from "../../bench/tune.ts";
import { UsageError } from "../../rl/cli/mod.ts";
import { tuneGpu, tuningPath } from "../../bench/tuning.ts";
import { gpuTest, TempFolder } from "../rl/tiny_run.ts";

/** One quick kernel stands for all. */
const cases = benchCases.filter(({ kernelCase }) => kernelCase.name === "36x44x13 A^T accumulate");

/** What tuning said, with tuning on for the while. */
async function notesOf(work: (note: (line: string) => void) => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  Deno.env.delete("PONDER_TUNING");
  try {
    await work((line) => void lines.push(line));
  } finally {
    Deno.env.set("PONDER_TUNING", "off");
  }
  return lines;
}

gpuTest(
  "the first command measures and says where it keeps the result, the second is silent",
  async (gpu) => {
    using temp = new TempFolder();
    const path = `${temp.path}/new folder/tuning.json`;
    const first = await notesOf((note) => tuneGpu(gpu, { note, path, cases }));
    assertStringIncludes(first[0], `Choosing kernels for ${gpu.adapterName}`);
    assertStringIncludes(first.at(-1)!, `kept in ${path}`);
    assertEquals(await notesOf((note) => tuneGpu(gpu, { note, path, cases })), []);
    const [[adapter, entry]] = Object.entries<{ version: string }>(JSON.parse(Deno.readTextFileSync(path)));
    assertStringIncludes(adapter, gpu.adapterName);
    assertEquals(entry.version, tuningVersion());
    const again = await notesOf((note) => tuneGpu(gpu, { note, path, cases, again: true }));
    assertStringIncludes(again.at(-1)!, "kept in");
  },
);

gpuTest("what the file says is applied, and a dropped variant is mentioned every time", async (gpu) => {
  using temp = new TempFolder();
  const path = `${temp.path}/tuning.json`;
  await notesOf((note) => tuneGpu(gpu, { note, path, cases }));
  const entries = JSON.parse(Deno.readTextFileSync(path));
  const [adapter] = Object.keys(entries);
  Object.assign(entries[adapter], { chosen: { matmul: "naive" }, rejected: { matmul: ["texture"] } });
  Deno.writeTextFileSync(path, JSON.stringify({ ...entries, "another adapter": entries[adapter] }));
  const notes = await notesOf((note) => tuneGpu(gpu, { note, path, cases }));
  assertEquals(notes, [`Not using texture of matmul: failed its check on this adapter, see ${path}`]);
  assertEquals(gpu.tuned.get("matmul"), "naive");
  assertEquals(gpu.rejected.get("matmul"), ["texture"]);

  // What is missing is measured, what is there stays.
  const more = [
    ...cases,
    benchCases.find(({ folder, kernelCase }) => folder === "reduce" && kernelCase.variants.length > 1)!,
  ];
  const added = await notesOf((note) => tuneGpu(gpu, { note, path, cases: more }));
  assertStringIncludes(added[1], "Choosing kernels");
  const { folders, chosen } = JSON.parse(Deno.readTextFileSync(path))[adapter];
  assertEquals([folders, chosen.matmul], [["matmul", "reduce"], "naive"]);

  // Kernels that changed are measured again; the other adapter's result stays.
  entries[adapter].version = "an older one";
  Deno.writeTextFileSync(path, JSON.stringify({ ...entries, "another adapter": entries[adapter] }));
  const renewed = await notesOf((note) => tuneGpu(gpu, { note, path, cases }));
  assertStringIncludes(renewed[0], "Choosing kernels");
  assertEquals(Object.keys(JSON.parse(Deno.readTextFileSync(path))), [adapter, "another adapter"]);
  applyTuning(gpu, UNTUNED);
});

gpuTest("a file that is broken, or cannot be written, costs a measurement and no more", async (gpu) => {
  using temp = new TempFolder();
  const path = `${temp.path}/tuning.json`;
  for (
    const text of [
      "{",
      "null",
      "[1]",
      '{"x": {"version": "1", "folders": [], "chosen": {"a": 1}, "rejected": {}}}',
    ]
  ) {
    Deno.writeTextFileSync(path, text);
    const notes = await notesOf((note) => tuneGpu(gpu, { note, path, cases }));
    assertStringIncludes(notes.at(-1)!, "kept in");
  }
  const blocked = await notesOf((note) => tuneGpu(gpu, { note, path: `${path}/tuning.json`, cases }));
  assertStringIncludes(blocked.at(-1)!, "not kept, so the next command measures again");
  const nowhere = await notesOf((note) => tuneGpu(gpu, { note, path: null, cases }));
  assertStringIncludes(nowhere.at(-1)!, "neither XDG_CACHE_HOME nor HOME is set");
  applyTuning(gpu, UNTUNED);
});

gpuTest("PONDER_TUNING turns tuning off or names the file", async (gpu) => {
  const notes: string[] = [];
  await tuneGpu(gpu, { note: (line) => notes.push(line), path: null, cases });
  assertEquals(notes, []);
  Deno.env.set("PONDER_TUNING", "here.json");
  assertEquals(tuningPath(), "./here.json");
  Deno.env.delete("PONDER_TUNING");
  assert(tuningPath()?.endsWith("/ponder/tuning.json") ?? true);
  Deno.env.set("PONDER_TUNING", "off");
});

gpuTest(
  "PONDER_VARIANT that no kernel has is wrong usage, and the error lists what there is",
  async (gpu) => {
    const notesWith = async (variant: string) => {
      Deno.env.set("PONDER_VARIANT", variant);
      try {
        return await notesOf((note) => tuneGpu(gpu, { note, path: null, cases }));
      } finally {
        Deno.env.delete("PONDER_VARIANT");
      }
    };
    await assertRejects(
      () => notesWith("foo"),
      UsageError,
      "Cannot force PONDER_VARIANT=foo: no kernel has it, use one of blocked, naive, rows, texture, tiled, tiled-f16",
    );
    // One that some kernel has leaves nothing to tune; an empty one is none.
    for (const variant of ["tiled-f16", "vec4"]) assertEquals(await notesWith(variant), []);
    assertStringIncludes((await notesWith(""))[0], "Choosing kernels");
    applyTuning(gpu, UNTUNED);
  },
);
