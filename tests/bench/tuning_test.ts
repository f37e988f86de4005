import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { benchCases } from "../../bench/cases.ts";
import { kernelsVersion, tuneGpu, tuningFolder } from "../../bench/tuning.ts";
import { applyTuning, UNTUNED } from "../../kernels/tune.ts";
import { UsageError } from "../../rl/cli/mod.ts";
import { TempFolder } from "../rl/tiny_run.ts";
import { gpuTest } from "../gpu.ts";

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

/** The result in a folder that holds one. */
function onlyFile(folder: string): string {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  assertEquals(names.length, 1);
  return `${folder}/${names[0]}`;
}

gpuTest(
  "the first command measures and says where it keeps the result, the second is silent",
  async (gpu) => {
    using temp = new TempFolder();
    const folder = `${temp.path}/new folder`;
    const first = await notesOf((note) => tuneGpu(gpu, { note, folder, cases }));
    const path = onlyFile(folder);
    assertStringIncludes(first[0], `Choosing kernels for ${gpu.adapterName}`);
    assertStringIncludes(first.at(-1)!, `kept in ${path}`);
    assertEquals(await notesOf((note) => tuneGpu(gpu, { note, folder, cases })), []);
    const entry = JSON.parse(Deno.readTextFileSync(path));
    assertStringIncludes(entry.adapter, gpu.adapterName);
    assertEquals([entry.kernels, entry.isWhole], [await kernelsVersion(), true]);
    // A whole result is taken without looking at what there is to measure.
    assertEquals(await notesOf((note) => tuneGpu(gpu, { note, folder })), []);
    const again = await notesOf((note) => tuneGpu(gpu, { note, folder, cases, again: true }));
    assertStringIncludes(again.at(-1)!, "kept in");
  },
);

gpuTest("what the file says is applied, and a dropped variant is mentioned every time", async (gpu) => {
  using temp = new TempFolder();
  const folder = temp.path;
  await notesOf((note) => tuneGpu(gpu, { note, folder, cases }));
  const path = onlyFile(folder);
  const entry = JSON.parse(Deno.readTextFileSync(path));
  Object.assign(entry, { chosen: { matmul: "naive" }, rejected: { matmul: ["texture"] } });
  Deno.writeTextFileSync(path, JSON.stringify(entry));
  const notes = await notesOf((note) => tuneGpu(gpu, { note, folder, cases }));
  assertEquals(notes, [`Not using texture of matmul: failed its check on this adapter, see ${path}`]);
  assertEquals(gpu.tuned.get("matmul"), "naive");
  assertEquals(gpu.rejected.get("matmul"), ["texture"]);

  // What is missing is measured, what is there stays.
  const more = [
    ...cases,
    benchCases.find(({ folder, kernelCase }) => folder === "reduce" && kernelCase.variants.length > 1)!,
  ];
  const added = await notesOf((note) => tuneGpu(gpu, { note, folder, cases: more }));
  assertStringIncludes(added[1], "Choosing kernels");
  const { folders, chosen } = JSON.parse(Deno.readTextFileSync(path));
  assertEquals([folders, chosen.matmul], [["matmul", "reduce"], "naive"]);
  applyTuning(gpu, UNTUNED);
});

gpuTest(
  "two checkouts whose kernels differ keep a result each, in turns without measuring again",
  async (gpu) => {
    using temp = new TempFolder();
    const folder = temp.path;
    const open = (kernels: string) => notesOf((note) => tuneGpu(gpu, { note, folder, cases, kernels }));
    for (const kernels of ["one checkout", "another"]) {
      assertStringIncludes((await open(kernels))[0], "Choosing kernels");
    }
    for (const kernels of ["one checkout", "another", "one checkout"]) assertEquals(await open(kernels), []);
    assertEquals([...Deno.readDirSync(folder)].length, 2);
    applyTuning(gpu, UNTUNED);
  },
);

