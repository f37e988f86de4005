/** Requires an op's backward rule to agree with central differences of its forward. */
import { assert } from "@std/assert";
import type { Gpu, Slice } from "../../kernels/gpu/mod.ts";
import type { AttributeArguments, Operand as OpOperand, OpRule, Tensor } from "../../model/mod.ts";
import { type CheckedOperands, checkGradients } from "../../model/tape/check.ts";

export { type CheckedOperand as Operand, leaves, releaseLeaves } from "../../model/tape/check.ts";

/** An op on operands. */
export interface OpCase<Inputs extends readonly OpOperand[], Attributes> {
  readonly name: string;
  readonly inputs: CheckedOperands<Inputs>;
  readonly attributes: AttributeArguments<Attributes>[0];
  /** Outputs that the loss uses; all by default. */
  readonly outputs?: readonly number[];
}

/**
 * Requires every trainable operand's gradient of sum(output * random) to agree with central differences within
 * `tolerance` of the largest gradient.
 */
export async function requireGradients<
  Inputs extends readonly OpOperand[],
  Outputs extends readonly Tensor[],
  Attributes,
>(
  gpu: Gpu,
  rule: OpRule<Inputs, Outputs, Attributes>,
  opCase: OpCase<Inputs, Attributes>,
  tolerance = 1e-3,
): Promise<void> {
  const attributes = (opCase.attributes === undefined ? [] : [opCase.attributes]) as AttributeArguments<
    Attributes
  >;
  for (
    const { input, element, got, want, largest, error } of await checkGradients(
      gpu,
      rule,
      opCase,
      ...attributes,
    )
  ) {
    assert(largest > 0, `${rule.name}: no gradient reached input ${input}`);
    assert(
      error <= tolerance,
      `${rule.name}: gradient ${element} of input ${input} is ${got}, differences give ${want} (largest ${largest})`,
    );
  }
}

/** Contents of a slice. */
export async function readSlice(gpu: Gpu, slice: Slice): Promise<number[]> {
  return Array.from((await gpu.read(slice))[0]);
}
