/**
 * Going on after a fault of the device: once, on a new device, from the last checkpoint.
 *
 * @module
 */
import { DeviceLostError, type Gpu, SubmissionError } from "../../kernels/gpu/mod.ts";

/** How to try again. */
export interface RetrySettings {
  /** Opens a device. */
  readonly open: () => Promise<Gpu>;
  /** Whether to try a second time. */
  readonly retry: boolean;
  /** Tells people. */
  readonly note: (text: string) => void;
}

/** Is this a fault of the device? The same work may succeed on another one. */
export function isDeviceFault(error: unknown): error is DeviceLostError | SubmissionError {
  return error instanceof DeviceLostError || error instanceof SubmissionError;
}

/**
 * Does `work` on a device, and destroys the device at the end. With `retry`, a lost device or a refused submission is followed by
 * a second try on a new device, with `isRetry` true.
 *
 * @throws what `work` throws, unless a second try succeeds.
 */
export async function onDevice<T>(
  { open, retry, note }: RetrySettings,
  work: (gpu: Gpu, isRetry: boolean) => Promise<T>,
): Promise<T> {
  const attempt = async (isRetry: boolean) => {
    const gpu = await open();
    try {
      return await work(gpu, isRetry);
    } finally {
      gpu.destroy();
    }
  };
  try {
    return await attempt(false);
  } catch (error) {
    if (!retry || !isDeviceFault(error)) throw error;
    note(`${error.message}\nTrying once more on a new device, from the last checkpoint.`);
    return await attempt(true);
  }
}
