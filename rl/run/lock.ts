/**
 * The lock of a run folder: one process at a time trains in it.
 *
 * The system's lock on the file decides. It ends with the process that holds it, however that process ends. The file also
 * names its owner, for people. It matters too for folders that several machines share: their systems may not see each
 * other's locks.
 *
 * @module
 */
import { exists, isAt } from "../../model/files.ts";
import { readJsonObject } from "./json_object.ts";

/** The process that trains in a folder. */
export interface LockOwner {
  readonly pid: number;
  /** Name of the machine; empty when Deno may not tell. */
  readonly host: string;
  /** When the lock was taken, as ISO 8601. */
  readonly since: string;
}

/** Name of the lock's file in a run folder. */
export const LOCK_FILE = "run.lock";

/** A lock that is held; release it, or end the process. */
export class RunLock {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #onUnload = () => this.release();
  #isHeld = true;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
    // `Deno.exit` runs no `finally`.
    globalThis.addEventListener("unload", this.#onUnload);
  }

  /**
   * Takes the lock of a folder, which must exist. A lock that a killed process of this machine left is taken over.
   *
   * @throws {Deno.errors.Busy} naming the process that trains there, or the other machine whose lock was left.
   */
  static async take(folder: string): Promise<RunLock> {
    const path = `${folder}/${LOCK_FILE}`;
    while (true) {
      const file = await openLock(path, folder);
      try {
        const isSystemLocked = await lockBySystem(file);
        const owner = await readOwner(path);
        if (isSystemLocked === false) throw inUse(folder, owner);
        if (!await isAt(path, file)) {
          file.close(); // its owner removed it between our opening and locking it
          continue;
        }
        // Without locks of the system, or beyond this machine, only a person can tell whether the owner lives.
        if (owner !== null && (isSystemLocked === null || owner.host !== hostName())) {
          throw leftBehind(folder, owner);
        }
        await writeOwner(path, file);
        return new RunLock(path, file);
      } catch (error) {
        file.close();
        throw error;
      }
    }
  }

  /** Gives the lock up and removes its file. Does nothing the second time. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    globalThis.removeEventListener("unload", this.#onUnload);
    try {
      // Removed while it is locked: a process that opened it before sees that it is gone.
      Deno.removeSync(this.#path);
    } catch {
      // If the folder is gone, so is its lock. If it cannot be written, the next run takes the stale lock over.
    }
    try {
      this.#file.close();
    } catch {
      // Closed with the process's other files.
    }
  }
}

/** Reads which process trains in a folder now; null when none does. */
export async function lockOwner(folder: string): Promise<LockOwner | null> {
  const path = `${folder}/${LOCK_FILE}`;
  if (!await exists(path) || !(await Deno.stat(path)).isFile) return null;
  try {
    using file = await Deno.open(path, { read: true });
    // A shared lock is refused exactly while a process holds the exclusive one.
    if (await file.tryLock(false)) return null;
  } catch {
    return null; // removed meanwhile
  }
  return await readOwner(path);
}

async function openLock(path: string, folder: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true, create: true });
  } catch (error) {
    throw new Error(
      `Cannot write ${folder}: ${(error as Error).message}, check its permissions or choose another folder`,
      { cause: error },
    );
  }
}

/** False when another process holds the lock, null when the file system has no locks. */
async function lockBySystem(file: Deno.FsFile): Promise<boolean | null> {
  try {
    return await file.tryLock(true);
  } catch {
    return null;
  }
}

/** Writes into the locked file who we are. If that fails, the file is removed. */
async function writeOwner(path: string, file: Deno.FsFile): Promise<void> {
  const owner: LockOwner = { pid: Deno.pid, host: hostName(), since: new Date().toISOString() };
  try {
    await file.truncate();
    await file.seek(0, Deno.SeekMode.Start);
    await file.write(new TextEncoder().encode(JSON.stringify(owner) + "\n"));
  } catch (error) {
    await Deno.remove(path).catch(() => {}); // the write that failed says why
    throw new Error(`Cannot write ${path}: ${(error as Error).message}, check its permissions and the disk`, {
      cause: error,
    });
  }
}

/** Reads the owner from the file; null when it names none, as when its owner has only just made it. */
async function readOwner(path: string): Promise<LockOwner | null> {
  try {
    const { pid, host, since } = await readJsonObject(path);
    return Number.isInteger(pid) && typeof host === "string"
      ? { pid: Number(pid), host, since: String(since) }
      : null;
  } catch {
    return null;
  }
}

function hostName(): string {
  try {
    return Deno.hostname();
  } catch {
    return "";
  }
}

function inUse(folder: string, owner: LockOwner | null): Error {
  const who = owner === null
    ? "another process"
    : `process ${owner.pid}${onHost(owner)}, since ${owner.since},`;
  return new Deno.errors.Busy(
    `Cannot train in ${folder}: ${who} trains in it; wait for it, stop it, or choose another folder with --out`,
  );
}

function leftBehind(folder: string, owner: LockOwner): Error {
  return new Deno.errors.Busy(
    `Cannot train in ${folder}: process ${owner.pid}${
      onHost(owner)
    } has it since ${owner.since}, and only that ` +
      `machine can tell whether it still runs; if it has ended, remove ${folder}/${LOCK_FILE}`,
  );
}

function onHost({ host }: LockOwner): string {
  return host === "" || host === hostName() ? "" : ` on ${host}`;
}
