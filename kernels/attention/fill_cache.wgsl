// fill_cache   cache[b,t,:] = [k|v] of QKV[b,t,:]  for t < T; cache rows from T on keep their values
// shapes       QKV (B,T,3C) rows [q|k|v]  cache (B,capacity,2C) rows [k|v]
// bindings     0 QKV read, 1 cache write, 2 {T,C,capacity} uniform
// work         one invocation per word of a row; rows along y, batch along z
// traffic      16BTC bytes
// source       ours

struct Params { T: u32, C: u32, capacity: u32 }

@group(0) @binding(0) var<storage, read> QKV: array<f32>;
@group(0) @binding(1) var<storage, read_write> cache: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let width = 2 * params.C;
  if (id.x >= width) { return; }
  cache[(id.z * params.capacity + id.y) * width + id.x] = QKV[(id.z * params.T + id.y) * 3 * params.C + params.C + id.x];
}
