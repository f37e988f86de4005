/**
 * The op table: every differentiable op, forward beside backward. A name without a rule, or a rule without a
 * backward, does not compile. In comments `dX` is the gradient of `X`.
 *
 * @module
 */
import { type ConvolutionAttributes, convolutionOps } from "./ops_convolution.ts";
import { type ElementwiseAttributes, elementwiseOps } from "./ops_elementwise.ts";
import { type LayerAttributes, layerOps } from "./ops_layer.ts";
import { type SequenceAttributes, sequenceOps } from "./ops_sequence.ts";
import type { Op } from "./tape.ts";

/** The attributes of each op: what it needs beside tensors. */
export type OpAttributes =
  & LayerAttributes
  & SequenceAttributes
  & ConvolutionAttributes
  & ElementwiseAttributes;
export type OpName = keyof OpAttributes;

export const ops: { readonly [Name in OpName]: Op<OpAttributes[Name]> } = {
  ...layerOps,
  ...sequenceOps,
  ...convolutionOps,
  ...elementwiseOps,
};
