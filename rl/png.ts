/**
 * PNG files from strangers: only what draws the picture is decoded, and only if it is as large as the header says.
 *
 * Source: https://www.w3.org/TR/png-3
 *
 * @module
 */
import { Unzlib } from "fflate";

/** Most pixels of a picture that is read. */
const MOST_PIXELS = 2 ** 25;
/** Chunks that draw a picture. Others hold profiles, texts, and further frames. */
const DRAWING = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"];
/** Channels of each kind of colour. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const SIGNATURE_BYTES = 8;
/** Length, type and checksum of a chunk. */
const CHUNK_BYTES = 12;
/** Compressed bytes that are looked at in one piece. They grow at most about a thousandfold. */
const PIECE_BYTES = 1 << 12;

/**
 * Takes from a PNG file what draws its picture. A file of a few kilobytes can claim, or grow to, more than all memory: it is
 * refused before that.
 *
 * @throws {SyntaxError} when it is cut short, has no header, or holds more or fewer pixels than its header says.
 */
export function drawingChunks(png: Uint8Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const kept = [png.subarray(0, SIGNATURE_BYTES)];
  let mostBytes = -1;
  let inflated = 0;
  const inflate = new Unzlib((bytes) => {
    inflated += bytes.length;
    if (inflated > mostBytes) throw new SyntaxError("it holds more pixels than its header says");
  });
  for (let at = SIGNATURE_BYTES, end; at < png.length; at = end) {
    const length = at + CHUNK_BYTES <= png.length ? view.getUint32(at) : Infinity;
    end = at + CHUNK_BYTES + length;
    if (end > png.length) throw new SyntaxError("it is cut short");
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8));
    const data = png.subarray(at + 8, end - 4);
    if (mostBytes < 0) {
      if (type !== "IHDR" || length !== 13) throw new SyntaxError("it does not begin with a header");
      mostBytes = pixelBytes(data);
    } else if (type === "IHDR") throw new SyntaxError("it has two headers");
    if (!DRAWING.includes(type)) continue;
    kept.push(png.subarray(at, end));
    if (type === "IEND") break;
    if (type !== "IDAT") continue;
    for (let from = 0; from < data.length; from += PIECE_BYTES) {
      inflate.push(data.slice(from, from + PIECE_BYTES));
    }
  }
  const whole = new Uint8Array(kept.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of kept) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Most bytes that the pixels of this header take, with a filter byte a row; interlaced ones have rows of seven pictures. */
function pixelBytes(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, color, , , interlace] = header.subarray(8);
  if (width === 0 || height === 0) throw new SyntaxError("it has no pixels");
  if (width * height > MOST_PIXELS) {
    throw new SyntaxError(
      `it has ${width} x ${height} pixels, at most ${MOST_PIXELS} are read, make it smaller`,
    );
  }
  const rowBytes = 1 + Math.ceil(width * depth * (CHANNELS[color] ?? 4) / 8);
  return height * rowBytes * (interlace === 0 ? 1 : 4);
}
