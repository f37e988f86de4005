/**
 * `recording/` in a run folder: a bounded sample of what the policy saw, wrote and earned, a file an iteration.
 *
 *     rl-000012.jsonl     iteration 12: a header, a few episodes with their turns; see `recorded.ts`
 *     after-sft.jsonl     the first held-out episodes of an evaluation
 *     0f3a….png           a picture as the policy saw it, named for the SHA-256 of the file
 *
 * When the bound is reached, files go: the first iterations stay, the newest stay, and of those between a fair sample,
 * whichever iterations have the highest of random priorities. What stays of a run that was killed and resumed is what
 * stays of one that was not.
 *
 * @module
 */
import { Random } from "../../envs/shared/random.ts";
import { permitted } from "../../model/files.ts";
import { decodeRecorded, encodeRecorded, type RecordedLine, sha256 } from "./recorded.ts";

/** Name of the folder in a run folder. */
export const RECORDING_FOLDER = "recording";

/** Names in the folder. */
export const RECORDING_ENTRY = /^(rl-\d{6,9}\.jsonl|after-(sft|rl)\.jsonl|[0-9a-f]{32}\.png)$/;

/** Iterations from the first on that are never dropped. */
const FIRST = 3;
/** Share of the bound that belongs to the newest iterations. */
const NEWEST_SHARE = 0.25;
/** Newest iterations that stay in any case: more than lie between two checkpoints, so that those a kill takes were all here. */
const NEWEST = 8;

/** Name of the file of an iteration, or of an evaluation. */
export function recordingFile(of: number | "sft" | "rl"): string {
  return typeof of === "number" ? `rl-${String(of).padStart(6, "0")}.jsonl` : `after-${of}.jsonl`;
}

/** Name of a PNG in the folder. */
export function pictureName(png: Uint8Array): string {
  return `${sha256(png).slice(0, 32)}.png`;
}

/** The iteration that a file is of; null for other files. */
export function iterationOf(name: string): number | null {
  const [, digits] = /^rl-(\d+)\.jsonl$/.exec(name) ?? [];
  return digits === undefined ? null : Number(digits);
}

/** Up to where a recording is kept when its run goes on from a checkpoint. */
export interface KeptRecording {
  /** RL iterations done. */
  readonly iteration: number;
  /** Whether the evaluation after the warm start is done. */
  readonly isAfterSft: boolean;
}

interface RecordedFile {
  readonly bytes: number;
  readonly pictures: readonly Picture[];
}

/** A picture, in memory once however many files name it; `uses` counts them. */
interface Picture {
  readonly name: string;
  bytes: number;
  uses: number;
  isHere: boolean;
}

/** What a run records into. */
export interface RecordingSink {
  /** Goes on with what is there up to a checkpoint; null drops everything. */
  resume(kept: KeptRecording | null): void;
  /** Whether a picture of this name is kept. */
  has(picture: string): boolean;
  /** Keeps a PNG; returns the name that turns refer to it by. */
  addPicture(png: Uint8Array): string;
  /** Writes a file. */
  add(name: string, lines: readonly RecordedLine[]): void;
  /** Has all files on disk when it resolves. */
  sync(): Promise<void>;
}

/** The recording of a run that is under way. */
export class Recording implements RecordingSink {
  readonly #path: string;
  readonly #limitBytes: number;
  readonly #files = new Map<string, RecordedFile>();
  /** Pictures by name. */
  readonly #pictures = new Map<string, Picture>();
  #unsynced = new Set<string>();
  #bytes = 0;

