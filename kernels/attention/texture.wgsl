// attention   the same as naive.wgsl: Y = softmax(scale * Q K^T) V over the keys that the prefix mask lets through
// shapes      QKV (B,T,3C) rows [q|k|v]  prefix,length (B)  Y (B,T,C)  lse (B,H,T)      C = H*D, D a multiple of 4
// bindings    0 QKV texels, 1 prefix read, 2 length read, 3 Y write, 4 lse write, 5 {base4,T,H,scale} uniform
// work        a lane holds ROWS queries, 8 rows apart, in registers; K and V are broadcast to the 8 lanes, KEYS keys
//             a step of the streaming softmax
// traffic     16BTC + 4BHT bytes
// steps       QKV through a storage texture: 3 to 4 times fewer cycles a load on software Vulkan; ROWS queries share each
//             load of K and V; KEYS keys share one rescaling of the sums; all loops over D unrolled
// source      arXiv:2205.14135
struct Params { base4: u32, T: u32, H: u32, scale: f32 }
@group(0) @binding(0) var QKV: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read> prefix: array<u32>;
@group(0) @binding(2) var<storage, read> length: array<u32>;
@group(0) @binding(3) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

fn qkv(index: u32) -> vec4f { return textureLoad(QKV, vec2u(index & 1023u, index >> 10u)); }

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let h = group.y;
  let b = group.z;
  let C4 = params.H * (D / 4);
  let lengthB = min(length[b], params.T);
  let prefixB = prefix[b];
  let lastQ = params.T - 1;
  let blockEnd = group.x * (8 * ROWS) + 8 * ROWS;
  let kEnd = select(0u, min(lengthB, max(blockEnd, prefixB)), group.x * (8 * ROWS) < lengthB);
  let headBase = params.base4 + b * params.T * 3 * C4 + h * (D / 4);

  //@for r in 0..ROWS
  let q_$r = group.x * (8 * ROWS) + $r * 8 + local.x;
  let visible_$r = select(0u, min(lengthB, max(q_$r + 1, prefixB)), q_$r < lengthB);
  let row_$r = headBase + min(q_$r, lastQ) * 3 * C4;
  var maximum_$r = -1e30;
  var sum_$r = 0.0;
  //@for d in 0..D/4
  let q_$r_$d = qkv(row_$r + $d) * params.scale;
  var y_$r_$d = vec4f();
  //@end
  //@end

  for (var k = 0u; k < kEnd; k += KEYS) {
    //@for j in 0..KEYS
    let key_$j = headBase + min(k + $j, kEnd - 1) * 3 * C4 + C4;
    //@for d in 0..D/4
    let k_$j_$d = qkv(key_$j + $d);
    //@end
    //@for r in 0..ROWS
    var s_$r_$j = 0.0;
    //@for d in 0..D/4
    s_$r_$j += dot(q_$r_$d, k_$j_$d);
    //@end
    // Key 0 is visible to every row that is not padding, so a row's maximum is real after the first step.
    s_$r_$j = select(-1e30, s_$r_$j, k + $j < visible_$r);
    //@end
    //@end

    //@for r in 0..ROWS
    var newMaximum_$r = maximum_$r;
    //@for j in 0..KEYS
    newMaximum_$r = max(newMaximum_$r, s_$r_$j);
    //@end
    let decay_$r = exp(maximum_$r - newMaximum_$r);
    maximum_$r = newMaximum_$r;
    sum_$r *= decay_$r;
    //@for d in 0..D/4
    y_$r_$d *= decay_$r;
    //@end
    //@for j in 0..KEYS
    let p_$r_$j = exp(s_$r_$j - newMaximum_$r);
    sum_$r += p_$r_$j;
    //@end
    //@end

    //@for j in 0..KEYS
    //@for d in 0..D/4
    let v_$j_$d = qkv(key_$j + C4 + $d);
    //@for r in 0..ROWS
    y_$r_$d += p_$r_$j * v_$j_$d;
    //@end
    //@end
    //@end
  }

  //@for r in 0..ROWS
  if (q_$r < params.T) {
    let isEmpty = visible_$r == 0;
    let normalizer = select(1 / sum_$r, 0.0, isEmpty);
    let out = (b * params.T + q_$r) * C4 + h * (D / 4);
    //@for d in 0..D/4
    Y[out + $d] = select(y_$r_$d * normalizer, vec4f(), isEmpty);
    //@end
    lse[(b * params.H + h) * params.T + q_$r] = select(maximum_$r + log(sum_$r), 0.0, isEmpty);
  }
  //@end
}
