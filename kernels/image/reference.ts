/**
 * The image kernels' specification: plain loops in f64.
 *
 * @module
 */
type Numbers = ArrayLike<number>;

/** Means and factors of each image, from its bytes. */
export function imageStatisticsReference(
  bytes: Numbers,
  { B, S, perImage }: { B: number; S: number; perImage: boolean },
): Float64Array {
  const statistics = new Float64Array(8 * B);
  const count = S * S;
  for (let b = 0; b < B; b++) {
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      let squares = 0;
      const x = (i: number) => bytes[(b * count + i) * 3 + c] / 255;
      for (let i = 0; i < count; i++) sum += x(i);
      for (let i = 0; i < count; i++) squares += (x(i) - sum / count) ** 2;
      statistics[8 * b + c] = perImage ? sum / count : 0.5;
      statistics[8 * b + 3 + c] = perImage ? 1 / (Math.sqrt(squares / count) + 0.05) : 2;
    }
  }
  return statistics;
}

/** Normalised patches, from bytes and statistics. */
export function extractPatchesReference(
  bytes: Numbers,
  statistics: Numbers,
  { B, S, patchSize: p }: { B: number; S: number; patchSize: number },
): Float64Array {
  const patches: number[] = [];
  for (let b = 0; b < B; b++) {
    for (let y = 0; y < S; y += p) {
      for (let x = 0; x < S; x += p) {
        for (let py = 0; py < p; py++) {
          for (let px = 0; px < p; px++) {
            for (let c = 0; c < 3; c++) {
              const value = bytes[((b * S + y + py) * S + x + px) * 3 + c] / 255;
              patches.push((value - statistics[8 * b + c]) * statistics[8 * b + 3 + c]);
            }
          }
        }
      }
    }
  }
  return Float64Array.from(patches);
}

/** Y[b, (y,x), (dy,dx,c)] = X[b, (f y + dy, f x + dx), c], or the way back. */
export function pixelShuffleMergeReference(
  X: Numbers,
  { B, side, C, factor: f, inverse }: {
    B: number;
    side: number;
    C: number;
    factor: number;
    inverse: boolean;
  },
): Float64Array {
  const Y = new Float64Array(B * side * side * C);
  let merged = 0;
  for (let b = 0; b < B; b++) {
    for (let y = 0; y < side; y += f) {
      for (let x = 0; x < side; x += f) {
        for (let dy = 0; dy < f; dy++) {
          for (let dx = 0; dx < f; dx++) {
            for (let c = 0; c < C; c++, merged++) {
              const small = ((b * side + y + dy) * side + x + dx) * C + c;
              if (inverse) Y[small] = X[merged];
              else Y[merged] = X[small];
            }
          }
        }
      }
    }
  }
  return Y;
}
