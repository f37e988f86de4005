// fill_cache   cache[b,t,:] = [k|v] of QKV[b,t,:]  for t < T; cache rows from T on keep their values
// shapes       QKV (B,T,C+2E) rows [q|k|v]  cache (B,capacity,2E) rows [k|v]     C and E multiples of 4
// bindings     0 QKV texels, 1 cache write, 2 {base,T,C4,E4,capacity} uniform
// work         one invocation per vec4 of a sequence's rows; batch along y
// traffic      16BTE bytes
// steps        vec4s; attention has read the same QKV as texels just before, so the texture is there already
// source       ours

//@include "texel.wgsl"

struct Params { base: u32, T: u32, C4: u32, E4: u32, capacity: u32 }

@group(0) @binding(0) var QKV: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read_write> cache: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let width = 2 * params.E4;
  let t = id.x / width;
  let c = id.x % width;
  if (t >= params.T) { return; }
  let origin = params.base + (id.y * params.T + t) * (params.C4 + width) + params.C4 + c;
  cache[(id.y * params.capacity + t) * width + c] = textureLoad(QKV, texel(origin));
}
