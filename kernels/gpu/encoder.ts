/**
 * From commands to WebGPU's command buffers: one encoder and one compute pass stay open until something needs them ended.
 *
 * @module
 */
import { type Binding, describeBindings } from "./bindings.ts";
import { NotFiniteError } from "./errors.ts";
import { debugLevel, debugLog } from "./host.ts";
import { Ledger } from "./ledger.ts";
import type { Command, HostData, Launch, MirrorUse } from "./plan.ts";
import type { Profile } from "./profile.ts";
import { type PendingReadback, PRIMED_WORDS, type Readback } from "./readback.ts";
import { MIRROR_ROW_TEXELS, MIRROR_ROW_WORDS, type Slice, type Storage, subslice } from "./storage.ts";

/** Encodes and submits, and keeps texture mirrors and the host's writes in order with what is encoded. */
export class Encoder {
  /** Launches encoded since the start. */
  launchCount = 0;
  /** Submissions since the start. */
  submissionCount = 0;
  /** Which of them were carried out. */
  readonly ledger: Ledger;
  readonly #device: GPUDevice;
  readonly #profile: Profile;
  readonly #readback: Readback;
  readonly #launchesPerSubmission: number;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  /** Launches in the open encoder. */
  #openLaunches = 0;

  /** Makes an encoder. It submits after `launchesPerSubmission` launches, so that the GPU works while the host encodes the next. */
  constructor(device: GPUDevice, profile: Profile, readback: Readback, launchesPerSubmission: number) {
    this.#device = device;
    this.#profile = profile;
    this.#readback = readback;
    this.#launchesPerSubmission = launchesPerSubmission;
    this.ledger = new Ledger(device);
  }

  encode(command: Command): void {
    switch (command.kind) {
      case "launch":
        return this.#launch(command);
      case "upload":
        return this.write(command.slice, command.derive?.(command.data) ?? command.data);
      case "clear": {
        const { storage, offset, length } = command.slice;
        this.#outsidePass().clearBuffer(storage.buffer, offset * 4, length * 4);
        return this.#touch(storage, true);
      }
      case "copy": {
        const { from: { storage: source, offset, length }, to: { storage: target, offset: at } } = command;
        this.#outsidePass().copyBufferToBuffer(source.buffer, offset * 4, target.buffer, at * 4, length * 4);
        this.#touch(source, false);
        return this.#touch(target, true);
      }
      case "submit":
        return this.submit();
    }
  }

  /** Overwrites the beginning of a slice, in order with what is encoded. */
  write({ storage, offset, length, label }: Slice, data: HostData): void {
    if (data.byteLength > length * 4) {
      throw new RangeError(`Cannot write ${data.byteLength / 4} words to ${label}: it has ${length}`);
    }
    // Deno ends the process on a write of nothing.
    if (data.byteLength === 0) return;
    // writeBuffer comes before encoded work that is not submitted. If that work uses the storage, it is submitted first.
    if (storage.lastSubmission === this.submissionCount) this.submit();
    const { buffer, byteOffset, byteLength } = data;
    this.#device.queue.writeBuffer(storage.buffer, offset * 4, buffer as ArrayBuffer, byteOffset, byteLength);
    storage.mirrorIsStale = true;
  }

  /** Encodes copies for the host; map them after the submission. */
  read(slices: readonly Slice[]): PendingReadback {
    return this.#readback.record(this.#outsidePass(), slices);
  }

  /** Submits what is encoded. */
  submit(): void {
    if (this.#encoder === null) return;
    this.#endPass();
    this.ledger.enter(this.#encoder, this.submissionCount);
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = null;
    this.#openLaunches = 0;
    this.submissionCount++;
  }

  #launch({ kernel, bindings, workgroups, pipeline, group, mirrors }: Launch): void {
    for (const mirrorUse of mirrors) this.#refresh(mirrorUse);
    for (const binding of bindings) {
      if (binding.kind === "read") this.#touch(binding.slice.storage, false);
      if (binding.kind === "write") this.#touch(binding.slice.storage, true);
    }
    const startMs = debugLevel >= 3 ? performance.now() : 0;
    const pass = this.#openPass(kernel.name);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...workgroups);
    this.launchCount++;
    if (++this.#openLaunches === this.#launchesPerSubmission) this.submit();
    if (this.#profile.isOn) {
      this.#endPass();
      this.#profile.dispatched(bindings, () => this.#finish());
    }
    if (debugLevel < 3) return;
    this.#finish();
    const elapsedUs = ((performance.now() - startMs) * 1e3).toFixed(0);
    debugLog(
      `dispatch ${kernel.name} (${workgroups.join(" x ")}) ${describeBindings(bindings)}: ${elapsedUs} us`,
    );
    if (debugLevel >= 4) this.#scanForNan(kernel.name, bindings);
  }

  /** Copies a storage to its texture if that is not done. */
  #refresh({ storage, usedWords, mirror }: MirrorUse): void {
    this.#touch(storage, false);
    if (!storage.mirrorIsStale && mirror.holds === storage) return;
    this.#outsidePass().copyBufferToTexture(
      { buffer: storage.buffer, bytesPerRow: MIRROR_ROW_WORDS * 4 },
      { texture: mirror.texture },
      [MIRROR_ROW_TEXELS, Math.ceil(usedWords / MIRROR_ROW_WORDS)],
    );
    storage.mirrorIsStale = false;
    mirror.holds = storage;
  }

  #touch(storage: Storage, written: boolean): void {
    storage.lastSubmission = this.submissionCount;
    if (written) storage.mirrorIsStale = true;
  }

  #openPass(label: string): GPUComputePassEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass({ label, ...this.#profile.passDescriptor(label) });
    return this.#pass;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #outsidePass(): GPUCommandEncoder {
    this.#endPass();
    return this.#encoder ??= this.#device.createCommandEncoder();
  }

  /** Submits, and waits for all work. */
  #finish(): void {
    this.submit();
    this.#readback.waitSync();
  }

  #scanForNan(kernel: string, bindings: readonly Binding[]): void {
    for (const binding of bindings) {
      if (binding.kind !== "write") continue;
      const { slice } = binding;
      // In parts, as a synchronous read has only the staging buffer that was primed.
      for (let start = 0; start < slice.length; start += PRIMED_WORDS) {
        const pending = this.read([subslice(slice, start, Math.min(PRIMED_WORDS, slice.length - start))]);
        this.submit();
        const bad = pending.mapSync()[0].findIndex((value) => Number.isNaN(value));
        if (bad >= 0) {
          throw new NotFiniteError(`${kernel} wrote NaN at word ${start + bad} of ${slice.label}`);
        }
      }
    }
  }
}
