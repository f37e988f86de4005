/**
 * The op table: a row an op, its function and its rule. Each rule has a case in the tests, which hold its backward
 * against differences of its forward. In comments `dX` is the gradient of `X`.
 *
 * @module
 */
export { addColumns, type AddColumnsAttributes, addColumnsRule } from "./ops/add_columns.ts";
export { attention, type AttentionAttributes, attentionRule } from "./ops/attention.ts";
export {
  add,
  type BinaryAttributes,
  binaryRule,
  maximum,
  minimum,
  multiply,
  subtract,
} from "./ops/binary.ts";
export { chain, type ChainAttributes, chainRule } from "./ops/chain.ts";
export { embed, type EmbedAttributes, embedRule } from "./ops/embed.ts";
export { gatherRows, gatherRowsRule } from "./ops/gather_rows.ts";
export { layernorm, layernormRule } from "./ops/layernorm.ts";
export { type Affine, linear, linearRule } from "./ops/linear.ts";
export { linearLogprob, type LinearLogprobAttributes, linearLogprobRule } from "./ops/linear_logprob.ts";
export { rmsnorm, rmsnormRule } from "./ops/rmsnorm.ts";
export { rotary, type RotaryAttributes, rotaryRule } from "./ops/rotary.ts";
export { swiglu, swigluRule } from "./ops/swiglu.ts";
export {
  embedRows,
  type EmbedRowsAttributes,
  embedRowsRule,
  tableLogits,
  tableLogprob,
  tableLogprobRule,
} from "./ops/table.ts";
export { pixelShuffleMerge, pixelShuffleMergeRule } from "./ops/pixel_shuffle_merge.ts";
export { reshape, reshapeRule } from "./ops/reshape.ts";
export { rowSum, rowSumRule } from "./ops/row_sum.ts";
export { mean, sum, sumRule } from "./ops/sum.ts";
export { clamp, exp, scale, shift, square, type UnaryAttributes, unaryRule } from "./ops/unary.ts";
export { convolution, type ConvolutionWindow, unfold, unfoldRule } from "./ops/unfold.ts";
