/**
 * Files of a model: the one module of `model/` that uses Deno's file API.
 *
 * @module
 */

import type { ByteSource } from "./weights.ts";

/** A file's content: bytes, or text written as UTF-8. */
export type FileContent = Uint8Array | string;

/** A file's content, or its pieces, which are made while they are written. */
export type StreamedContent = FileContent | AsyncIterable<Uint8Array>;

/**
 * Writes a file so that a reader, or a crash at any time, finds the old content or the new one, never a part.
 * Makes the parent folder if it is missing.
 */
export async function writeFileAtomic(path: string, content: StreamedContent): Promise<void> {
  await explainingFailure(path, async () => {
    await Deno.mkdir(parentOf(path), { recursive: true });
    // Beside the target: a rename is atomic only within a file system.
    const temporary = `${path}.${crypto.randomUUID()}.tmp`;
    try {
      await writeSynced(temporary, content);
      await Deno.rename(temporary, path);
    } catch (error) {
      await removeIfThere(temporary).catch(() => {}); // the write that failed says why
      throw error;
    }
    await syncFolder(parentOf(path));
  });
}

/** How {@linkcode writeFolderAtomic} treats the folder that it replaces. */
export interface FolderSettings {
  /** Keep the folder from before as `<folder>.previous`, in place of the one kept there. Default: it is removed. */
  readonly keepPrevious?: boolean;
  /** Refuse to replace a folder: there must be none. */
  readonly isNew?: boolean;
}

/**
 * Replaces a folder by one that holds exactly these files, so that its files always belong together.
 * Between two renames the folder may be missing and its old content stand in `<folder>.old` or `<folder>.previous`:
 * {@linkcode recoverFolder} puts that right. A write that fails leaves the old folder and nothing else.
 *
 * @param files Content by file name; names hold no separator. They are written in this order.
 * @throws {RangeError} If a name would leave the folder.
 */
export async function writeFolderAtomic(
  folder: string,
  files: Readonly<Record<string, StreamedContent>>,
  { keepPrevious = false, isNew = false }: FolderSettings = {},
): Promise<void> {
  for (const name of Object.keys(files)) {
    if (!/^[^/\\]+$/.test(name) || name === "." || name === "..") {
      throw new RangeError(
        `Cannot write ${folder}: "${name}" is not a plain file name, use one without separators`,
      );
    }
  }
  await explainingFailure(folder, async () => {
    const { target, fresh } = namesOf(folder);
    using _claim = await claimFolder(fresh, target);
    try {
      await recoverFolder(folder);
      if (isNew && await exists(target)) {
        throw new Deno.errors.AlreadyExists(
          `Cannot write ${target}: it is there already, choose another name`,
        );
      }
      for (const [name, content] of Object.entries(files)) await writeSynced(`${fresh}/${name}`, content);
      await syncFolder(fresh);
    } catch (error) {
      // A full disk needs the room; the write that failed says why.
      await removeIfThere(fresh).catch(() => {});
      throw error;
    }
    await replaceFolder(folder, { keepPrevious });
  });
}

/**
 * Gives `<folder>.new` the place of the folder, as the last step of {@linkcode writeFolderAtomic}. If the process is killed in
 * between, {@linkcode recoverFolder} puts that right.
 */
export async function replaceFolder(
  folder: string,
  { keepPrevious = false }: Pick<FolderSettings, "keepPrevious"> = {},
): Promise<void> {
  const { target, fresh, old, previous } = namesOf(folder);
  const aside = keepPrevious ? previous : old;
  if (await exists(target)) {
    await removeIfThere(aside);
    await Deno.rename(target, aside);
  }
  await Deno.rename(fresh, target);
  await syncFolder(parentOf(target));
  await removeIfThere(old);
}

/**
 * Makes an empty folder that no other process writes, until the claim is disposed of. What a killed process left in it is removed.
 * The system's lock on the folder decides; it moves with the folder when that gets another name. Where folders cannot be locked,
 * nothing is claimed.
 *
 * @param path The folder.
 * @param target What the messages say is written.
 * @throws {Deno.errors.Busy} If another process has claimed it.
 */