gpuTest("of many checkouts' results the newest stay", async (gpu) => {
  using temp = new TempFolder();
  const folder = temp.path;
  const old = (index: number) => `${folder}/${index.toString(16).padStart(16, "0")}.json`;
  for (let index = 0; index < 40; index++) {
    Deno.writeTextFileSync(old(index), "{}");
    Deno.utimeSync(old(index), index, index);
  }
  Deno.writeTextFileSync(`${folder}/notes.txt`, "not ours");
  await notesOf((note) => tuneGpu(gpu, { note, folder, cases }));
  const names = new Set([...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`));
  assertEquals(names.size, 32 + 1);
  assert(names.has(`${folder}/notes.txt`) && names.has(old(39)) && !names.has(old(8)));
  applyTuning(gpu, UNTUNED);
});

Deno.test("the state of the kernels follows names and contents of sources, nothing else", async () => {
  using temp = new TempFolder();
  const root = new URL(`file://${temp.path}/`);
  Deno.mkdirSync(`${temp.path}/matmul`);
  Deno.writeTextFileSync(`${temp.path}/matmul/tiled.wgsl`, "// one");
  const versions = [await kernelsVersion(root)];
  Deno.writeTextFileSync(`${temp.path}/matmul/notes.md`, "no source");
  assertEquals(await kernelsVersion(root), versions[0]);
  Deno.writeTextFileSync(`${temp.path}/matmul/tiled.wgsl`, "// two");
  versions.push(await kernelsVersion(root));
  Deno.renameSync(`${temp.path}/matmul/tiled.wgsl`, `${temp.path}/matmul/naive.wgsl`);
  versions.push(await kernelsVersion(root));
  versions.push(await kernelsVersion(new URL("https://example.org/ponder/1.0.0/kernels/")));
  versions.push(await kernelsVersion(new URL("https://example.org/ponder/1.0.1/kernels/")));
  assertEquals(new Set(versions).size, 5);
});

gpuTest("a file that is broken, or cannot be written, costs a measurement and no more", async (gpu) => {
  using temp = new TempFolder();
  const folder = temp.path;
  await notesOf((note) => tuneGpu(gpu, { note, folder, cases }));
  const path = onlyFile(folder);
  const good = JSON.parse(Deno.readTextFileSync(path));
  for (
    const text of [
      "{",
      "null",
      "[1]",
      ...[{ adapter: "another" }, { kernels: "older" }, { folders: null }, { chosen: { a: 1 } }, {
        isWhole: 1,
      }]
        .map((change) => JSON.stringify({ ...good, ...change })),
    ]
  ) {
    Deno.writeTextFileSync(path, text);
    const notes = await notesOf((note) => tuneGpu(gpu, { note, folder, cases }));
    assertStringIncludes(notes.at(-1)!, "kept in");
  }
  const blocked = await notesOf((note) => tuneGpu(gpu, { note, folder: path, cases }));
  assertStringIncludes(blocked.at(-1)!, "not kept, so the next command measures again");
  const nowhere = await notesOf((note) => tuneGpu(gpu, { note, folder: null, cases }));
  assertStringIncludes(nowhere.at(-1)!, "neither XDG_CACHE_HOME nor HOME is set");
  applyTuning(gpu, UNTUNED);
});

gpuTest("PONDER_TUNING turns tuning off or names the folder", async (gpu) => {
  const notes: string[] = [];
  await tuneGpu(gpu, { note: (line) => notes.push(line), folder: null, cases });
  assertEquals(notes, []);
  Deno.env.set("PONDER_TUNING", "here");
  assertEquals(tuningFolder(), "here");
  Deno.env.delete("PONDER_TUNING");
  assert(tuningFolder()?.endsWith("/ponder/tuning") ?? true);
  Deno.env.set("PONDER_TUNING", "off");
});

gpuTest(
  "PONDER_VARIANT that no kernel has is wrong usage, and the error lists what there is",
  async (gpu) => {
    const notesWith = async (variant: string) => {
      Deno.env.set("PONDER_VARIANT", variant);
      try {
        return await notesOf((note) => tuneGpu(gpu, { note, folder: null, cases }));
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
