// cutColumns   Z[r,c] = scale Y[r, column + c]: the gradient of Z in addColumns
// shapes    Y (R,C)  Z (R,N), column + N <= C; C, N and column count vec4s when VECTOR
// bindings  0 Y read, 1 Z write, 2 {n,C,N,column,scale} uniform, n = R N
// work      one invocation per Value of Z
// traffic   8RN bytes
// source    (ours)

//@include "value.wgsl"

//@include "flat_index.wgsl"

struct Params { n: u32, C: u32, N: u32, column: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> Y: array<Value>;
@group(0) @binding(1) var<storage, read_write> Z: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) { return; }
  Z[i] = params.scale * Y[i / params.N * params.C + params.column + i % params.N];
}
