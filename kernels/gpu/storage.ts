/**
 * GPU memory: labelled storages, slices of them, and the pool that hands them out again.
 *
 * @module
 */

/** Texels (rgba32float, 16 bytes) in a row of a storage's texture mirror. */
export const MIRROR_ROW_TEXELS = 1024;
/** 4-byte words in a row of a texture mirror; storages are sized in whole rows so that a mirror is one copy. */
export const MIRROR_ROW_WORDS = 4 * MIRROR_ROW_TEXELS;
/** Slices of one storage start on multiples of this many words (256 bytes), the strictest WebGPU offset alignment. */
export const SLICE_ALIGNMENT_WORDS = 64;

let nextId = 1;

/** A texture that has the contents of a storage, for kernels that read texels. */
export class Mirror {
  /** Tells it from others in the keys of bind groups. */
  readonly id: number = nextId++;
  /** The texture. */
  readonly texture: GPUTexture;
  /** All of it, as bind groups take it. */
  readonly view: GPUTextureView;
  /** Capacity in words. */
  readonly words: number;
  /** Whose contents were copied here last. */
  holds: Storage | null = null;

  /** A texture with room for `words` words. */
  constructor(device: GPUDevice, words: number, label: string) {
    // Never a power of two: lavapipe compiles a kernel once for textures that are and once for those that are not.
    const height = Math.max(3, Math.ceil(words / MIRROR_ROW_WORDS) | 1);
    const limit = device.limits.maxTextureDimension2D;
    if (height > limit) {
      throw new RangeError(
        `Cannot read ${label} as a texture: its ${height} rows exceed the adapter's limit of ${limit}, ` +
          "use a smaller batch or model, or PONDER_VARIANT=naive",
      );
    }
    this.words = height * MIRROR_ROW_WORDS;
    this.texture = device.createTexture({
      label,
      format: "rgba32float",
      size: [MIRROR_ROW_TEXELS, height],
      // Where they may be sampled, they are.
      usage: GPUTextureUsage.COPY_DST |
        (device.features.has("float32-filterable") ? GPUTextureUsage.TEXTURE_BINDING : 0) |
        GPUTextureUsage.STORAGE_BINDING,
    });
    this.view = this.texture.createView();
  }
}

/**
 * One GPU buffer and, if a kernel wants to read it as texels, a mirror. Two things are kept true of it, by `Gpu`:
 *
 *     mirrorIsStale    every write of the buffer sets it; a kernel that reads texels copies the buffer first if it is
 *                      set, in order with the launches around it
 *     lastSubmission   every use sets it to the submission being recorded. The host's own writes overtake what is only
 *                      recorded. If the last use is in the open submission, that is submitted first
 */
export class Storage {
  /** Tells it from others in the keys of bind groups. */
  readonly id: number = nextId++;
  /** The buffer. */
  readonly buffer: GPUBuffer;
  /** Capacity in 4-byte words, a whole number of mirror rows. */
  readonly words: number;
  /** What messages call it. */
  label: string;
  /** Words in use, at most `words`; a mirror copies no more rows than these need. */
  usedWords: number;
  /** Its texture: of its own, or the pool's as long as the storage is lent. */
  mirror: Mirror | null = null;
  /** True when `buffer` was written after the mirror was last copied. */
  mirrorIsStale = true;
  /** The submission that last used this storage; compared with the open one before the host writes to it. */
  lastSubmission: number = -1;
  /** The slice that the pool lent this storage as, until it is released. */
  lease: Slice | null = null;

