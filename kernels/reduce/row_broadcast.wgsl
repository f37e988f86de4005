// rowBroadcast   Y[r,c] = X[r]; backward of rowSum and, with one row, of sum
// shapes    X (R)  Y (R,C); C counts vec4s when VECTOR
// bindings  0 X read, 1 Y write, 2 {R,C} uniform
// work      one invocation per Value of Y
// traffic   4RC + 4R bytes
// source    (ours)

//@include "value.wgsl"

//@include "flat_index.wgsl"

struct Params {
  R: u32,
  C: u32,
}

@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.R * params.C) {
    return;
  }
  Y[i] = Value(X[i / params.C]);
}
