// attention   Y[q] = sum_k P[q,k] V[k],  P[q,k] = exp(S[q,k] - lse[q]),  S[q,k] = Q[q].K[k] / sqrt(D),
//             lse[q] = log sum_k exp S[q,k];  k visible to q: k < length && (k <= q || k < prefix)
// shapes      QKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  Y (B,T,C)  lse (B,H,T)    C = H*D, E = C/GROUP
// bindings    0 QKV read, 1 prefix read, 2 length read, 3 Y write, 4 lse write, 5 {T,H,scale} uniform
// work        one invocation per (q, head, batch); f32 running maximum and sum (streaming softmax); UNROLL divides D and
//             keeps the rounds few: llvmpipe ends all loops of an invocation after 65535 rounds in sum
// traffic     16BTC + 4BHT bytes (K and V of a head come from cache)
// values      a score of -infinity has probability 0; NaN or +infinity makes its query's Y and lse NaN
// source      arXiv:1805.02867, arXiv:2205.14135

struct Params { T: u32, H: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> QKV: array<f32>;
@group(0) @binding(1) var<storage, read> prefix: array<u32>;
@group(0) @binding(2) var<storage, read> length: array<u32>;
@group(0) @binding(3) var<storage, read_write> Y: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  // Copied out of the loops: software adapters read parameters from a storage buffer, anew each round.
  let T = params.T;
  let H = params.H;
  let scale = params.scale;
  let q = id.x;
  let h = id.y;
  let b = id.z;
  if (q >= T) { return; }
  let C = H * D;
  let E = C / GROUP;
  let W = C + 2 * E;
  let row = (b * T + q) * W + h * D;
  // The visible keys of a query are one range that starts at 0; it is empty for padding rows.
  let visible = min(min(length[b], T), max(q + 1, prefix[b]));
  let kEnd = select(0u, visible, q < length[b]);

  var y: array<f32, D>;
  // The lowest f32, which no finite score is below.
  var maximum = -3.4028234e38;
  var sum = 0.0;
  for (var k = 0u; k < kEnd; k++) {
    let key = (b * T + k) * W + C + h / GROUP * D;
    var s = 0.0;
    for (var d = 0u; d < D; d += UNROLL) {
      //@for i in 0..UNROLL
      s += QKV[row + d + $i] * QKV[key + d + $i];
      //@end
    }
    s *= scale;
    let newMaximum = max(maximum, s);
    let decay = exp(maximum - newMaximum);
    let p = exp(s - newMaximum);
    maximum = newMaximum;
    sum = sum * decay + p;
    for (var d = 0u; d < D; d += UNROLL) {
      //@for i in 0..UNROLL
      y[d + $i] = y[d + $i] * decay + p * QKV[key + E + d + $i];
      //@end
    }
  }
  let isEmpty = kEnd == 0;
  let normalizer = select(1 / sum, 0.0, isEmpty);
  for (var d = 0u; d < D; d++) { Y[(b * T + q) * C + h * D + d] = y[d] * normalizer; }
  lse[(b * H + h) * T + q] = select(maximum + log(sum), 0.0, isEmpty);
}
