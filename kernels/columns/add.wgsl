// addColumns   Y[r,c] = X[r,c] + scale Z[r, c - column] for the columns that Z has, X[r,c] for others; with IN_PLACE
//           Y[r, column + c] += scale Z[r,c]
// shapes    X,Y (R,C)  Z (R,N), column + N <= C; C, N and column count vec4s when VECTOR
// bindings  0 X read, 1 Z read, 2 Y write, 3 {n,C,N,column,scale} uniform, n = R C, or R N with IN_PLACE
// work      one invocation per Value of Y, or of Z with IN_PLACE
// traffic   8RC + 4RN bytes, or 12RN with IN_PLACE
// source    (ours)

//@include "value.wgsl"

//@include "flat_index.wgsl"

struct Params { n: u32, C: u32, N: u32, column: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> X: array<Value>;
@group(0) @binding(1) var<storage, read> Z: array<Value>;
@group(0) @binding(2) var<storage, read_write> Y: array<Value>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) { return; }
  if (IN_PLACE) {
    let at = i / params.N * params.C + params.column + i % params.N;
    Y[at] += params.scale * Z[i];
    return;
  }
  var y = X[i];
  let c = i % params.C;
  if (c >= params.column && c < params.column + params.N) {
    y += params.scale * Z[i / params.C * params.N + c - params.column];
  }
  Y[i] = y;
}