export async function claimFolder(path: string, target: string): Promise<Disposable> {
  while (true) {
    // What a link leads to is not ours to empty.
    if (await exists(path) && !(await Deno.lstat(path)).isDirectory) await removeIfThere(path);
    await Deno.mkdir(path, { recursive: true });
    const claim = await lockFolder(path);
    if (claim === false) {
      throw new Deno.errors.Busy(`Cannot write ${target}: another process is writing it, wait for it`);
    }
    if (claim !== null && !await isAt(path, claim)) {
      claim.close(); // its process gave it its name before we had the lock
      continue;
    }
    try {
      for (const name of await namesIn(path)) await Deno.remove(`${path}/${name}`, { recursive: true });
    } catch (error) {
      claim?.close();
      throw error;
    }
    return { [Symbol.dispose]: () => claim?.close() };
  }
}

/** The folder, open and locked; false if another process has it, null if it cannot be locked. */
async function lockFolder(path: string): Promise<Deno.FsFile | false | null> {
  let folder: Deno.FsFile;
  try {
    folder = await Deno.open(path, { read: true });
  } catch {
    return null; // Windows opens no folders
  }
  try {
    if (await folder.tryLock(true)) return folder;
    folder.close();
    return false;
  } catch {
    folder.close(); // a file system without locks
    return null;
  }
}

/** Is this what has the name now? */
export async function isAt(path: string, file: Deno.FsFile): Promise<boolean> {
  try {
    const [there, ours] = [await Deno.stat(path), await file.stat()];
    return there.ino === ours.ino && there.dev === ours.dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Finishes or undoes a {@linkcode writeFolderAtomic} that a crash interrupted. Call before reading the folder.
 * A folder kept as `<folder>.previous` takes the place of one that is missing.
 */
export async function recoverFolder(folder: string): Promise<void> {
  const { target, old, previous } = namesOf(folder);
  if (await exists(target)) return await removeIfThere(old);
  for (const aside of [old, previous]) {
    if (await exists(aside)) return await Deno.rename(aside, target);
  }
}

/**
 * Makes names in a folder survive a power cut, as far as the system can: files and renames in it are on disk
 * once this resolves.
 */
export async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path, { read: true });
    await folder.sync();
  } catch {
    // Windows opens no folders, and some file systems sync none: they keep names by themselves.
  }
}

/** Most bytes of a file that is read whole. */
const MOST_BYTES = 2 ** 32;
/** Most bytes of a JSON file: tokenizers take tens of millions. */
const MOST_JSON_BYTES = 2 ** 28;

/**
 * Reads a whole file. It has to be a plain one of at most `mostBytes`: a pipe might never end, and a file with holes may be
 * larger than all memory.
 *
 * @throws {Deno.errors.NotFound} If there is no such file.
 * @throws {Error} If it cannot be read, saying why.
 */
export async function readBytes(path: string, mostBytes = MOST_BYTES): Promise<Uint8Array<ArrayBuffer>> {
  return await explainingRead(path, async () => {
    await requirePlain(path, mostBytes);
    return await Deno.readFile(path);
  }, "file");
}

async function requirePlain(path: string, mostBytes: number): Promise<void> {
  const { isFile, isDirectory, size } = await Deno.stat(path);
  if (!isFile && !isDirectory) throw new TypeError("it is a pipe or a device, no plain file");
  if (size > mostBytes) throw new RangeError(`it has ${size} bytes, at most ${mostBytes} are read`);
}

/**
 * Opens a file to be read in parts.
 *
 * @throws {Deno.errors.NotFound} If there is no such file.
 * @throws {Error} If it cannot be opened, saying why.
 */