  /** `path` is the recording's folder, which need not exist yet. */
  constructor(path: string, limitBytes: number) {
    this.#path = path;
    this.#limitBytes = limitBytes;
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Goes on with what is there, less what was recorded after a checkpoint, or is damaged: the run records it again. Links and
   * pipes go, since writing would go through them. Null drops everything.
   */
  resume(kept: KeptRecording | null): void {
    this.#files.clear();
    this.#pictures.clear();
    this.#bytes = 0;
    for (const name of oddAt(this.#path)) Deno.removeSync(`${this.#path}/${name}`);
    for (const name of entriesAt(this.#path)) {
      const iteration = iterationOf(name);
      const isKept = kept !== null &&
        (iteration !== null ? iteration <= kept.iteration : name === recordingFile("sft") && kept.isAfterSft);
      if (name.endsWith(".png")) continue;
      const text = isKept ? readText(`${this.#path}/${name}`) : null;
      if (text === null || !isWhole(text)) Deno.removeSync(`${this.#path}/${name}`);
      else this.#count(name, text);
    }
    for (const name of entriesAt(this.#path)) {
      if (!name.endsWith(".png")) continue;
      const known = this.#pictures.get(name);
      if (known !== undefined && isPicture(`${this.#path}/${name}`, name)) known.isHere = true;
      else Deno.removeSync(`${this.#path}/${name}`);
    }
    // What is missing or damaged is written again when it is seen again.
    for (const known of this.#pictures.values()) {
      if (known.isHere) continue;
      this.#bytes -= known.bytes;
      known.bytes = 0;
    }
  }

  /** Whether a picture of this name is kept. */
  has(picture: string): boolean {
    return this.#pictures.get(picture)?.isHere === true;
  }

  /** Keeps a PNG; returns the name that turns refer to it by. It goes when no file names it any more. */
  addPicture(png: Uint8Array): string {
    const name = pictureName(png);
    if (!this.has(name)) {
      this.#write(name, png);
      const picture = this.#pictures.get(name) ?? { name, bytes: 0, uses: 0, isHere: false };
      this.#pictures.set(name, Object.assign(picture, { bytes: png.length, isHere: true }));
      this.#bytes += png.length;
    }
    return name;
  }

  /** Writes a file, and drops others if there is no room. */
  add(name: string, lines: readonly RecordedLine[]): void {
    const text = encodeRecorded(lines);
    const earlier = this.#files.get(name);
    this.#write(name, text);
    this.#count(name, text);
    if (earlier !== undefined) this.#forget(earlier);
    while (this.#bytes > this.#limitBytes) {
      const dropped = this.#nextToDrop();
      if (dropped === null) break;
      this.#drop(dropped);
    }
  }

  /** Has all files on disk when it resolves. */
  async sync(): Promise<void> {
    const names = this.#unsynced;
    this.#unsynced = new Set();
    for (const name of names) {
      try {
        using file = await Deno.open(`${this.#path}/${name}`, { read: true });
        await file.syncData();
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error; // dropped meanwhile
      }
    }
  }

  #write(name: string, content: string | Uint8Array): void {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    try {
      Deno.writeFileSync(`${this.#path}/${name}`, bytes);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      Deno.mkdirSync(this.#path, { recursive: true });
      Deno.writeFileSync(`${this.#path}/${name}`, bytes);
    }
    this.#unsynced.add(name);
  }

  #count(name: string, text: string): void {
    const names = new Set([...text.matchAll(/"picture":"([0-9a-f]{32}\.png)"/g)].map(([, name]) => name));
    const pictures = [...names].map((name) => {
      let picture = this.#pictures.get(name);
      if (picture === undefined) {
        picture = { name, bytes: sizeAt(`${this.#path}/${name}`), uses: 0, isHere: false };
        this.#pictures.set(name, picture);
        this.#bytes += picture.bytes;
      }
      picture.uses++;
      return picture;
    });
    const bytes = new TextEncoder().encode(text).length;
    this.#files.set(name, { bytes, pictures });
    this.#bytes += bytes;
  }

  /** The iteration that matters least: of those between the first and the newest the one of lowest priority. */
  #nextToDrop(): string | null {
    const iterations = [...this.#files.keys()].map(iterationOf).filter((it) => it !== null)
      .sort((a, b) => b - a); // the newest first
    const between: number[] = [];
    let newestBytes = 0;
    for (const [place, iteration] of iterations.entries()) {
      newestBytes += this.#files.get(recordingFile(iteration))!.bytes;
      const isNewest = place < NEWEST || newestBytes <= NEWEST_SHARE * this.#limitBytes;
      if (iteration > FIRST && !isNewest) between.push(iteration);
    }
    const candidates = between.length > 0 ? between : iterations.slice(1).filter((it) => it > FIRST);
    if (candidates.length === 0) return null;
    const lowest = candidates.reduce((a, b) => priorityOf(b) < priorityOf(a) ? b : a);
    return recordingFile(lowest);
  }

  #drop(name: string): void {
    const file = this.#files.get(name)!;
    this.#files.delete(name);
    removeAt(`${this.#path}/${name}`);
    this.#forget(file);
  }

  #forget({ bytes, pictures }: RecordedFile): void {
    this.#bytes -= bytes;
    for (const picture of pictures) {
      if (--picture.uses > 0) continue;
      this.#pictures.delete(picture.name);
      this.#bytes -= picture.bytes;
      removeAt(`${this.#path}/${picture.name}`);
    }
  }
}

/** What is wrong with the recording of a run, by file; a recording that is not there is whole. */
export function recordingFaults(
  run: string,
): { files: number; pictures: number; faults: [string, string][] } {
  const path = `${run}/${RECORDING_FOLDER}`;
  const names = entriesAt(path);
  const faults: [string, string][] = [];
  let files = 0, pictures = 0;
  for (const name of names) {
    const file = `${RECORDING_FOLDER}/${name}`;
    let bytes: Uint8Array<ArrayBuffer> | null;
    try {
      bytes = readAt(`${path}/${name}`);
    } catch (error) {
      faults.push([file, permitted(error).message]);
      continue;
    }
    if (bytes === null) continue; // dropped meanwhile
    if (name.endsWith(".png")) {
      pictures++;
      if (pictureName(bytes) !== name) faults.push([file, "its content is not what was written"]);
      continue;
    }
    files++;
    try {
      for (const { picture } of decodeRecorded(new TextDecoder().decode(bytes)).turns) {
        if (picture !== null && !names.includes(picture)) {
          faults.push([file, `its picture ${picture} is missing`]);
        }
      }
    } catch (error) {
      faults.push([file, (error as Error).message]);
    }
  }
  return { files, pictures, faults };
}

/** Removes what is damaged in a run's recording; returns how many files. Nothing goes on from them. */
export function removeDamagedRecording(run: string): number {
  const damaged = new Set(recordingFaults(run).faults.map(([file]) => file));
  for (const file of damaged) removeAt(`${run}/${file}`);
  return damaged.size;
}

/**
 * Reads a file of a run's recording. Whoever wrote the recording chose the name too: no name leads out of the folder, and no
 * link is followed.
 *
 * @throws {Deno.errors.NotFound} If the recording has no such file.
 * @throws {TypeError} If it is no plain file.
 * @throws {RangeError} If it is larger than any that a run writes.
 */
export function readRecordedFile(run: string, name: string): Uint8Array<ArrayBuffer> {
  const path = `${run}/${RECORDING_FOLDER}/${name}`;
  const bytes = RECORDING_ENTRY.test(name) ? readAt(path) : null;
  if (bytes === null) throw new Deno.errors.NotFound(`Cannot read ${path}: the recording has no such file`);
  return bytes;
}

/** {@linkcode readRecordedFile} as text. */
export function readRecordedText(run: string, name: string): string {
  return new TextDecoder().decode(readRecordedFile(run, name));
}

/** Names of a recording's files, sorted; none without one. */
export function entriesAt(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].filter(({ name, isFile }) => isFile && RECORDING_ENTRY.test(name))
      .map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw error;
  }
}

