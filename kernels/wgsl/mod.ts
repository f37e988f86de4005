/**
 * WGSL that several kernels share, by the names that `//@include` says.
 *
 * @module
 */
import expNegative from "./exp_negative.wgsl" with { type: "text" };
import flatIndex from "./flat_index.wgsl" with { type: "text" };
import gelu from "./gelu.wgsl" with { type: "text" };
import lanes from "./lanes.wgsl" with { type: "text" };
import lowest from "./lowest.wgsl" with { type: "text" };
import ownWeight from "./own_weight.wgsl" with { type: "text" };
import rowTotal from "./row_total.wgsl" with { type: "text" };
import staging from "./staging.wgsl" with { type: "text" };
import texel from "./texel.wgsl" with { type: "text" };
import value from "./value.wgsl" with { type: "text" };

/** The texts of the files in this folder, by name. */
export const snippets: Readonly<Record<string, string>> = {
  "exp_negative.wgsl": expNegative,
  "flat_index.wgsl": flatIndex,
  "gelu.wgsl": gelu,
  "lanes.wgsl": lanes,
  "lowest.wgsl": lowest,
  "own_weight.wgsl": ownWeight,
  "row_total.wgsl": rowTotal,
  "staging.wgsl": staging,
  "texel.wgsl": texel,
  "value.wgsl": value,
};
