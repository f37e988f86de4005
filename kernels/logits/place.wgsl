// place     Y[n, column0 + c] = Z[n, c]: a piece of each row's logits to its columns
// shapes    Z (N,columns)  Y (N,V)
// bindings  0 Z read, 1 Y write, 2 {n,columns,column0,V} uniform, n = N columns
// work      one invocation per word
// traffic   8 N columns bytes
// source    (ours)

//@include "flat_index.wgsl"

struct Params { n: u32, columns: u32, column0: u32, V: u32 }

@group(0) @binding(0) var<storage, read> Z: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) { return; }
  Y[i / params.columns * params.V + params.column0 + i % params.columns] = Z[i];
}
