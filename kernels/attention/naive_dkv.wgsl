// attention_dkv  forward Y[q] = sum_k P[q,k] V[k],  P = exp(S - lse),  S[q,k] = scale * Q[q].K[k]
//                dV[k] = sum_q P[q,k] dY[q];  dS[q,k] = P[q,k] * (dY[q].V[k] - delta[q]);  dK[k] = scale * sum_q dS[q,k] Q[q]
// shapes         QKV,dQKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  dY (B,T,C)  lse,delta (B,H,T)  C = H*D, E = C/GROUP
// bindings       0 QKV read, 1 prefix read, 2 length read, 3 lse read, 4 dY read, 5 delta read,
//                6 dQKV write (k and v columns only), 7 {T,H,scale} uniform
// work           one invocation per (k, head of k, batch); P is recomputed from lse; f32 sums in query order; UNROLL as in
//                naive.wgsl
// traffic        24BTC + 8BHT bytes (Q and dY of a head come from cache)
// source         arXiv:2205.14135, appendix B

struct Params { T: u32, H: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> QKV: array<f32>;
@group(0) @binding(1) var<storage, read> prefix: array<u32>;
@group(0) @binding(2) var<storage, read> length: array<u32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> dY: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dQKV: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  // Copied out of the loops: software adapters read parameters from a storage buffer, anew each round.
  let T = params.T;
  let H = params.H;
  let scale = params.scale;
  let k = id.x;
  let shared_head = id.y;
  let b = id.z;
  if (k >= T) { return; }
  let C = H * D;
  let E = C / GROUP;
  let W = C + 2 * E;
  let key = (b * T + k) * W + C + shared_head * D;
  let keyEnd = min(length[b], T);
  // The queries that see a key are one range: from the key on, or all of them for a key in the prefix.
  let qStart = select(k, 0u, k < prefix[b]);
  let qEnd = select(0u, keyEnd, k < keyEnd);

  var dK: array<f32, D>;
  var dV: array<f32, D>;
  //@if GROUPED
  for (var g = 0u; g < GROUP; g++) {
  let h = shared_head * GROUP + g;
  //@else
  let h = shared_head;
  //@end
  for (var q = qStart; q < qEnd; q++) {
    let row = (b * T + q) * W + h * D;
    let out = (b * T + q) * C + h * D;
    let statistic = (b * H + h) * T + q;
    var s = 0.0;
    var dP = 0.0;
    for (var d = 0u; d < D; d += UNROLL) {
      //@for i in 0..UNROLL
      s += QKV[row + d + $i] * QKV[key + d + $i];
      dP += dY[out + d + $i] * QKV[key + E + d + $i];
      //@end
    }
    let p = exp(s * scale - lse[statistic]);
    let dS = p * (dP - delta[statistic]) * scale;
    for (var d = 0u; d < D; d += UNROLL) {
      //@for i in 0..UNROLL
      dV[d + $i] += p * dY[out + d + $i];
      dK[d + $i] += dS * QKV[row + d + $i];
      //@end
    }
  }
  //@if GROUPED
  }
  //@end
  for (var d = 0u; d < D; d++) {
    dQKV[key + d] = dK[d];
    dQKV[key + E + d] = dV[d];
  }
}
