// Y = X^3 and its slope S = 3 X^2. One invocation takes one element.
struct Params { n: u32 }
@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@group(0) @binding(2) var<storage, read_write> S: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
//@include "flat_index.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) { return; }
  Y[i] = X[i] * X[i] * X[i];
  S[i] = 3.0 * X[i] * X[i];
}
