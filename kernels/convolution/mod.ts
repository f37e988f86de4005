/**
 * Convolution as a matrix product. `unfold` lays the window of every output position out as a row (im2col). The matmul
 * multiplies the rows by the filters. `fold` sums a gradient of the rows back into the image.
 *
 * @module
 */
import {
  chooseVariant,
  flatGrid,
  type Gpu,
  params,
  read,
  requireSizes,
  requireWords,
  type Slice,
  texels,
  write,
} from "../gpu/mod.ts";
import foldSource from "./fold.wgsl" with { type: "text" };
import unfoldSource from "./unfold.wgsl" with { type: "text" };

/** A square window moving over images in NHWC order. */
export interface ConvolutionShape {
  /** Images. */
  readonly B: number;
  /** Pixels of an image, downwards. */
  readonly height: number;
  /** Pixels of an image, across. */
  readonly width: number;
  /** Channels. */
  readonly C: number;
  /** Side of the window in pixels. */
  readonly kernelSize: number;
  /** Pixels from a window to the next. */
  readonly stride: number;
  /** Pixels of zeros around an image. */
  readonly padding: number;
  /** One of {@linkcode convolutionVariants}; when absent, the one that suits adapter and shape. */
  readonly variant?: string;
}

/** Names of the implementations: `naive` takes every shape, `texture` those of {@linkcode convolutionSupportsTexture}. */
export const convolutionVariants = ["naive", "texture"] as const;

/** llvmpipe silently ends all loops of an invocation after 65535 rounds in sum; `fold` takes k^2 / s^2 and k / s. */
const MAX_SOFTWARE_TAPS = 255;

/** Windows down and across an image. Throws `RangeError` if none fits. */
export function convolutionOutput(
  shape: Pick<ConvolutionShape, "height" | "width" | "kernelSize" | "stride" | "padding">,
): { outHeight: number; outWidth: number } {
  const { height, width, kernelSize, stride, padding } = shape;
  const action = `convolve ${height}x${width} pixels`;
  requireSizes(action, { height, width, kernelSize, stride }, { padding });
  const windows = (pixels: number) => Math.floor((pixels + 2 * padding - kernelSize) / stride) + 1;
  const [outHeight, outWidth] = [windows(height), windows(width)];
  if (outHeight < 1 || outWidth < 1) {
    throw new RangeError(
      `Cannot ${action}: a window of ${kernelSize} does not fit with padding ${padding}, ` +
        `use a smaller one`,
    );
  }
  return { outHeight, outWidth };
}

/** Words of columns: what {@linkcode unfold} writes. */
export function unfoldedWords(shape: ConvolutionShape): number {
  const { outHeight, outWidth } = convolutionOutput(shape);
  return shape.B * outHeight * outWidth * shape.kernelSize ** 2 * shape.C;
}

/** Whether the `texture` variant can do a shape: it reads four words at a time. */
export function convolutionSupportsTexture(direction: "unfold" | "fold", shape: ConvolutionShape): boolean {
  return direction === "unfold" ? hasWholeRuns(shape) : shape.C % 4 === 0;
}

/** columns (B,outHeight,outWidth,(ky,kx,c)) = the window of X (B,height,width,C) at every output position. */
export function unfold(
  gpu: Gpu,
  { X, columns }: { X: Slice; columns: Slice },
  shape: ConvolutionShape,
): void {
  const { B, height, width, C, kernelSize, stride, padding } = shape;
  const { outHeight, outWidth } = convolutionOutput(shape);
  const action = `unfold ${describe(shape)}`;
  const words = unfoldedWords(shape);
  requireWords(action, [[X, B * height * width * C], [columns, words]]);
  const vector = hasWholeRuns(shape);
  const isTexture = chooseFor(gpu, "unfold", action, shape) === "texture";
  const values = vector ? 4 : 1;
  gpu.dispatch({
    kernel: {
      name: "convolution/unfold",
      source: unfoldSource,
      constants: {
        VECTOR: vector,
        TEXTURE: isTexture,
        HEIGHT: height,
        OUT_HEIGHT: outHeight,
        OUT_WIDTH: outWidth,
        KERNEL: kernelSize,
        STRIDE: stride,
        PADDING: padding,
        ROW: width * C / values,
        RUN: kernelSize * C / values,
        STEP: stride * C / values,
        MARGIN: padding * C / values,
      },
    },
    bindings: [
      isTexture ? texels(X) : read(X),
      write(columns),
      params({ n: words / values, base: isTexture ? X.offset / 4 : 0 }),
    ],
    workgroups: flatGrid(Math.ceil(words / values / 64)),
  });
}

/** dX (B,height,width,C) = the sums of dcolumns over all windows a pixel lies in: the backward of {@linkcode unfold}. */
export function fold(
  gpu: Gpu,
  { dcolumns, dX }: { dcolumns: Slice; dX: Slice },
  shape: ConvolutionShape,
): void {
  const { B, height, width, C, kernelSize, stride, padding } = shape;
  const { outHeight, outWidth } = convolutionOutput(shape);
  const action = `fold ${describe(shape)}`;
  const words = B * height * width * C;
  requireWords(action, [[dcolumns, unfoldedWords(shape)], [dX, words]]);
  const taps = Math.ceil(kernelSize / stride);
  if (gpu.isSoftware && taps > MAX_SOFTWARE_TAPS) {
    throw new RangeError(
      `Cannot ${action}: on a software adapter a pixel may lie in at most ${MAX_SOFTWARE_TAPS} windows a ` +
        `direction, got ${taps}`,
    );
  }
  const vector = C % 4 === 0;
  const isTexture = chooseFor(gpu, "fold", action, shape) === "texture";
  const values = vector ? 4 : 1;
  gpu.dispatch({
    kernel: {
      name: "convolution/fold",
      source: foldSource,
      constants: {
        VECTOR: vector,
        TEXTURE: isTexture,
        HEIGHT: height,
        WIDTH: width,
        CHANNELS: C / values,
        OUT_HEIGHT: outHeight,
        OUT_WIDTH: outWidth,
        KERNEL: kernelSize,
        STRIDE: stride,
        PADDING: padding,
        TAPS: taps,
      },
    },
    bindings: [
      isTexture ? texels(dcolumns) : read(dcolumns),
      write(dX),
      params({ n: words / values, base: isTexture ? dcolumns.offset / 4 : 0 }),
    ],
    workgroups: flatGrid(Math.ceil(words / values / 64)),
  });
}

/** Whether rows of images and of windows, their distance and the padding are all whole vec4s. */
function hasWholeRuns({ width, C, kernelSize, stride, padding }: ConvolutionShape): boolean {
  return [width, kernelSize, stride, padding].every((pixels) => (pixels * C) % 4 === 0);
}

function chooseFor(gpu: Gpu, direction: "unfold" | "fold", action: string, shape: ConvolutionShape): string {
  const reason = direction === "unfold"
    ? "width, kernel size, stride and padding times C must be multiples of 4"
    : "C must be a multiple of 4";
  return chooseVariant(gpu, {
    kernel: "convolution",
    action,
    software: ["texture", "naive"],
    hardware: ["naive"],
    variant: shape.variant,
    obstacle: (variant) =>
      variant === "texture" && !convolutionSupportsTexture(direction, shape) ? reason : null,
  });
}

function describe({ B, height, width, C, kernelSize, stride, padding }: ConvolutionShape): string {
  return `${B} images of ${height}x${width}x${C} by ${kernelSize}x${kernelSize}/${stride}, padding ${padding}`;
}
