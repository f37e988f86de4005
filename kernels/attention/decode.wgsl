// attention_decode   cache[b,p] = [k|v] of QKV[b];  Y[b] = sum_{t<=p} softmax_t(q.K[t] / sqrt(D)) V[t],  p = position[b]
// shapes             QKV (B,C+2E) rows [q|k|v]  cache (B,capacity,2E) rows [k|v]  position (B)  Y (B,C)  C = H*D, E = C/GROUP
// bindings           0 QKV read, 1 position read, 2 cache read-write, 3 Y write, 4 {B,H,capacity,scale} uniform
// work               one invocation per (batch, head); it reads the new token from QKV and only older rows from the
//                    cache, so no invocation waits for another's write; f32 streaming softmax; UNROLL as in naive.wgsl
// traffic            8BC * (mean position) + 24BC bytes
// values             a score of -infinity has probability 0; NaN or +infinity makes its head's Y NaN
// source             arXiv:1805.02867

struct Params { B: u32, H: u32, capacity: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> QKV: array<f32>;
@group(0) @binding(1) var<storage, read> position: array<u32>;
@group(0) @binding(2) var<storage, read_write> cache: array<f32>;
@group(0) @binding(3) var<storage, read_write> Y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

//@include "own_weight.wgsl"

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.B * params.H) { return; }
  let b = id.x / params.H;
  let h = id.x % params.H;
  let C = params.H * D;
  let E = C / GROUP;
  let row = b * (C + 2 * E) + h * D;
  let newKey = b * (C + 2 * E) + C + h / GROUP * D;
  let end = position[b];
  if (end >= params.capacity) {
    for (var d = 0u; d < D; d++) { Y[b * C + h * D + d] = 0; }
    return;
  }

  // The new token starts the softmax: its score is the first maximum, its weight exp(0).
  var y: array<f32, D>;
  var maximum = 0.0;
  let slot = (b * params.capacity + end) * 2 * E + h / GROUP * D;
  for (var d = 0u; d < D; d++) {
    let k = QKV[newKey + d];
    let v = QKV[newKey + E + d];
    maximum += QKV[row + d] * k;
    y[d] = v;
    // The first of the heads that share a key and a value writes them.
    if (h % GROUP == 0) {
      cache[slot + d] = k;
      cache[slot + E + d] = v;
    }
  }
  maximum *= params.scale;
  var sum = ownWeight(maximum);
  for (var t = 0u; t < end; t++) {
    let key = (b * params.capacity + t) * 2 * E + h / GROUP * D;
    var s = 0.0;
    for (var d = 0u; d < D; d += UNROLL) {
      //@for i in 0..UNROLL
      s += QKV[row + d + $i] * cache[key + d + $i];
      //@end
    }
    s *= params.scale;
    let newMaximum = max(maximum, s);
    let decay = exp(maximum - newMaximum);
    let p = exp(s - newMaximum);
    maximum = newMaximum;
    sum = sum * decay + p;
    for (var d = 0u; d < D; d += UNROLL) {
      //@for i in 0..UNROLL
      y[d + $i] = y[d + $i] * decay + p * cache[key + E + d + $i];
      //@end
    }
  }
  for (var d = 0u; d < D; d++) { Y[b * C + h * D + d] = y[d] / sum; }
}
