/**
 * Which implementation of a kernel a launch takes.
 *
 * @module
 */
import type { Gpu } from "./gpu.ts";
import { environment } from "./host.ts";

/** One launch that several implementations could do. */
export interface VariantQuestion {
  /** Folder under `kernels/`; what tuning chose is kept under this name. */
  readonly kernel: string;
  /** The launch as messages name it, shape included: `multiply 17x65x33 A^T`. */
  readonly action: string;
  /** Implementations, the preferred first for each kind of adapter; the last takes every shape. */
  readonly software: readonly string[];
  readonly hardware: readonly string[];
  /** What the caller insists on. */
  readonly variant?: string;
  /** Why an implementation cannot do this shape on this device, as "C must be a multiple of 4"; null when it can. */
  readonly obstacle: (variant: string) => string | null;
}

/**
 * The caller's variant; else `PONDER_VARIANT`, else what tuning measured as fastest, else the preferred one, each only
 * if this kernel has it and it can do the shape.
 *
 * @throws {RangeError} when the caller's variant does not exist or cannot do the shape.
 */
export function chooseVariant(gpu: Gpu, question: VariantQuestion): string {
  const { kernel, action, software, hardware, variant, obstacle } = question;
  const known = [...new Set([...software, ...hardware])];
  if (variant !== undefined) {
    if (!known.includes(variant)) {
      throw new RangeError(`Cannot ${action}: unknown variant "${variant}", known are ${known.join(", ")}`);
    }
    const reason = obstacle(variant);
    if (reason === null) return variant;
    throw new RangeError(`Cannot ${action}: for variant "${variant}" ${reason}, use "${software.at(-1)}"`);
  }
  const preferred = gpu.isSoftware ? software : hardware;
  const sound = [gpu.tuned.get(kernel), ...preferred].filter((name) =>
    name !== undefined && !gpu.rejected.get(kernel)?.includes(name)
  );
  return [forced, ...sound].find((name) =>
    name !== undefined && known.includes(name) && obstacle(name) === null
  ) ?? preferred.at(-1)!;
}

/** Read once: a process has one answer. */
const forced = environment("PONDER_VARIANT");
