// fill_cache   cache[b,t,:] = [k|v] of QKV[b,t,:]  for t < T; cache rows from T on keep their values
// shapes       QKV (B,T,C+2E) rows [q|k|v]  cache (B,capacity,2E) rows [k|v]
// bindings     0 QKV read, 1 cache write, 2 {T,C,E,capacity} uniform
// work         one invocation per word of a row; rows along y, batch along z
// traffic      16BTE bytes
// source       ours

struct Params { T: u32, C: u32, E: u32, capacity: u32 }

@group(0) @binding(0) var<storage, read> QKV: array<f32>;
@group(0) @binding(1) var<storage, read_write> cache: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let width = 2 * params.E;
  if (id.x >= width) { return; }
  let origin = (id.z * params.T + id.y) * (params.C + width) + params.C + id.x;
  cache[(id.z * params.capacity + id.y) * width + id.x] = QKV[origin];
}