export async function openBytes(path: string): Promise<ByteSource> {
  const file = await explainingRead(path, async () => {
    await requirePlain(path, Infinity); // to open a pipe is to wait for its writer
    return await Deno.open(path, { read: true });
  });
  const { size, isFile } = await file.stat();
  if (!isFile) {
    file.close();
    throw new TypeError(`Cannot read ${path}: it is no plain file, name another`);
  }
  const read = (begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = new Uint8Array(end - begin);
    // Synchronous, so that two readers cannot move each other's place in the file.
    file.seekSync(begin, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      const count = file.readSync(bytes.subarray(done));
      if (count === null) {
        throw new RangeError(
          `Cannot read ${path}: it has become shorter while it was read, download it again`,
        );
      }
      done += count;
    }
    return Promise.resolve(bytes);
  };
  let isOpen = true;
  const close = () => {
    if (isOpen) file.close();
    isOpen = false;
  };
  return { name: path.slice(parentOf(path).length).replace(/^[/\\]/, ""), size, read, close };
}

/**
 * Names of what a folder holds, sorted.
 *
 * @throws {Deno.errors.NotFound} If there is no such folder.
 * @throws {Error} If it cannot be read, saying why.
 */
export async function namesIn(folder: string): Promise<string[]> {
  const names = await explainingRead(
    folder,
    () => Array.fromAsync(Deno.readDir(folder), ({ name }) => name),
  );
  return names.sort();
}

/** Reads a text file, as {@linkcode readBytes} does. */
export async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path, MOST_JSON_BYTES));
}

/**
 * Reads and parses a JSON file.
 *
 * @throws {SyntaxError} If it holds no JSON; else as {@linkcode readBytes}.
 */
export async function readJson(path: string): Promise<unknown> {
  const bytes = await readBytes(path, MOST_JSON_BYTES);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw notJson(path, error);
  }
}

/** Says that a file is no JSON. The parser's reason quotes the file, whose line ends become spaces. */
export function notJson(path: string, error: unknown): SyntaxError {
  const reason = messageOf(error).replaceAll(/\s+/g, " ");
  return new SyntaxError(`Cannot read ${path}: not JSON (${reason}), write it again`, { cause: error });
}

function namesOf(folder: string) {
  const target = folder.replace(/(?<=[^/\\])[/\\]+$/, ""); // else "run/" would make "run/.new"
  return { target, fresh: `${target}.new`, old: `${target}.old`, previous: `${target}.previous` };
}

async function writeSynced(path: string, content: StreamedContent): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  for await (const bytes of piecesOf(content)) {
    // One write may take only a part of a large array.
    for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
  }
  // Before the rename: else a power cut could leave the new name with no content.
  await file.sync();
}

function piecesOf(content: StreamedContent): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof content === "string") return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

async function explainingFailure<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("Cannot write ")) throw error;
    throw new Error(
      `Cannot write ${path}: ${messageOf(error)}, check the path, its permissions and the disk`,
      {
        cause: error,
      },
    );
  }
}

async function explainingRead<T>(path: string, read: () => Promise<T>, kind?: "file"): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Deno.errors.NotFound(`Cannot read ${path}: no such file, check the path`, { cause: error });
    }
    if (kind === "file" && await isFolder(path)) {
      throw new TypeError(`Cannot read ${path}: it is a folder, name a file in it`);
    }
    throw new Error(`Cannot read ${path}: ${messageOf(error)}, check the path and its permissions`, {
      cause: error,
    });
  }
}

/**
 * An error that was met while a file was read. If the file may not be read, the error is thrown: nothing is known about the file
 * then, least of all that it is damaged.
 */
export function permitted(error: unknown): Error {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof Deno.errors.PermissionDenied || at instanceof Deno.errors.NotCapable) throw error;
  }
  if (error instanceof Error) return error;
  throw error;
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Is there a file, a folder or a link of this name? */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}

function parentOf(path: string): string {
  const cut = Math.max(path.lastIndexOf("/"), Deno.build.os === "windows" ? path.lastIndexOf("\\") : -1);
  return cut < 0 ? "." : path.slice(0, cut) || "/";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
