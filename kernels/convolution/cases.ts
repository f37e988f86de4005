/**
 * Shapes for the convolution kernels.
 *
 * @module
 */
import { caseValues, type KernelCase } from "../case.ts";
import {
  type ConvolutionShape,
  convolutionSupportsTexture,
  convolutionVariants,
  fold,
  unfold,
  unfoldedWords,
} from "./mod.ts";
import { foldReference, unfoldReference } from "./reference.ts";

type Sizes = readonly [B: number, height: number, width: number, C: number];
type Window = readonly [kernelSize: number, stride: number, padding: number];

function convolutionCases(
  [B, height, width, C]: Sizes,
  [kernelSize, stride, padding]: Window,
): KernelCase[] {
  const shape: ConvolutionShape = { B, height, width, C, kernelSize, stride, padding };
  const words = B * height * width * C;
  const columnsWords = unfoldedWords(shape);
  const name = `${B}x${height}x${width}x${C} by ${kernelSize}x${kernelSize}/${stride}, padding ${padding}`;
  const variantsOf = (direction: "unfold" | "fold") =>
    convolutionSupportsTexture(direction, shape) ? convolutionVariants : ["naive"];
  return [
    {
      kernel: "convolution",
      name: `unfold ${name}`,
      variants: variantsOf("unfold"),
      inputs: () => ({ X: caseValues(words, 1) }),
      outputs: { columns: columnsWords },
      launch: (gpu, { X, columns }, variant) => {
        // Activations are new at every step.
        X.storage.mirrorIsStale = true;
        unfold(gpu, { X, columns }, { ...shape, variant });
      },
      reference: ({ X }) => ({ columns: unfoldReference(X, shape) }),
      tolerance: 0,
      flops: 0,
      bytes: 4 * (words + columnsWords),
    },
    {
      kernel: "convolution",
      name: `fold ${name}`,
      variants: variantsOf("fold"),
      inputs: () => ({ dcolumns: caseValues(columnsWords, 2) }),
      outputs: { dX: words },
      launch: (gpu, { dcolumns, dX }, variant) => {
        dcolumns.storage.mirrorIsStale = true;
        fold(gpu, { dcolumns, dX }, { ...shape, variant });
      },
      reference: ({ dcolumns }) => ({ dX: foldReference(dcolumns, shape) }),
      tolerance: 1e-5,
      flops: columnsWords,
      bytes: 4 * (words + columnsWords),
    },
  ];
}

/** Single pixels, odd sizes, windows that leave pixels out, gaps between windows, and the baseline's three layers. */
export const cases: KernelCase[] = [
  ...convolutionCases([1, 1, 1, 1], [1, 1, 0]),
  ...convolutionCases([2, 7, 5, 3], [3, 2, 1]),
  ...convolutionCases([3, 6, 9, 2], [4, 3, 2]),
  ...convolutionCases([2, 5, 5, 1], [1, 2, 0]),
  ...convolutionCases([1, 4, 6, 5], [3, 1, 3]),
  ...convolutionCases([2, 9, 7, 8], [3, 2, 1]),
  ...convolutionCases([2, 12, 8, 3], [4, 4, 0]),
  ...convolutionCases([16, 64, 64, 3], [8, 4, 0]),
  ...convolutionCases([16, 15, 15, 32], [4, 2, 0]),
  ...convolutionCases([16, 6, 6, 64], [3, 1, 0]),
];
