/**
 * The GPU as the rest of the toolkit sees it: memory, dispatches recorded into one pass, submission, readback.
 *
 * @module
 */
import { type Binding, describeBindings } from "./bindings.ts";
import { debugLevel, debugLog, isDeno } from "./host.ts";
import { type KernelSource, type Pipeline, PipelineCache } from "./pipelines.ts";
import { NotFiniteError, OutOfMemoryError } from "./errors.ts";
import { Profile } from "./profile.ts";
import { PRIMED_WORDS, Readback } from "./readback.ts";
import {
  MIRROR_ROW_TEXELS,
  MIRROR_ROW_WORDS,
  type Slice,
  SLICE_ALIGNMENT_WORDS,
  Storage,
  StoragePool,
  subslice,
} from "./storage.ts";

/** One kernel launch. */
export interface Dispatch {
  readonly kernel: KernelSource;
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [x: number, y?: number, z?: number];
}

/** Bytes of all uniforms, 256 for each distinct set of parameters. */
const UNIFORM_BUFFER_BYTES = 1 << 22;
/** Room that the uniforms of one dispatch never exceed. */
const DISPATCH_UNIFORM_BYTES = 4096;
/** Bind groups a pipeline keeps; a run whose shapes keep changing starts over rather than fill the memory. */
const MAX_BIND_GROUPS = 4096;

/** A device with everything needed to launch kernels on it. Made by {@linkcode openGpu}. */
export class Gpu {
  readonly device: GPUDevice;
  /** The adapter's name, as results quote it. */
  readonly adapterName: string;
  /** True on CPU implementations such as llvmpipe, where texture reads are far cheaper than buffer reads. */
  readonly isSoftware: boolean;
  /** Neighbouring invocations that are in one subgroup at least; 0 where shaders may not use subgroup functions. */
  readonly subgroupSize: number;
  /** True on a software adapter where one of a row of 8 invocations may read and `subgroupBroadcast` to the others. */
  readonly canBroadcast: boolean;
  readonly pool: StoragePool;
  readonly pipelines: PipelineCache;
  readonly profile: Profile;
  /** The variant of each kernel that measured fastest on this adapter; empty until tuned. */
  readonly tuned = new Map<string, string>();
  /** Variants of each kernel that failed their check on this adapter; taken only when named. */
  readonly rejected = new Map<string, readonly string[]>();
  /** Bound where a kernel's optional operand is absent. */
  readonly placeholder: Slice;
  /** Dispatches recorded since the start. */
  dispatchCount = 0;
  /** Submissions since the start. */
  submissionCount = 0;

  readonly #readback: Readback;
  readonly #uniforms: GPUBuffer;
  readonly #uniformOffsets = new Map<string, number>();
  #uniformEnd = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #error: Error | null = null;

