// attention_dkv  forward Y[q] = sum_k P[q,k] V[k],  P = exp(S - lse),  S[q,k] = scale * Q[q].K[k]
//                dV[k] = sum_q P[q,k] dY[q];  dS[q,k] = P[q,k] * (dY[q].V[k] - delta[q]);  dK[k] = scale * sum_q dS[q,k] Q[q]
// shapes         QKV,dQKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  dY (B,T,C)  lse,delta (B,H,T)
//                C = H*D, E = C/GROUP, D a multiple of 4
// bindings       0 QKV texels, 1 dY texels, 2 prefix read, 3 length read, 4 lse read, 5 delta read,
//                6 dQKV write (k and v columns only), 7 {baseQKV,baseDY,BK,T,H,scale} uniform, BK = B*H/GROUP
// work           a lane holds ROWS keys (k, v, dK, dV) of one of their heads, lanes as in texture.wgsl; one query a step;
//                f32 sums in query order, one query head of the GROUP after another
// traffic        24BTC + 8BHT bytes
// steps          as texture.wgsl
// source         arXiv:2205.14135, appendix B

//@include "texel.wgsl"

struct Params { baseQKV: u32, baseDY: u32, BK: u32, T: u32, H: u32, scale: f32 }

const ROW_STEP = select(8u, 1u, LANES_ARE_HEADS);
@group(0) @binding(0) var QKV: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var dY: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> prefix: array<u32>;
@group(0) @binding(3) var<storage, read> length: array<u32>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dQKV: array<vec4f>;
@group(0) @binding(7) var<uniform> params: Params;

fn qkv(index: u32) -> vec4f { return textureLoad(QKV, texel(index)); }
fn dy(index: u32) -> vec4f { return textureLoad(dY, texel(index)); }

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  // From both ends in turn: a causal mask makes one end light, and a CPU's threads get neighbouring workgroups.
  let block = select(group.x / 2, groups.x - 1 - group.x / 2, group.x % 2 == 1);
  let T = params.T;
  let H = params.H;
  //@if LANES_ARE_HEADS
  let head = group.y * 8 + local.x;
  let tokens = select(0u, T, head < params.BK);
  let b = min(head, params.BK - 1) / (H / GROUP);
  let keyHead = min(head, params.BK - 1) % (H / GROUP);
  let blockStart = block * ROWS;
  let first = blockStart;
  //@else
  let tokens = T;
  let b = group.z;
  let keyHead = group.y;
  let blockStart = block * (8 * ROWS);
  let first = blockStart + local.x;
  //@end
  let C4 = H * (D / 4);
  let E4 = C4 / GROUP;
  let W4 = C4 + 2 * E4;
  let lengthB = min(length[b], tokens);
  let prefixB = prefix[b];
  let keyBase = b * T * W4 + C4 + keyHead * (D / 4);
  // The queries that see a key are one range: from the key on, or all of them for a key in the prefix.
  let qStart = select(blockStart, 0u, blockStart < prefixB);
  let qEnd = select(0u, lengthB, blockStart < lengthB);

  //@for r in 0..ROWS
  let k_$r = first + $r * ROW_STEP;
  let first_$r = select(k_$r, 0u, k_$r < prefixB);
  let key_$r = keyBase + min(k_$r, T - 1) * W4;
  //@for d in 0..D/4
  let k_$r_$d = qkv(params.baseQKV + key_$r + $d) * params.scale;
  let v_$r_$d = qkv(params.baseQKV + key_$r + E4 + $d);
  var dK_$r_$d = vec4f();
  var dV_$r_$d = vec4f();
  //@end
  //@end

  //@if GROUPED
  for (var g = 0u; g < GROUP; g++) {
  let h = keyHead * GROUP + g;
  //@else
  let h = keyHead;
  //@end
  let queryBase = params.baseQKV + b * T * W4 + h * (D / 4);
  let outBase = params.baseDY + b * T * C4 + h * (D / 4);
  let statistics = (b * H + h) * T;
  for (var q = qStart; q < qEnd; q++) {
    let row = queryBase + q * W4;
    let out = outBase + q * C4;
    let rowLse = lse[statistics + q];
    let rowDelta = delta[statistics + q];
    //@for r in 0..ROWS
    var s_$r = 0.0;
    var dP_$r = 0.0;
    //@end
    //@for d in 0..D/4
    let q_$d = qkv(row + $d);
    let dY_$d = dy(out + $d);
    //@for r in 0..ROWS
    s_$r += dot(k_$r_$d, q_$d);
    dP_$r += dot(v_$r_$d, dY_$d);
    //@end
    //@end
    //@for r in 0..ROWS
    let p_$r = select(0.0, exp(s_$r - rowLse), q >= first_$r);
    let dS_$r = select(0.0, p_$r * (dP_$r - rowDelta), q >= first_$r);
    //@end
    //@for d in 0..D/4
    //@for r in 0..ROWS
    dV_$r_$d += p_$r * dY_$d;
    dK_$r_$d += dS_$r * q_$d;
    //@end
    //@end
  }
  //@if GROUPED
  }
  //@end

  //@for r in 0..ROWS
  if (k_$r < tokens) {
    let isPadding = k_$r >= lengthB;
    //@for d in 0..D/4
    dQKV[key_$r + $d] = select(dK_$r_$d * params.scale, vec4f(), isPadding);
    dQKV[key_$r + E4 + $d] = select(dV_$r_$d, vec4f(), isPadding);
    //@end
  }
  //@end
}
