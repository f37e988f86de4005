// attention   the same as naive.wgsl: Y = softmax(scale * Q K^T) V over the keys that the prefix mask lets through
// shapes      QKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  Y (B,T,C)  lse (B,H,T)    C = H*D, E = C/GROUP, D a multiple of 4
// bindings    0 QKV texels, 1 prefix read, 2 length read, 3 Y write, 4 lse write, 5 {base,BH,T,H,scale} uniform, BH = B*H
// work        a lane holds ROWS queries of one head; the 8 lanes of a workgroup are 8 heads (ROWS neighbouring queries each)
//             or one head's queries, 8 apart; KEYS keys a step of the streaming softmax
// traffic     16BTC + 4BHT bytes
// steps       QKV through a storage texture: 3 to 4 times fewer cycles a load on software Vulkan; ROWS queries share each
//             load of K and V; KEYS keys share one rescaling of the sums; all loops over D unrolled; lanes that are heads,
//             with 6 rows instead of 3: 1.6x at B32 T36 H4 D24 on llvmpipe; 4 rows instead of 2, and texels used as soon as
//             they are loaded: 1.3x at B2 T512 H4 D64
// values      a score of -infinity has probability 0; NaN or +infinity makes its query's Y and lse NaN
// source      arXiv:2205.14135

//@include "texel.wgsl"

struct Params { base: u32, BH: u32, T: u32, H: u32, scale: f32 }

//@include "lowest.wgsl"

const ROW_STEP = select(8u, 1u, LANES_ARE_HEADS);
@group(0) @binding(0) var QKV: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read> prefix: array<u32>;
@group(0) @binding(2) var<storage, read> length: array<u32>;
@group(0) @binding(3) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

fn qkv(index: u32) -> vec4f { return textureLoad(QKV, texel(index)); }

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
  let queryBase = params.base + b * T * W4 + h * (D / 4);
  let keyBase = params.base + b * T * W4 + C4 + h / GROUP * (D / 4);

  //@for r in 0..ROWS
  let q_$r = first + $r * ROW_STEP;
  let visible_$r = select(0u, min(lengthB, max(q_$r + 1, prefixB)), q_$r < lengthB);
  let row_$r = queryBase + min(q_$r, T - 1) * W4;
  var maximum_$r = LOWEST;
  var sum_$r = 0.0;
  //@for d in 0..D/4
  let q_$r_$d = qkv(row_$r + $d) * params.scale;
  var y_$r_$d = vec4f();
  //@end
  //@end

  for (var k = 0u; k < kEnd; k += KEYS) {
    //@for j in 0..KEYS
    let key_$j = keyBase + min(k + $j, kEnd - 1) * W4;
    //@for r in 0..ROWS
    var s_$r_$j = 0.0;
    //@end
    //@end
    //@for d in 0..D/4
    //@for j in 0..KEYS
    let k_$j_$d = qkv(key_$j + $d);
    //@for r in 0..ROWS
    s_$r_$j += dot(q_$r_$d, k_$j_$d);
    //@end
    //@end
    //@end

    //@for r in 0..ROWS
    var newMaximum_$r = maximum_$r;
    //@for j in 0..KEYS
    s_$r_$j = select(LOWEST, s_$r_$j, k + $j < visible_$r);
    newMaximum_$r = max(newMaximum_$r, s_$r_$j);
    //@end
    let decay_$r = exp(maximum_$r - newMaximum_$r);
    maximum_$r = newMaximum_$r;
    sum_$r *= decay_$r;
    //@for j in 0..KEYS
    let p_$r_$j = select(0.0, exp(s_$r_$j - newMaximum_$r), k + $j < visible_$r);
    sum_$r += p_$r_$j;
    //@end
    //@end

    //@for d in 0..D/4
    //@for j in 0..KEYS
    let v_$j_$d = qkv(key_$j + E4 + $d);
    //@end
    //@for r in 0..ROWS
    var t_$r_$d = p_$r_0 * v_0_$d;
    //@for j in 1..KEYS
    t_$r_$d += p_$r_$j * v_$j_$d;
    //@end
    y_$r_$d = y_$r_$d * decay_$r + t_$r_$d;
    //@end
    //@end
  }

  //@for r in 0..ROWS
  if (q_$r < tokens) {
    let isEmpty = visible_$r == 0;
    let normalizer = select(1 / sum_$r, 0.0, isEmpty);
    let out = (b * T + q_$r) * C4 + h * (D / 4);
    //@for d in 0..D/4
    Y[out + $d] = select(y_$r_$d * normalizer, vec4f(), isEmpty);
    //@end
    lse[(b * H + h) * T + q_$r] = select(maximum_$r + log(sum_$r), 0.0, isEmpty);
  }
  //@end
}
