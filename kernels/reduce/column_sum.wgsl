// columnSum   Y[k,c] (+)= sum over r in k*chunk..min((k+1)*chunk, R) of X[r,c]
//             backward of X[r,c] += bias[c]. Launched twice, chunks of rows into partials, then all partials into Y; or
//             once: on llvmpipe, whose lanes few columns occupy, half the time at 1280x96 to 2304x384
// shapes    X (R,C)  Y (ceil(R/chunk),C); C counts vec4s when VECTOR
// bindings  0 X read or texels, 1 Y read-write, 2 {R,C,chunk,accumulate,base} uniform; base is X's first texel
// work      one invocation adds one Value column of a chunk in order, f32; x runs over columns, y over chunks
// traffic   4RC + 8C ceil(R/chunk) bytes
// texture   X through its texture mirror, which the matmul gradients read too: 3x cheaper loads on software Vulkan
// source    (ours)

//@include "value.wgsl"

//@include "texel.wgsl"

struct Params {
  R: u32,
  C: u32,
  chunk: u32,
  accumulate: u32,
  base: u32,
}

//@if TEXTURE
@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
//@else
@group(0) @binding(0) var<storage, read> X: array<Value>;
//@end
@group(0) @binding(1) var<storage, read_write> Y: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

fn load(i: u32) -> Value {
//@if TEXTURE
  return textureLoad(X, texel(i));
//@else
  return X[i];
//@end
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  let k = id.y;
  let first = k * params.chunk;
  if (c >= params.C || first >= params.R) {
    return;
  }
  let rows = min(params.chunk, params.R - first);
  var i = params.base + first * params.C + c;
  let stop = i + rows * params.C;
  // Four sums of every fourth row: independent loads, and shorter chains of roundings.
//@for j in 0..4
  var sum_$j = Value();
//@end
  for (; i + 3u * params.C < stop; i += 4u * params.C) {
//@for j in 0..4
    sum_$j += load(i + $ju * params.C);
//@end
  }
  for (; i < stop; i += params.C) {
    sum_0 += load(i);
  }
  var total = (sum_0 + sum_1) + (sum_2 + sum_3);
  let o = k * params.C + c;
  if (params.accumulate != 0u) {
    total += Y[o];
  }
  Y[o] = total;
}
