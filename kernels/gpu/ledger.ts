/**
 * Proof that submissions were carried out. The last command of each writes its ticket into a buffer on the device. A submission
 * that the device refused leaves no ticket, whatever else the device reports.
 *
 * @module
 */
import { type Slice, Storage } from "./storage.ts";

/** Number of entries that are kept. If more submissions pass between two looks, only the last ones are proven. */
const SLOTS = 4096;

/** The entries of a device. */
export class Ledger {
  /** Slot i holds the ticket of the last submission n with n % SLOTS = i. */
  readonly entries: Slice;
  /** Two rounds of tickets, so that a slot's old entry is never its next one. */
  readonly #tickets: Storage;

  constructor(device: GPUDevice) {
    this.#tickets = new Storage(device, 2 * SLOTS, "tickets");
    const storage = new Storage(device, SLOTS, "ledger");
    this.entries = { storage, offset: 0, length: SLOTS, label: "ledger" };
    const tickets = Uint32Array.from({ length: 2 * SLOTS }, (_, n) => ticketOf(n));
    device.queue.writeBuffer(this.#tickets.buffer, 0, tickets);
  }

  /** Encodes the entry of a submission. */
  enter(encoder: GPUCommandEncoder, submission: number): void {
    const from = 4 * (submission % (2 * SLOTS));
    encoder.copyBufferToBuffer(
      this.#tickets.buffer,
      from,
      this.entries.storage.buffer,
      4 * (submission % SLOTS),
      4,
    );
  }

  /** The first of the submissions from `first` to before `end` that has no entry among what was read, or null. */
  missing(entries: Uint32Array, first: number, end: number): number | null {
    for (let submission = Math.max(first, end - SLOTS); submission < end; submission++) {
      if (entries[submission % SLOTS] !== ticketOf(submission)) return submission;
    }
    return null;
  }
}

/** Never 0, which is what memory starts as. */
const ticketOf = (submission: number) => submission % (2 * SLOTS) + 1;
