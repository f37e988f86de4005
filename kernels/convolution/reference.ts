/**
 * The convolution kernels' specification: plain loops in f64.
 *
 * @module
 */
import type { ConvolutionShape } from "./mod.ts";

type Numbers = ArrayLike<number>;

/** Calls back with each element of the columns, in order, and the element of X it shows, null in the padding. */
function eachElement(shape: ConvolutionShape, visit: (column: number, source: number | null) => void): void {
  const { B, height, width, C, kernelSize, stride, padding } = shape;
  let column = 0;
  for (let b = 0; b < B; b++) {
    for (let top = -padding; top + kernelSize <= height + padding; top += stride) {
      for (let left = -padding; left + kernelSize <= width + padding; left += stride) {
        for (let y = top; y < top + kernelSize; y++) {
          for (let x = left; x < left + kernelSize; x++) {
            const isInside = y >= 0 && y < height && x >= 0 && x < width;
            for (let c = 0; c < C; c++) {
              visit(column++, isInside ? ((b * height + y) * width + x) * C + c : null);
            }
          }
        }
      }
    }
  }
}

/** The window at every position, as rows. */
export function unfoldReference(X: Numbers, shape: ConvolutionShape): Float64Array {
  const columns: number[] = [];
  eachElement(shape, (_, source) => columns.push(source === null ? 0 : X[source]));
  return Float64Array.from(columns);
}

/** Sums of the rows' elements at the pixels they show. */
export function foldReference(dcolumns: Numbers, shape: ConvolutionShape): Float64Array {
  const dX = new Float64Array(shape.B * shape.height * shape.width * shape.C);
  eachElement(shape, (column, source) => {
    if (source !== null) dX[source] += dcolumns[column];
  });
  return dX;
}
