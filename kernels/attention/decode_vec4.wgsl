// attention_decode   cache[b,p] = [k|v] of QKV[b];  Y[b] = sum_{t<=p} softmax_t(q.K[t] / sqrt(D)) V[t],  p = position[b]
// shapes             QKV (B,C+2E) rows [q|k|v]  cache (B,capacity,2E) rows [k|v]  position (B)  Y (B,C)
//                    C = H*D, E = C/GROUP, D a multiple of 4
// bindings           0 QKV read, 1 position read, 2 cache read-write, 3 Y write, 4 {B,H,capacity,scale} uniform
// work               one invocation per (batch, head), q and the sums in registers, streaming softmax over cache rows; older
//                    rows come from the cache, the new one from QKV, so no invocation waits for another's write; f32
// traffic            8BC * (mean position) + 24BC bytes
// steps              vec4 loads: 3 times fewer cycles a byte on software Vulkan; loops over D unrolled. No texture: the
//                    cache changes every token, and a copy of it would cost more than it saves. Several keys a step
//                    measure the same and compile twice as long
// values             a score of -infinity has probability 0; NaN or +infinity makes its head's Y NaN
// source             arXiv:1805.02867

struct Params { B: u32, H: u32, capacity: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> QKV: array<vec4f>;
@group(0) @binding(1) var<storage, read> position: array<u32>;
@group(0) @binding(2) var<storage, read_write> cache: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

//@include "own_weight.wgsl"

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.B * params.H) { return; }
  let b = id.x / params.H;
  let h = id.x % params.H;
  let C4 = params.H * (D / 4);
  let E4 = C4 / GROUP;
  let row = b * (C4 + 2 * E4) + h * (D / 4);
  let newKey = b * (C4 + 2 * E4) + C4 + h / GROUP * (D / 4);
  let end = position[b];
  if (end >= params.capacity) {
    //@for d in 0..D/4
    Y[b * C4 + h * (D / 4) + $d] = vec4f();
    //@end
    return;
  }

  // The new token starts the softmax: its score is the first maximum, its weight exp(0).
  var maximum = 0.0;
  let headBase = b * params.capacity * 2 * E4 + h / GROUP * (D / 4);
  let slot = headBase + end * 2 * E4;
  //@for d in 0..D/4
  let q_$d = QKV[row + $d] * params.scale;
  let k_$d = QKV[newKey + $d];
  var y_$d = QKV[newKey + E4 + $d];
  maximum += dot(q_$d, k_$d);
  //@end
  // The first of the heads that share a key and a value writes them.
  if (h % GROUP == 0) {
    //@for d in 0..D/4
    cache[slot + $d] = k_$d;
    cache[slot + E4 + $d] = y_$d;
    //@end
  }

  var sum = ownWeight(maximum);
  for (var t = 0u; t < end; t++) {
    let key = headBase + t * 2 * E4;
    var s = 0.0;
    //@for d in 0..D/4
    s += dot(q_$d, cache[key + $d]);
    //@end
    let newMaximum = max(maximum, s);
    let decay = exp(maximum - newMaximum);
    let p = exp(s - newMaximum);
    maximum = newMaximum;
    sum = sum * decay + p;
    //@for d in 0..D/4
    y_$d = y_$d * decay + p * cache[key + E4 + $d];
    //@end
  }
  //@for d in 0..D/4
  Y[b * C4 + h * (D / 4) + $d] = y_$d / sum;
  //@end
}
