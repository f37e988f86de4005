/** What the library takes of `node:zlib`, in a browser. */
import { deflateSync, inflateSync } from "fflate";

/** As Node's. */
export const deflateRawSync = (bytes: Uint8Array, { level = 6 }: { level?: number } = {}): Uint8Array =>
  deflateSync(bytes, { level: level as 0 | 1 | 6 });

/** As Node's. */
export const inflateRawSync = (bytes: Uint8Array): Uint8Array => inflateSync(bytes);
