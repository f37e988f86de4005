// attention_dq   forward Y[q] = sum_k P[q,k] V[k],  P = exp(S - lse),  S[q,k] = scale * Q[q].K[k]
//                delta[q] = dY[q].Y[q];  dS[q,k] = P[q,k] * (dY[q].V[k] - delta[q]);  dQ[q] = scale * sum_k dS[q,k] K[k]
// shapes         QKV,dQKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  Y,dY (B,T,C)  lse,delta (B,H,T)
//                C = H*D, E = C/GROUP, D a multiple of 4
// bindings       0 QKV texels, 1 dY texels, 2 prefix read, 3 length read, 4 Y read, 5 lse read, 6 delta write,
//                7 dQKV write (q columns only), 8 {baseQKV,baseDY,BH,T,H,scale} uniform, BH = B*H
// work           a lane holds ROWS queries (q, dY, dQ) of one head, lanes as in texture.wgsl; one key a step; f32 sums
// traffic        24BTC + 8BHT bytes
// steps          as texture.wgsl, but nothing is rescaled here, so a step of more keys buys nothing; Y is read once, so it
//                comes from its buffer and needs no copy to a texture
// source         arXiv:2205.14135, appendix B

//@include "texel.wgsl"

struct Params { baseQKV: u32, baseDY: u32, BH: u32, T: u32, H: u32, scale: f32 }

const ROW_STEP = select(8u, 1u, LANES_ARE_HEADS);
@group(0) @binding(0) var QKV: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var dY: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> prefix: array<u32>;
@group(0) @binding(3) var<storage, read> length: array<u32>;
@group(0) @binding(4) var<storage, read> Y: array<vec4f>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> dQKV: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;

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
  let tokens = select(0u, T, head < params.BH);
  let b = min(head, params.BH - 1) / H;
  let h = min(head, params.BH - 1) % H;
  let blockStart = block * ROWS;
  let first = blockStart;
  //@else
  let tokens = T;
  let b = group.z;
  let h = group.y;
  let blockStart = block * (8 * ROWS);
  let first = blockStart + local.x;
  //@end
  let C4 = H * (D / 4);
  let E4 = C4 / GROUP;
  let W4 = C4 + 2 * E4;
  let lengthB = min(length[b], tokens);
  let prefixB = prefix[b];
  let kEnd = select(0u, min(lengthB, max(blockStart + ROWS * ROW_STEP, prefixB)), blockStart < lengthB);
  let queryBase = b * T * W4 + h * (D / 4);
  let keyBase = params.baseQKV + b * T * W4 + C4 + h / GROUP * (D / 4);
  let statistics = (b * H + h) * T;

  //@for r in 0..ROWS
  let q_$r = first + $r * ROW_STEP;
  let visible_$r = select(0u, min(lengthB, max(q_$r + 1, prefixB)), q_$r < lengthB);
  let clamped_$r = min(q_$r, T - 1);
  let row_$r = queryBase + clamped_$r * W4;
  let out_$r = (b * T + clamped_$r) * C4 + h * (D / 4);
  let lse_$r = lse[statistics + clamped_$r];
  var delta_$r = 0.0;
  //@for d in 0..D/4
  let q_$r_$d = qkv(params.baseQKV + row_$r + $d) * params.scale;
  let dY_$r_$d = dy(params.baseDY + out_$r + $d);
  delta_$r += dot(dY_$r_$d, Y[out_$r + $d]);
  var dQ_$r_$d = vec4f();
  //@end
  //@end

  for (var k = 0u; k < kEnd; k++) {
    let key = keyBase + k * W4;
    //@for r in 0..ROWS
    var s_$r = 0.0;
    var dP_$r = 0.0;
    //@end
    //@for d in 0..D/4
    let k_$d = qkv(key + $d);
    let v_$d = qkv(key + E4 + $d);
    //@for r in 0..ROWS
    s_$r += dot(q_$r_$d, k_$d);
    dP_$r += dot(dY_$r_$d, v_$d);
    //@end
    //@end
    //@for r in 0..ROWS
    let dS_$r = select(0.0, exp(s_$r - lse_$r) * (dP_$r - delta_$r), k < visible_$r);
    //@end
    //@for d in 0..D/4
    //@for r in 0..ROWS
    dQ_$r_$d += dS_$r * k_$d;
    //@end
    //@end
  }

  //@for r in 0..ROWS
  if (q_$r < tokens) {
    let isEmpty = visible_$r == 0;
    delta[statistics + q_$r] = select(delta_$r, 0.0, isEmpty);
    //@for d in 0..D/4
    dQKV[row_$r + $d] = dQ_$r_$d * params.scale;
    //@end
  }
  //@end
}