  /** Memory of at least `words` words, zero at first. */
  constructor(device: GPUDevice, words: number, label: string) {
    this.words = roundUp(Math.max(words, 1), MIRROR_ROW_WORDS);
    this.usedWords = words;
    this.label = label;
    const bufferBytes = this.words * 4;
    const limit = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
    if (bufferBytes > limit) {
      throw new RangeError(
        `Cannot allocate ${label}: ${bufferBytes} bytes exceed the adapter's limit of ${limit}, use a smaller batch or model`,
      );
    }
    this.buffer = device.createBuffer({
      label,
      size: bufferBytes,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }

  /** Frees buffer and texture. */
  destroy(): void {
    this.buffer.destroy();
    this.mirror?.texture.destroy();
  }
}

/** A range of a storage: what a kernel binds. Offsets and lengths are in 4-byte words (f32, u32 or i32). */
export interface Slice {
  /** The memory it is a range of. */
  readonly storage: Storage;
  /** First word. */
  readonly offset: number;
  /** Words. */
  readonly length: number;
  /** What messages and profiles call it. */
  readonly label: string;
}

/** The range `[offset, offset + length)` of a slice, in words. Throws a `RangeError` outside it. */
export function subslice(slice: Slice, offset: number, length: number, label = slice.label): Slice {
  if (offset < 0 || length < 0 || offset + length > slice.length) {
    throw new RangeError(
      `Cannot take words [${offset}, ${offset + length}) of ${slice.label}: it has ${slice.length}`,
    );
  }
  return { storage: slice.storage, offset: slice.offset + offset, length, label };
}

/** Rounds up to a multiple. */
export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** A free storage may stand in for one of up to this many times fewer words. */
const MOST_SPARE = 4;

/** What a {@linkcode FreeList} keeps. */
interface Capacity {
  readonly id: number;
  /** Capacity in words. */
  readonly words: number;
}

/** Free memory, smallest first; that of one capacity by age. */
class FreeList<Item extends Capacity> {
  readonly #items: Item[] = [];

  /** Takes the oldest of the smallest that fit, but none much larger, nor one that `isTaken`. */
  take(words: number, isTaken: (item: Item) => boolean = () => false): Item | undefined {
    let index = this.#firstOf(words, 0);
    while (index < this.#items.length && isTaken(this.#items[index])) index++;
    const fits = index < this.#items.length && this.#items[index].words <= MOST_SPARE * words;
    return fits ? this.#items.splice(index, 1)[0] : undefined;
  }

  add(item: Item): void {
    this.#items.splice(this.#firstOf(item.words, item.id), 0, item);
  }

  /** Takes all. */
  clear(): Item[] {
    return this.#items.splice(0);
  }

  /** Index of the first with more than `words` words, or with as many and at least this id. */
  #firstOf(words: number, id: number): number {
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { words: has, id: its } = this.#items[middle];
      if (has < words || (has === words && its < id)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Lends storages, and mirrors to those that are read as texels. Every acquired slice must be released; `inUse` counts those
 * that are not. `acquire` returns the smallest storage that fits, the oldest among equals. Equal steps therefore get the
 * same storages, and their bind groups stay cached. Steps of many shapes share the storages of the largest.
 */
export class StoragePool {
  readonly #device: GPUDevice;
  readonly #storages = new FreeList<Storage>();
  readonly #mirrors = new FreeList<Mirror>();
  /** Slices acquired and not yet released. */
  inUse = 0;
  /** Bytes of all storages this pool has made (buffers only, without mirrors). */
  totalBytes = 0;
  /** Storages and mirrors made so far: constant over steady steps. */
  created = 0;

  /** An empty pool. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A slice of `words` words that submission `notIn` has not used (the host may write to it at once). */
  acquire(words: number, label: string, notIn = -2): Slice {
    const capacity = sizeClass(words);
    let storage = this.#storages.take(capacity, ({ lastSubmission }) => lastSubmission === notIn);
    if (storage === undefined) {
      storage = new Storage(this.#device, capacity, label);
      this.totalBytes += storage.words * 4;
      this.created++;
    }
    storage.label = label;
    storage.usedWords = words;
    storage.mirrorIsStale = true;
    this.inUse++;
    return storage.lease = { storage, offset: 0, length: words, label };
  }

  /** A storage's mirror: of a lent one until it is released, of another for good. */
  mirrorOf(storage: Storage): Mirror {
    if (storage.mirror !== null) return storage.mirror;
    const words = storage.lease === null ? storage.words : sizeClass(storage.usedWords);
    const mirror = storage.lease === null ? undefined : this.#mirrors.take(words);
    if (mirror === undefined) this.created++;
    return storage.mirror = mirror ?? new Mirror(this.#device, words, storage.label);
  }

  /** Takes back what `acquire` returned. Throws when that was done before, or for any other slice. */
  release(slice: Slice): void {
    const { storage } = slice;
    if (storage.lease !== slice) {
      throw new Error(`Cannot release ${slice.label}: it was released before, or never acquired`);
    }
    storage.lease = null;
    this.inUse--;
    this.#storages.add(storage);
    if (storage.mirror === null) return;
    this.#mirrors.add(storage.mirror);
    storage.mirror = null;
  }

  /** Destroys all that is free; none of it may be in work that is recorded and not submitted. */
  trim(): void {
    for (const storage of this.#storages.clear()) {
      this.totalBytes -= storage.words * 4;
      storage.destroy();
    }
    for (const { texture } of this.#mirrors.clear()) texture.destroy();
  }
}

/** Whole mirror rows, then eighths of a power of two: few classes, at most 12.5% waste. */
function sizeClass(words: number): number {
  const rows = Math.max(1, Math.ceil(words / MIRROR_ROW_WORDS));
  if (rows <= 16) return rows * MIRROR_ROW_WORDS;
  const step = 2 ** (Math.floor(Math.log2(rows)) - 3);
  return roundUp(rows, step) * MIRROR_ROW_WORDS;
}
