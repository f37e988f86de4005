/**
 * The GPU as the rest of the toolkit sees it: memory, dispatches recorded into one pass, submission, readback.
 *
 * @module
 */
import { type Binding, describeBindings } from "./bindings.ts";
import { Encoder } from "./encoder.ts";
import { DeviceLostError, OutOfMemoryError, SubmissionError } from "./errors.ts";
import { debugLevel, isDeno } from "./host.ts";
import { type KernelSource, type Pipeline, PipelineCache, requireBindings, uniformAt } from "./pipelines.ts";
import { type Command, type Derive, type HostData, keptUpload, Plans } from "./plan.ts";
import { Profile } from "./profile.ts";
import { Readback } from "./readback.ts";
import { type Slice, SLICE_ALIGNMENT_WORDS, Storage, StoragePool } from "./storage.ts";
import { Uniforms } from "./uniforms.ts";

/** One kernel launch. */
export interface Dispatch {
  /** The kernel, compiled on first use. */
  readonly kernel: KernelSource;
  /** What it binds, in the order of its `@binding` numbers. */
  readonly bindings: readonly Binding[];
  /** Workgroups in each dimension, at most 65535; none is launched when one is 0. */
  readonly workgroups: readonly [x: number, y?: number, z?: number];
}

/** Launches of a submission on a GPU, which can start on a step's first launches while the host still encodes its last. */
const LAUNCHES_PER_SUBMISSION = 48;

/** A device with everything needed to launch kernels on it. Made by {@linkcode openGpu}. */
export class Gpu {
  /** The WebGPU device. */
  readonly device: GPUDevice;
  /** The adapter's name, as results quote it. */
  readonly adapterName: string;
  /** True on CPU implementations such as llvmpipe, where texture reads are far cheaper than buffer reads. */
  readonly isSoftware: boolean;
  /** Neighbouring invocations that are in one subgroup at least; 0 if shaders may not use subgroup functions. */
  readonly subgroupSize: number;
  /** Whether one of 8 invocations may read and `subgroupBroadcast` to the others; on some software adapters. */
  readonly canBroadcast: boolean;
  /** Words in a vector of a software adapter: 16 with 512 bits. 8 are assumed of one that does not tell. */
  readonly lanes: number;
  /** Whether textures are sampled, and 4 invocations are a subgroup: on SwiftShader. */
  readonly samplesTexels: boolean;
  /** Rows of a register tile that pay at most: in browsers 32 are no faster than 16, and compile twice as long. */
  readonly maxTileRows: number;
  /** Memory that is lent and taken back. */
  readonly pool: StoragePool;
  /** Compiled kernels. */
  readonly pipelines: PipelineCache;
  /** Times of launches, while it is on. */
  readonly profile: Profile;
  /** Steps that are replayed rather than run again. */
  readonly plans: Plans;
  /** The variant of each kernel that measured fastest on this adapter; empty until tuned. */
  readonly tuned: Map<string, string> = new Map();
  /** Variants of each kernel that failed their check on this adapter; taken only when named. */
  readonly rejected: Map<string, readonly string[]> = new Map();
  /** Bound when a kernel's optional operand is absent. */
  readonly placeholder: Slice;

  readonly #readback: Readback;
  readonly #encoder: Encoder;
  readonly #uniforms: Uniforms;
  #trace: Command[] | null = null;
  /** Number of pipelines whose faults, if any, the device has reported by now. */
  #judgedPipelines = 0;
  /** The error that the device reported, until a call throws it. */
  #error: Error | null = null;
  /** Why the device is gone: thrown by every call from then on. */
  #loss: DeviceLostError | null = null;
  /** Submissions before this one are known to have been carried out, or their failure was thrown. */
  #settledSubmissions = 0;

