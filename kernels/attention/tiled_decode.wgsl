// attention_decode   cache[b,p] = [k|v] of QKV[b];  Y[b] = sum_{t<=p} softmax_t(q.K[t] / sqrt(D)) V[t],  p = position[b]
// shapes             QKV (B,C+2E) rows [q|k|v]  cache (B,capacity,2E) rows [k|v]  position (B)  Y (B,C)
//                    C = H*D, E = C/GROUP, D a multiple of 4
// bindings           0 QKV read, 1 position read, 2 cache read-write, 3 Y write, 4 {H,capacity,scale} uniform
// work               one workgroup per (head, batch), 64 positions a step: a lane scores one, then lanes take columns
//                    (vec4s of V) and every GROUPS-th position, and add up over the groups at the end; streaming
//                    softmax from step to step; the new token's row comes from QKV, so no lane waits for a write; f32
// traffic            8BC * (mean position) + 24BC bytes
// steps              64 lanes instead of one a head: a decoding step is latency, and few heads leave a GPU idle; neighbours
//                    read neighbouring columns of V
// values             a score of -infinity has probability 0; NaN or +infinity makes its head's Y NaN
// source             arXiv:1805.02867

struct Params { H: u32, capacity: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> QKV: array<vec4f>;
@group(0) @binding(1) var<storage, read> position: array<u32>;
@group(0) @binding(2) var<storage, read_write> cache: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

const COLUMNS = D / 4;
const GROUPS = 64 / COLUMNS;
var<workgroup> scores: array<f32, 64>;
var<workgroup> sums: array<f32, 64>;
var<workgroup> ys: array<vec4f, 64>;

//@include "own_weight.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let h = group.x;
  let b = group.y;
  let c = lane % COLUMNS;
  let g = lane / COLUMNS;
  let C4 = params.H * COLUMNS;
  let E4 = C4 / GROUP;
  let row = b * (C4 + 2 * E4) + h * COLUMNS;
  let newKey = b * (C4 + 2 * E4) + C4 + h / GROUP * COLUMNS;
  let out = b * C4 + h * COLUMNS;
  let end = position[b];
  if (end >= params.capacity) {
    if (g == 0) { Y[out + c] = vec4f(); }
    return;
  }

  // The new token starts the softmax: its score is the first maximum, its weight exp(0). Group 0 counts it.
  let headBase = b * params.capacity * 2 * E4 + h / GROUP * COLUMNS;
  var maximum = 0.0;
  //@for d in 0..D/4
  let q_$d = QKV[row + $d] * params.scale;
  maximum += dot(q_$d, QKV[newKey + $d]);
  //@end
  var sum = 0.0;
  var y = vec4f();
  if (g == 0) {
    sum = ownWeight(maximum);
    y = QKV[newKey + E4 + c];
    // The first of the heads that share a key and a value writes them.
    if (h % GROUP == 0) {
      cache[headBase + end * 2 * E4 + c] = QKV[newKey + c];
      cache[headBase + end * 2 * E4 + E4 + c] = y;
    }
  }

  for (var tile = 0u; tile < end; tile += 64) {
    // The lowest f32: it does not raise the maximum.
    var s = -3.4028234e38;
    if (tile + lane < end) {
      let key = headBase + (tile + lane) * 2 * E4;
      s = 0;
      //@for d in 0..D/4
      s += dot(q_$d, cache[key + $d]);
      //@end
    }
    workgroupBarrier();
    scores[lane] = s;
    workgroupBarrier();
    var newMaximum = maximum;
    //@for i in 0..64
    newMaximum = max(newMaximum, scores[$i]);
    //@end
    let decay = exp(maximum - newMaximum);
    maximum = newMaximum;
    sum *= decay;
    y *= decay;
    if (g < GROUPS) {
      for (var i = g; i < min(64, end - tile); i += GROUPS) {
        let p = exp(scores[i] - maximum);
        sum += p;
        y += p * cache[headBase + (tile + i) * 2 * E4 + E4 + c];
      }
    }
  }

  sums[lane] = sum;
  ys[lane] = y;
  workgroupBarrier();
  if (g == 0) {
    for (var i = 1u; i < GROUPS; i++) {
      sum += sums[i * COLUMNS + c];
      y += ys[i * COLUMNS + c];
    }
    Y[out + c] = y / sum;
  }
}
