// rowSum    Y[r] = sum_c X[r,c]
// shapes    X (R,C)  Y (R); C counts vec4s when VECTOR
// bindings  0 X read, 1 Y write, 2 {R,C} uniform
// work      one invocation per row, f32 in four interleaved chains
// traffic   4RC + 4R bytes
// source    (ours)

//@include "value.wgsl"

//@include "flat_index.wgsl"

struct Params {
  R: u32,
  C: u32,
}

@group(0) @binding(0) var<storage, read> X: array<Value>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let r = flatIndex(id, groups);
  if (r >= params.R) {
    return;
  }
  var total = Value();
  for (var c = 0u; c < params.C; c++) {
    total += X[r * params.C + c];
  }
//@if VECTOR
  Y[r] = (total.x + total.y) + (total.z + total.w);
//@else
  Y[r] = total;
//@end
}