  /** Wraps a device; {@linkcode openGpu} asks for one with the limits and features that kernels use. */
  constructor(device: GPUDevice, adapterName: string, isSoftware: boolean) {
    this.device = device;
    this.adapterName = adapterName;
    this.isSoftware = isSoftware;
    this.subgroupSize = device.features.has("subgroups") ? device.adapterInfo.subgroupMinSize : 0;
    const fixed = this.subgroupSize === device.adapterInfo.subgroupMaxSize ? this.subgroupSize : 0;
    this.canBroadcast = isSoftware && (fixed === 8 || fixed === 16);
    this.lanes = this.canBroadcast ? fixed : 8;
    this.samplesTexels = isSoftware && fixed === 4 && device.features.has("float32-filterable");
    this.maxTileRows = isDeno ? Infinity : 16;
    this.pool = new StoragePool(device);
    // Browsers refuse a barrier in a loop whose bounds stand in a variable, and theirs is no lavapipe.
    const hidesUniforms = isSoftware && isDeno;
    const enablesSubgroups = this.subgroupSize > 0 && !isDeno;
    this.pipelines = new PipelineCache(device, hidesUniforms, enablesSubgroups, this.samplesTexels);
    this.profile = new Profile(device);
    this.plans = new Plans(this);
    this.#readback = new Readback(device);
    const perSubmission = isSoftware ? Infinity : LAUNCHES_PER_SUBMISSION;
    this.#encoder = new Encoder(device, this.profile, this.#readback, perSubmission);
    this.#uniforms = new Uniforms(device);
    this.placeholder = this.allocate(4, "placeholder");
    // Without a listener WebGPU drops errors silently; the next call on this object throws what was caught.
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      const { error } = event as GPUUncapturedErrorEvent;
      this.#error ??= error instanceof GPUOutOfMemoryError
        ? new OutOfMemoryError(`The GPU is out of memory: ${error.message}, use a smaller batch or model`)
        : this.pipelines.compileErrorOf(error.message) ?? new SubmissionError(refusal(error.message));
    });
    device.lost.then(({ reason, message }) => {
      this.#loss = new DeviceLostError(
        reason === "destroyed"
          ? "Cannot use the GPU: its device was destroyed, open another"
          : `Cannot go on: the GPU was lost (${message}); run the command again, with --resume to go on`,
      );
    });
  }

  /** Dispatches recorded since the start. */
  get dispatchCount(): number {
    return this.#encoder.launchCount;
  }

  /** Submissions since the start. */
  get submissionCount(): number {
    return this.#encoder.submissionCount;
  }

  /** Memory that lives as long as the GPU: parameters, gradients, caches. Contents start as zero. */
  allocate(words: number, label: string): Slice {
    return { storage: new Storage(this.device, words, label), offset: 0, length: words, label };
  }

  /** Destroys memory from {@linkcode Gpu.allocate}, once the recorded work that uses it is on its way. */
  free(slice: Slice): void {
    if (slice.storage.lastSubmission === this.submissionCount) this.flush();
    slice.storage.destroy();
    this.#forgetBindGroups();
  }

  /** Destroys the pool's free storages, for instance before a phase with other shapes. */
  trim(): void {
    this.flush();
    this.pool.trim();
    this.#forgetBindGroups();
  }

  /** Pooled memory with undefined contents; give it back with {@linkcode Gpu.release}. */
  acquire(words: number, label: string): Slice {
    const slice = this.pool.acquire(words, label);
    // The NaN scan reads whole slices: words that a kernel does not write must not hold an earlier one's bits.
    if (debugLevel >= 4) this.clear(slice);
    return slice;
  }

  /** Takes back what {@linkcode Gpu.acquire} or {@linkcode Gpu.upload} lent. */
  release(slice: Slice): void {
    this.pool.release(slice);
  }

  /** Pooled memory holding `data`, or what `derive` makes of it. */
  upload<Data extends HostData>(data: Data, label: string, derive?: (data: Data) => HostData): Slice {
    const written = derive?.(data) ?? data;
    const slice = this.pool.acquire(Math.ceil(written.byteLength / 4), label, this.submissionCount);
    this.#trace?.push({ kind: "upload", slice, ...keptUpload(data, written, derive as Derive) });
    this.#encoder.write(slice, written);
    return slice;
  }

  /** Overwrites the beginning of a slice, in order with the dispatches around it. */
  write(slice: Slice, data: HostData): void {
    if (this.#trace !== null) {
      throw new Error(`Cannot plan a step that writes to ${slice.label}: upload instead`);
    }
    this.#encoder.write(slice, data);
  }

  /** Sets a slice to zero. */
  clear(slice: Slice): void {
    this.#do({ kind: "clear", slice });
  }

  /** Copies one slice to another of the same length. */
  copy(from: Slice, to: Slice): void {
    if (from.length !== to.length) {
      throw new RangeError(
        `Cannot copy ${from.label} to ${to.label}: lengths ${from.length} and ${to.length} differ`,
      );
    }
    this.#do({ kind: "copy", from, to });
  }

  /** Records one launch into the open pass. */
  dispatch({ kernel, bindings, workgroups: [x, y = 1, z = 1] }: Dispatch): void {
    this.#throwPending();
    if (!Number.isInteger(x + y + z) || x < 0 || y < 0 || z < 0) {
      throw new RangeError(
        `Cannot dispatch ${kernel.name}: ${x} x ${y} x ${z} workgroups are no whole numbers`,
      );
    }
    if (x === 0 || y === 0 || z === 0) return;
    if (Math.max(x, y, z) > 65535) {
      throw new RangeError(
        `Cannot dispatch ${kernel.name}: ${x} x ${y} x ${z} workgroups exceed 65535 a dimension for ${
          describeBindings(bindings)
        }, use a smaller batch`,
      );
    }
    if (this.#uniforms.isFull) this.#forgetUniforms();
    const pipeline = this.pipelines.get(kernel);
    const group = this.#bindGroup(pipeline, bindings);
    const mirrors = bindings.flatMap((binding) => {
      if (binding.kind !== "texels") return [];
      const { storage } = binding.slice;
      return [{ storage, usedWords: storage.usedWords, mirror: this.pool.mirrorOf(storage) }];
    });
    const { gpuPipeline } = pipeline;
    this.#do({
      kind: "launch",
      kernel,
      bindings,
      workgroups: [x, y, z],
      pipeline: gpuPipeline,
      group,
      mirrors,
    });
  }

  /** Runs `work` and lists the commands that it gave the GPU. */
  trace<Result>(work: () => Result): { commands: Command[]; result: Result } {
    if (this.#trace !== null) throw new Error("Cannot trace a step within another");
    const commands: Command[] = this.#trace = [];
    try {
      return { commands, result: work() };
    } finally {
      this.#trace = null;
    }
  }

  /** Repeats what was traced, in the same memory. Nobody may hold that memory. */
  replay(commands: readonly Command[]): void {
    this.#throwPending();
    for (const command of commands) this.#encoder.encode(command);
  }

  /** Submits what was recorded. */
  flush(): void {
    this.#throwPending();
    this.#do({ kind: "submit" });
  }

  /** Submits, waits, and returns the contents of slices as floats, in one round trip. */
  async read(...slices: readonly Slice[]): Promise<Float32Array[]> {
    if (this.#trace !== null) {
      throw new Error(`Cannot plan a step that reads ${slices[0]?.label}: return what shall be read`);
    }
    const pending = this.#encoder.read(slices);
    this.flush();
    const endWait = this.profile.beginWait();
    const arrays = await pending.map().catch((error) => this.#explainUnreadable(slices, error));
    endWait();
    // The device reports faults of a shader as an event, a turn of the event loop later.
    if (this.pipelines.size > this.#judgedPipelines) {
      this.#judgedPipelines = this.pipelines.size;
      await nextTurn();
    }
    this.#throwPending();
    return arrays;
  }

  /** Like {@linkcode Gpu.read}, for a slice of u32 words. */
  async readWords(slice: Slice): Promise<Uint32Array> {
    const [floats] = await this.read(slice);
    return new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  }

  /**
   * Submits, and waits until the GPU has done all work. Await it before you keep results.
   *
   * @throws {DeviceLostError | OutOfMemoryError | SubmissionError} for a fault of the GPU in that work.
   */
  async settle(): Promise<void> {
    this.flush();
    const { ledger } = this.#encoder;
    const end = this.submissionCount;
    const pending = this.#encoder.read([ledger.entries]);
    this.#encoder.submit();
    const [floats] = await pending.map().catch((error) => this.#explainUnreadable([ledger.entries], error));
    await nextTurn();
    this.#throwPending();
    const missing = ledger.missing(new Uint32Array(floats.buffer), this.#settledSubmissions, end);
    this.#settledSubmissions = end;
    if (missing === null) return;
    throw new SubmissionError(
      `Cannot trust the GPU's results: it did not carry out submission ${missing} of ${end}; run the command again, with ` +
        "--resume to go on",
    );
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
    if (this.#loss !== null) throw this.#loss;
    if (this.#error === null) return;
    const error = this.#error;
    this.#error = null;
    this.#settledSubmissions = this.submissionCount;
    throw error;
  }

  /** Throws why a readback failed, which the device's events tell better than its own error. */
  async #explainUnreadable(slices: readonly Slice[], error: Error): Promise<never> {
    await nextTurn();
    this.#throwPending();
    const labels = slices.map(({ label }) => label).join(", ");
    throw new SubmissionError(
      `Cannot read ${labels} from the GPU: ${error.message}; run the command again, with --resume to go on`,
      { cause: error },
    );
  }

  #do(command: Command): void {
    this.#trace?.push(command);
    this.#encoder.encode(command);
  }

  #bindGroup(pipeline: Pipeline, bindings: readonly Binding[]): GPUBindGroup {
    let key = "";
    for (const [index, binding] of bindings.entries()) {
      if (binding.kind === "params") {
        key += `u${this.#uniforms.offsetOf(uniformAt(pipeline, bindings, index), binding.values)} `;
      } else {
        const { storage, offset, length } = binding.slice;
        if (binding.kind === "texels") {
          if (offset % 4 !== 0) throw misaligned(binding.slice, 4);
          key += `t${this.pool.mirrorOf(storage).id} `;
        } else key += `${storage.id},${offset},${length} `;
      }
    }
    let group = pipeline.bindGroups.get(key);
    if (group === undefined) {
      requireBindings(pipeline, bindings);
      const entries: GPUBindGroupEntry[] = bindings.map((_, binding) => ({
        binding,
        resource: this.#resource(pipeline, bindings, binding),
      }));
      if (pipeline.sampler !== null) entries.push(pipeline.sampler);
      group = this.device.createBindGroup({ label: pipeline.name, layout: pipeline.layout, entries });
      this.pipelines.keepBindGroup(pipeline, key, group);
    }
    return group;
  }

  #resource(pipeline: Pipeline, bindings: readonly Binding[], index: number): GPUBindingResource {
    const binding = bindings[index];
    if (binding.kind === "params") {
      return this.#uniforms.resource(uniformAt(pipeline, bindings, index), binding.values);
    }
    const { storage, offset, length } = binding.slice;
    if (binding.kind === "texels") return storage.mirror!.view;
    if (offset % SLICE_ALIGNMENT_WORDS !== 0) throw misaligned(binding.slice, SLICE_ALIGNMENT_WORDS);
    // Rounded up to whole vec4s: kernels view storages as array<vec4f>, and storages have the room.
    return { buffer: storage.buffer, offset: offset * 4, size: Math.ceil(length / 4) * 16 };
  }

  /** Starts over with an empty uniform buffer, once the recorded work that reads the old contents is on its way. */
  #forgetUniforms(): void {
    this.flush();
    this.#uniforms.forget();
    this.#forgetBindGroups();
  }

  #forgetBindGroups(): void {
    this.pipelines.clearBindGroups();
    this.plans.clear();
  }
}

/** A later turn of the event loop: a device's events about earlier calls have arrived by then. */
const nextTurn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** The sentence for what a device says of a refusal. */
const refusal = (message: string) =>
  `Cannot go on: the GPU refused what it was told to do (${message.trim()}); nothing since the last checkpoint counts, ` +
  "run the command again, with --resume to go on";

function misaligned({ label, offset }: Slice, words: number): RangeError {
  return new RangeError(
    `Cannot bind ${label}: offset ${offset} is not a multiple of ${words} words, start the slice at one`,
  );
}
