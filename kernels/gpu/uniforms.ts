/**
 * Parameters of launches: one buffer, in which each distinct set of them is written once.
 *
 * @module
 */

/** Bytes of all uniforms, 256 for each distinct set of parameters. */
const UNIFORM_BUFFER_BYTES = 1 << 22;
/** Room that the uniforms of one dispatch never exceed. */
const DISPATCH_UNIFORM_BYTES = 4096;

/** Sets of parameters, u32 words first and then f32 floats, as the fields of one `struct`. */
export class Uniforms {
  readonly #device: GPUDevice;
  readonly #buffer: GPUBuffer;
  readonly #offsets = new Map<string, number>();
  #end = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#buffer = device.createBuffer({
      label: "uniforms",
      size: UNIFORM_BUFFER_BYTES,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
  }

  /** Whether there may be no room for another launch's parameters. */
  get isFull(): boolean {
    return this.#end + DISPATCH_UNIFORM_BYTES > UNIFORM_BUFFER_BYTES;
  }

  /** The offset in bytes of a uniform with these contents, written on first use. */
  offsetOf(words: readonly number[], floats: readonly number[]): number {
    const key = `${words.join()};${floats.join()}`;
    const known = this.#offsets.get(key);
    if (known !== undefined) return known;
    const offset = this.#end;
    const data = new ArrayBuffer(bytesOf(words.length + floats.length));
    new Uint32Array(data).set(words);
    new Float32Array(data).set(floats, words.length);
    this.#end += Math.ceil(data.byteLength / 256) * 256;
    this.#device.queue.writeBuffer(this.#buffer, offset, data);
    this.#offsets.set(key, offset);
    return offset;
  }

  /** What a bind group takes for these contents. */
  resource(words: readonly number[], floats: readonly number[]): GPUBindingResource {
    const size = bytesOf(words.length + floats.length);
    return { buffer: this.#buffer, offset: this.offsetOf(words, floats), size };
  }

  /** Starts over; work that reads the old contents must have been submitted, and their bind groups be forgotten. */
  forget(): void {
    this.#offsets.clear();
    this.#end = 0;
  }
}

/** A uniform's size: whole 16-byte units. */
const bytesOf = (words: number) => Math.ceil(Math.max(words, 1) / 4) * 16;