  constructor(device: GPUDevice, adapterName: string, isSoftware: boolean) {
    this.device = device;
    this.adapterName = adapterName;
    this.isSoftware = isSoftware;
    this.subgroupSize = device.features.has("subgroups") ? device.adapterInfo.subgroupMinSize : 0;
    this.canBroadcast = isSoftware && this.subgroupSize === 8 && device.adapterInfo.subgroupMaxSize === 8;
    this.pool = new StoragePool(device);
    this.pipelines = new PipelineCache(device, isSoftware, this.subgroupSize > 0 && !isDeno);
    this.profile = new Profile(device);
    this.#readback = new Readback(device);
    this.#uniforms = device.createBuffer({
      label: "uniforms",
      size: UNIFORM_BUFFER_BYTES,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
    this.placeholder = this.allocate(4, "placeholder");
    // Without a listener WebGPU drops errors silently; the next call on this object throws what was caught.
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      const { error } = event as GPUUncapturedErrorEvent;
      this.#error ??= error instanceof GPUOutOfMemoryError
        ? new OutOfMemoryError(`The GPU is out of memory: ${error.message}, use a smaller batch or model`)
        : new Error(this.pipelines.explain(error.message));
    });
    device.lost.then(({ reason, message }) => {
      if (reason === "destroyed") return;
      this.#error ??= new Error(
        `The GPU was lost: ${message}; run the command again, with --resume to go on`,
      );
    });
  }

  /** Memory that lives as long as the GPU: parameters, gradients, caches. Contents start as zero. */
  allocate(words: number, label: string): Slice {
    return { storage: new Storage(this.device, words, label), offset: 0, length: words, label };
  }

  /** Destroys memory from {@linkcode Gpu.allocate}, once the recorded work that uses it is on its way. */
  free(slice: Slice): void {
    if (slice.storage.lastSubmission === this.submissionCount) this.flush();
    slice.storage.destroy();
    this.pipelines.clearBindGroups();
  }

  /** Destroys the pool's free storages, for instance before a phase with other shapes. */
  trim(): void {
    this.flush();
    this.pool.trim();
    this.pipelines.clearBindGroups();
  }

  /** Pooled memory with undefined contents; give it back with {@linkcode Gpu.release}. */
  acquire(words: number, label: string): Slice {
    const slice = this.pool.acquire(words, label);
    // The NaN scan reads whole slices: what a kernel leaves unwritten must not hold an earlier one's bits.
    if (debugLevel >= 4) this.clear(slice);
    return slice;
  }

  release(slice: Slice): void {
    this.pool.release(slice);
  }

  /** Pooled memory holding `data`. */
  upload(data: Float32Array | Uint32Array | Int32Array, label: string): Slice {
    const slice = this.pool.acquire(data.length, label, this.submissionCount);
    this.write(slice, data);
    return slice;
  }

  /** Overwrites the first `data.length` words of a slice, in order with the dispatches around it. */
  write(slice: Slice, data: Float32Array | Uint32Array | Int32Array): void {
    if (data.length > slice.length) {
      throw new RangeError(`Cannot write ${data.length} words to ${slice.label}: it has ${slice.length}`);
    }
    // Deno ends the process on a write of nothing.
    if (data.length === 0) return;
    // writeBuffer overtakes recorded work that was not submitted yet, so that work goes first if it uses the storage.
    if (slice.storage.lastSubmission === this.submissionCount) this.flush();
    this.device.queue.writeBuffer(
      slice.storage.buffer,
      slice.offset * 4,
      data.buffer as ArrayBuffer,
      data.byteOffset,
      data.byteLength,
    );
    slice.storage.mirrorIsStale = true;
  }

  /** Sets a slice to zero. */
  clear(slice: Slice): void {
    const encoder = this.#outsidePass();
    encoder.clearBuffer(slice.storage.buffer, slice.offset * 4, slice.length * 4);
    this.#touch(slice.storage, true);
  }

  /** Copies one slice to another of the same length. */
  copy(from: Slice, to: Slice): void {
    if (from.length !== to.length) {
      throw new RangeError(
        `Cannot copy ${from.label} to ${to.label}: lengths ${from.length} and ${to.length} differ`,
      );
    }
    const encoder = this.#outsidePass();
    encoder.copyBufferToBuffer(
      from.storage.buffer,
      from.offset * 4,
      to.storage.buffer,
      to.offset * 4,
      from.length * 4,
    );
    this.#touch(from.storage, false);
    this.#touch(to.storage, true);
  }

  /** Records one launch into the open pass. */
  dispatch({ kernel, bindings, workgroups: [x, y = 1, z = 1] }: Dispatch): void {
    this.#throwPending();
    if (x === 0 || y === 0 || z === 0) return;
    if (Math.max(x, y, z) > 65535) {
      throw new RangeError(
        `Cannot dispatch ${kernel.name}: ${x} x ${y} x ${z} workgroups exceed 65535 a dimension for ${
          describeBindings(bindings)
        }, use a smaller batch`,
      );
    }
    if (this.#uniformEnd + DISPATCH_UNIFORM_BYTES > UNIFORM_BUFFER_BYTES) this.#forgetUniforms();
    const pipeline = this.pipelines.get(kernel);
    const group = this.#bindGroup(pipeline, bindings);
    const startMs = debugLevel >= 3 ? performance.now() : 0;
    const pass = this.#openPass(kernel.name);
    pass.setPipeline(pipeline.gpuPipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y, z);
    this.dispatchCount++;
    if (this.profile.isOn) {
      this.#endPass();
      this.profile.dispatched(bindings, () => (this.flush(), this.#readback.waitSync()));
    }
    if (debugLevel >= 3) this.#debugDispatch(kernel, bindings, [x, y, z], startMs);
  }

  /** Submits what was recorded. */
  flush(): void {
    this.#throwPending();
    if (this.#encoder === null) return;
    this.#endPass();
    this.device.queue.submit([this.#encoder.finish()]);
    this.#encoder = null;
    this.submissionCount++;
  }

  /** Submits, waits, and returns the contents of slices as floats, in one round trip. */
  async read(...slices: readonly Slice[]): Promise<Float32Array[]> {
    const encoder = this.#outsidePass();
    const pending = this.#readback.record(encoder, slices);
    this.flush();
    const endWait = this.profile.beginWait();
    const arrays = await pending.map();
    endWait();
    this.#throwPending();
    return arrays;
  }

  /** Like {@linkcode Gpu.read}, for a slice of u32 words. */
  async readWords(slice: Slice): Promise<Uint32Array> {
    const [floats] = await this.read(slice);
    return new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  }

  /** Submits and waits for all work; throws what went wrong on the way. */
  async settle(): Promise<void> {
    this.flush();
    await this.device.queue.onSubmittedWorkDone();
    // Error events arrive on a later turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#throwPending();
  }

  /** Makes the one-time map that the synchronous readback path relies on; {@linkcode openGpu} awaits it. */
  async prime(): Promise<void> {
    await this.#readback.prime();
  }

  /** Frees the device. Slices, tensors and pipelines of it are void afterwards. */
  destroy(): void {
    this.device.destroy();
  }

  #throwPending(): void {
    if (this.#error === null) return;
    const error = this.#error;
    this.#error = null;
    throw error;
  }

  #touch(storage: Storage, written: boolean): void {
    storage.lastSubmission = this.submissionCount;
    if (written) storage.mirrorIsStale = true;
  }

  #openPass(label: string): GPUComputePassEncoder {
    this.#encoder ??= this.device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass({ label, ...this.profile.passDescriptor(label) });
    return this.#pass;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #outsidePass(): GPUCommandEncoder {
    this.#endPass();
    return this.#encoder ??= this.device.createCommandEncoder();
  }

  #bindGroup(pipeline: Pipeline, bindings: readonly Binding[]): GPUBindGroup {
    let key = "";
    for (const binding of bindings) {
      if (binding.kind === "params") {
        key += `u${this.#uniformOffset(binding.words, binding.floats)} `;
      } else {
        const { storage, offset, length } = binding.slice;
        if (binding.kind === "texels") {
          if (offset % 4 !== 0) throw misaligned(binding.slice, 4);
          this.#refreshMirror(storage);
        } else this.#touch(storage, binding.kind === "write");
        key += binding.kind === "texels" ? `t${storage.id} ` : `${storage.id},${offset},${length} `;
      }
    }
    let group = pipeline.bindGroups.get(key);
    if (group === undefined) {
      if (pipeline.bindGroups.size >= MAX_BIND_GROUPS) pipeline.bindGroups.clear();
      group = this.device.createBindGroup({
        label: pipeline.name,
        layout: pipeline.layout,
        entries: bindings.map((binding, index) => ({ binding: index, resource: this.#resource(binding) })),
      });
      pipeline.bindGroups.set(key, group);
    }
    return group;
  }

  #resource(binding: Binding): GPUBindingResource {
    if (binding.kind === "params") {
      const offset = this.#uniformOffset(binding.words, binding.floats);
      const bytes = uniformBytes(binding.words.length + binding.floats.length);
      return { buffer: this.#uniforms, offset, size: bytes };
    }
    const { storage, offset, length } = binding.slice;
    if (binding.kind === "texels") return storage.mirrorView!;
    if (offset % SLICE_ALIGNMENT_WORDS !== 0) throw misaligned(binding.slice, SLICE_ALIGNMENT_WORDS);
    // Rounded up to whole vec4s: kernels view storages as array<vec4f>, and storages have the room.
    return { buffer: storage.buffer, offset: offset * 4, size: Math.ceil(length / 4) * 16 };
  }

  /** The offset of a uniform with these contents, written on first use. */
  #uniformOffset(words: readonly number[], floats: readonly number[]): number {
    const key = `${words.join()};${floats.join()}`;
    const known = this.#uniformOffsets.get(key);
    if (known !== undefined) return known;
    const offset = this.#uniformEnd;
    const data = new ArrayBuffer(uniformBytes(words.length + floats.length));
    new Uint32Array(data).set(words);
    new Float32Array(data).set(floats, words.length);
    this.#uniformEnd += Math.ceil(data.byteLength / 256) * 256;
    this.device.queue.writeBuffer(this.#uniforms, offset, data);
    this.#uniformOffsets.set(key, offset);
    return offset;
  }

  /** Starts over with an empty uniform buffer, once the recorded work that reads the old contents is on its way. */
  #forgetUniforms(): void {
    this.flush();
    this.#uniformOffsets.clear();
    this.#uniformEnd = 0;
    this.pipelines.clearBindGroups();
  }

  #refreshMirror(storage: Storage): void {
    const mirror = storage.openMirror(this.device);
    this.#touch(storage, false);
    if (!storage.mirrorIsStale) return;
    this.#outsidePass().copyBufferToTexture(
      { buffer: storage.buffer, bytesPerRow: MIRROR_ROW_WORDS * 4 },
      { texture: mirror },
      [MIRROR_ROW_TEXELS, Math.ceil(storage.usedWords / MIRROR_ROW_WORDS)],
    );
    storage.mirrorIsStale = false;
  }

  #debugDispatch(
    kernel: KernelSource,
    bindings: readonly Binding[],
    workgroups: number[],
    startMs: number,
  ): void {
    this.flush();
    this.#readback.waitSync();
    const elapsedUs = ((performance.now() - startMs) * 1e3).toFixed(0);
    debugLog(
      `dispatch ${kernel.name} (${workgroups.join(" x ")}) ${describeBindings(bindings)}: ${elapsedUs} us`,
    );
    if (debugLevel < 4) return;
    for (const binding of bindings) {
      if (binding.kind !== "write") continue;
      const { slice } = binding;
      // In parts, as a synchronous read has only the staging buffer that was primed.
      for (let start = 0; start < slice.length; start += PRIMED_WORDS) {
        const part = subslice(slice, start, Math.min(PRIMED_WORDS, slice.length - start));
        const pending = this.#readback.record(this.#outsidePass(), [part]);
        this.flush();
        const bad = pending.mapSync()[0].findIndex((value) => Number.isNaN(value));
        if (bad >= 0) {
          throw new NotFiniteError(`${kernel.name} wrote NaN at word ${start + bad} of ${slice.label}`);
        }
      }
    }
  }
}

/** A uniform's size: whole 16-byte units. */
const uniformBytes = (words: number) => Math.ceil(Math.max(words, 1) / 4) * 16;

function misaligned({ label, offset }: Slice, words: number): RangeError {
  return new RangeError(
    `Cannot bind ${label}: offset ${offset} is not a multiple of ${words} words, start the slice at one`,
  );
}
