import { assert, assertEquals, assertRejects } from "@std/assert";
import { readBytes, readJson, recoverFolder, writeFileAtomic, writeFolderAtomic } from "../../model/files.ts";

async function inTemporaryFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name)).toSorted();
}

Deno.test("writeFileAtomic makes folders, replaces content and leaves no temporary file", () =>
  inTemporaryFolder(async (folder) => {
    await writeFileAtomic(`${folder}/a/b/x.json`, '{"n":1}');
    assertEquals(await readJson(`${folder}/a/b/x.json`), { n: 1 });
    await writeFileAtomic(`${folder}/a/b/x.json`, Uint8Array.of(91, 93));
    assertEquals(await readBytes(`${folder}/a/b/x.json`), Uint8Array.of(91, 93));
    assertEquals(await namesIn(`${folder}/a/b`), ["x.json"]);
  }));

Deno.test("a write that fails names its path and leaves no temporary file", () =>
  inTemporaryFolder(async (folder) => {
    await Deno.mkdir(`${folder}/taken/inside`, { recursive: true });
    await assertRejects(
      () => writeFileAtomic(`${folder}/taken`, "x"),
      Error,
      `Cannot write ${folder}/taken: `,
    );
    assertEquals(await namesIn(folder), ["taken"]);
  }));

Deno.test("writeFolderAtomic replaces the whole folder", () =>
  inTemporaryFolder(async (folder) => {
    await writeFolderAtomic(`${folder}/checkpoint`, { "a.json": "1", "b.json": "2" });
    await writeFolderAtomic(`${folder}/checkpoint/`, { "a.json": "3", "c.bin": Uint8Array.of(4) });
    assertEquals(await namesIn(folder), ["checkpoint"]);
    assertEquals(await namesIn(`${folder}/checkpoint`), ["a.json", "c.bin"]);
    assertEquals(await readJson(`${folder}/checkpoint/a.json`), 3);
  }));

Deno.test("a folder write that a crash interrupted is recovered at every point", () =>
  inTemporaryFolder(async (folder) => {
    const path = `${folder}/checkpoint`;
    // Before the first rename: half a new folder beside the old one.
    await writeFolderAtomic(path, { "a.json": "1" });
    await Deno.mkdir(`${path}.new`);
    await recoverFolder(path);
    assertEquals(await readJson(`${path}/a.json`), 1);
    // Between the renames: the old folder is set aside, no folder has its name.
    await Deno.rename(path, `${path}.old`);
    await recoverFolder(path);
    assertEquals(await readJson(`${path}/a.json`), 1);
    // After the second rename: the old folder is not yet removed.
    await Deno.mkdir(`${path}.old`);
    await recoverFolder(path);
    assertEquals(await readJson(`${path}/a.json`), 1);
    // The next write clears whatever is left.
    await writeFolderAtomic(path, { "a.json": "2" });
    assertEquals(await namesIn(folder), ["checkpoint"]);
    assertEquals(await readJson(`${path}/a.json`), 2);
  }));

Deno.test("two writers of one folder: the second is refused, and what is there is whole", () =>
  inTemporaryFolder(async (folder) => {
    const path = `${folder}/model`;
    const started = Promise.withResolvers<void>(), goOn = Promise.withResolvers<void>();
    async function* slowly() {
      yield Uint8Array.of(1);
      started.resolve();
      await goOn.promise;
      yield Uint8Array.of(2);
    }
    const first = writeFolderAtomic(path, { "a.bin": slowly(), "b.json": "1" });
    await started.promise;
    await assertRejects(
      () => writeFolderAtomic(path, { "c.json": "2" }),
      Deno.errors.Busy,
      "another process is writing it",
    );
    goOn.resolve();
    await first;
    assertEquals(await namesIn(path), ["a.bin", "b.json"]);
    await assertRejects(
      () => writeFolderAtomic(path, { "c.json": "2" }, { isNew: true }),
      Deno.errors.AlreadyExists,
      "it is there",
    );
    assertEquals(await namesIn(folder), ["model"]);
    // What a killed writer left is replaced, what a link in its place leads to is not.
    await Deno.mkdir(`${path}.new/inside`, { recursive: true });
    await writeFolderAtomic(path, { "d.json": "3" });
    await Deno.symlink(path, `${folder}/other.new`);
    await writeFolderAtomic(`${folder}/other`, { "e.json": "4" });
    assertEquals(await namesIn(folder), ["model", "other"]);
    assertEquals([await namesIn(path), await namesIn(`${folder}/other`)], [["d.json"], ["e.json"]]);
  }));

Deno.test("writeFolderAtomic refuses names that leave the folder", () =>
  inTemporaryFolder(async (folder) => {
    for (const name of ["../x", "a/b", "a\\b", "", ".", ".."]) {
      await assertRejects(
        () => writeFolderAtomic(`${folder}/c`, { [name]: "" }),
        RangeError,
        "not a plain file name",
      );
    }
    assertEquals(await namesIn(folder), []);
  }));

Deno.test("files that cannot be read say why", () =>
  inTemporaryFolder(async (folder) => {
    const missing = `${folder}/missing.json`;
    await assertRejects(
      () => readJson(missing),
      Deno.errors.NotFound,
      `Cannot read ${missing}: no such file, check`,
    );
    await assertRejects(() => readBytes(folder), TypeError, `Cannot read ${folder}: it is a folder`);
    await Deno.writeTextFile(`${folder}/bad.json`, '{"a":');
    const error = await assertRejects(
      () => readJson(`${folder}/bad.json`),
      SyntaxError,
      "bad.json: not JSON (",
    );
    assert(error.cause instanceof SyntaxError);
  }));
