// attention_dq   forward Y[q] = sum_k P[q,k] V[k],  P = exp(S - lse),  S[q,k] = scale * Q[q].K[k]
//                delta[q] = dY[q].Y[q];  dS[q,k] = P[q,k] * (dY[q].V[k] - delta[q]);  dQ[q] = scale * sum_k dS[q,k] K[k]
// shapes         QKV,dQKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  Y,dY (B,T,C)  lse,delta (B,H,T)  C = H*D, E = C/GROUP
// bindings       0 QKV read, 1 prefix read, 2 length read, 3 Y read, 4 lse read, 5 dY read, 6 delta write,
//                7 dQKV write (q columns only), 8 {T,H,scale} uniform
// work           one invocation per (q, head, batch); P is recomputed from lse; f32 sums; UNROLL as in naive.wgsl
// traffic        24BTC + 8BHT bytes (K and V of a head come from cache)
// source         arXiv:2205.14135, appendix B

struct Params { T: u32, H: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> QKV: array<f32>;
@group(0) @binding(1) var<storage, read> prefix: array<u32>;
@group(0) @binding(2) var<storage, read> length: array<u32>;
@group(0) @binding(3) var<storage, read> Y: array<f32>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> dY: array<f32>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> dQKV: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

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
  let out = (b * T + q) * C + h * D;
  let statistic = (b * H + h) * T + q;
  let isPadding = q >= length[b];
  let visible = min(min(length[b], T), max(q + 1, prefix[b]));
  let kEnd = select(visible, 0u, isPadding);

  var rowDelta = 0.0;
  for (var d = 0u; d < D; d++) { rowDelta += dY[out + d] * Y[out + d]; }
  delta[statistic] = select(rowDelta, 0.0, isPadding);

  var dQ: array<f32, D>;
  for (var k = 0u; k < kEnd; k++) {
    let key = (b * T + k) * W + C + h / GROUP * D;
    var s = 0.0;
    var dP = 0.0;
    for (var d = 0u; d < D; d += UNROLL) {
      //@for i in 0..UNROLL
      s += QKV[row + d + $i] * QKV[key + d + $i];
      dP += dY[out + d + $i] * QKV[key + E + d + $i];
      //@end
    }
    let dS = exp(s * scale - lse[statistic]) * (dP - rowDelta) * scale;
    for (var d = 0u; d < D; d += UNROLL) {
      //@for i in 0..UNROLL
      dQ[d + $i] += dS * QKV[key + d + $i];
      //@end
    }
  }
  for (var d = 0u; d < D; d++) { dQKV[row + d] = dQ[d]; }
}
