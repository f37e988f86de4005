// gatherRows   Y[r,c] = X[index[r],c], or 0 if index[r] = -1
// shapes    X (sourceRows,C)  index (rows) i32  Y (rows,C); C counts vec4s when VECTOR
// bindings  0 X read, 1 index read, 2 Y write, 3 {rows,C,sourceRows} uniform
// work      one invocation per Value of Y; x runs over columns, y and z over rows
// traffic   8 rows C + 4 rows bytes
// source    (ours)

//@include "value.wgsl"

struct Params {
  rows: u32,
  C: u32,
  sourceRows: u32,
}

@group(0) @binding(0) var<storage, read> X: array<Value>;
@group(0) @binding(1) var<storage, read> index: array<i32>;
@group(0) @binding(2) var<storage, read_write> Y: array<Value>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let c = id.x;
  let r = id.y + id.z * groups.y * 8u;
  if (c >= params.C || r >= params.rows) {
    return;
  }
  let source = index[r];
  var value = Value();
  if (source >= 0) {
    value = X[min(u32(source), params.sourceRows - 1u) * params.C + c];
  }
  Y[r * params.C + c] = value;
}