/** What has a name of the recording's, and is neither a file nor a folder: links, pipes, devices. */
function oddAt(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)]
      .filter(({ name, isFile, isDirectory }) => !isFile && !isDirectory && RECORDING_ENTRY.test(name))
      .map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw error;
  }
}

/** The same on every machine and in every process. */
function priorityOf(iteration: number): number {
  return new Random(iteration, "recording").uint32();
}

function isPicture(path: string, name: string): boolean {
  const bytes = readOwn(path);
  return bytes !== null && pictureName(bytes) === name;
}

function isWhole(text: string): boolean {
  try {
    decodeRecorded(text);
    return true;
  } catch {
    return false;
  }
}

/** Most bytes of one file of a recording: an iteration's turns, or a picture. */
const MOST_FILE_BYTES = 2 ** 28;

/** Null for what no run writes, too. */
function readOwn(path: string): Uint8Array<ArrayBuffer> | null {
  try {
    return readAt(path);
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return null;
    throw error;
  }
}

function readText(path: string): string | null {
  const bytes = readOwn(path);
  return bytes && new TextDecoder().decode(bytes);
}

function readAt(path: string): Uint8Array<ArrayBuffer> | null {
  try {
    // A stranger's recording may hold pipes and devices, which never end.
    const { isFile, size } = Deno.lstatSync(path);
    if (!isFile) throw new TypeError(`Cannot read ${path}: it is no plain file, remove it`);
    if (size > MOST_FILE_BYTES) {
      throw new RangeError(
        `Cannot read ${path}: it has ${size} bytes, at most ${MOST_FILE_BYTES} are read, remove it`,
      );
    }
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function sizeAt(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

function removeAt(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
