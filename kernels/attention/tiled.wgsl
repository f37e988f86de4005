// attention   the same as naive.wgsl: Y = softmax(scale * Q K^T) V over the keys that the prefix mask lets through
// shapes      QKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  Y (B,T,C)  lse (B,H,T)    C = H*D, E = C/GROUP, D a multiple of 4
// bindings    0 QKV read, 1 prefix read, 2 length read, 3 Y write, 4 lse write, 5 {T,H,scale} uniform
// work        a workgroup has 16 ROWS queries of a head. Four lanes share ROWS of them, 16 apart; part p of the four holds
//             vec4s p, p + 4, .. (PART of them, zeros behind D/4) of q and y in registers. TILE keys and values at a time
//             are staged in workgroup memory. A step takes four keys: the parts exchange partial scores and go on alike
// memory      8 KiB of tiles and 2 KiB * ROWS of partial scores, of the 16 KiB that WebGPU promises
// traffic     16BTC + 4BHT bytes (K and V once a workgroup)
// steps       tiles in workgroup memory: K and V are read once for 16 ROWS queries; four parts: heads of 64 fit the
//             registers with ROWS = 4, so a load from workgroup memory feeds 16 multiply-adds instead of 4; partial scores
//             have two buffers, so a step waits once
// values      a score of -infinity has probability 0; NaN or +infinity makes its query's Y and lse NaN
// source      arXiv:2205.14135

struct Params { T: u32, H: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> QKV: array<vec4f>;
@group(0) @binding(1) var<storage, read> prefix: array<u32>;
@group(0) @binding(2) var<storage, read> length: array<u32>;
@group(0) @binding(3) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

//@include "lowest.wgsl"

const STRIDE = 4 * PART;
var<workgroup> K: array<vec4f, TILE * STRIDE>;
var<workgroup> V: array<vec4f, TILE * STRIDE>;
var<workgroup> partials: array<vec4f, 2 * 64 * ROWS>;

fn qkv(row: u32, column: u32) -> vec4f {
  if (column >= D / 4) { return vec4f(); }
  return QKV[row + column];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let h = group.y;
  let b = group.z;
  let part = lane % 4;
  let C4 = params.H * (D / 4);
  let E4 = C4 / GROUP;
  let W4 = C4 + 2 * E4;
  let lengthB = min(length[b], params.T);
  let prefixB = prefix[b];
  let lastQ = params.T - 1;
  let blockStart = group.x * (16 * ROWS);
  let kEnd = select(0u, min(lengthB, max(blockStart + 16 * ROWS, prefixB)), blockStart < lengthB);
  let queryBase = b * params.T * W4 + h * (D / 4);
  let keyBase = b * params.T * W4 + C4 + h / GROUP * (D / 4);

  //@for r in 0..ROWS
  let q_$r = blockStart + $r * 16 + lane / 4;
  let visible_$r = select(0u, min(lengthB, max(q_$r + 1, prefixB)), q_$r < lengthB);
  var maximum_$r = LOWEST;
  var sum_$r = 0.0;
  //@for d in 0..PART
  let q_$r_$d = qkv(queryBase + min(q_$r, lastQ) * W4, $d * 4 + part) * params.scale;
  var y_$r_$d = vec4f();
  //@end
  //@end

  var buffer = 0u;
  for (var tile = 0u; tile < kEnd; tile += TILE) {
    workgroupBarrier();
    // All words are under way at once. Keys behind the last visible one may hold anything, even NaN: they count as zeros.
    //@for s in 0..4
    let i_$s = lane + $s * 64;
    let isKey_$s = tile + i_$s / STRIDE < kEnd;
    let key_$s = keyBase + min(tile + i_$s / STRIDE, lastQ) * W4;
    let k_$s = select(vec4f(), qkv(key_$s, i_$s % STRIDE), isKey_$s);
    let v_$s = select(vec4f(), qkv(key_$s + E4, i_$s % STRIDE), isKey_$s);
    //@end
    //@for s in 0..4
    if (i_$s < TILE * STRIDE) {
      K[i_$s] = k_$s;
      V[i_$s] = v_$s;
    }
    //@end
    workgroupBarrier();
    for (var k = 0u; k < min(TILE, kEnd - tile); k += 4) {
      //@for r in 0..ROWS
      var part_$r = vec4f();
      //@end
      //@for d in 0..PART
      {
        //@for j in 0..4
        let k_$j = K[(k + $j) * STRIDE + $d * 4 + part];
        //@end
        //@for r in 0..ROWS
        part_$r += vec4f(dot(q_$r_$d, k_0), dot(q_$r_$d, k_1), dot(q_$r_$d, k_2), dot(q_$r_$d, k_3));
        //@end
      }
      //@end
      //@for r in 0..ROWS
      partials[buffer + $r * 64 + lane] = part_$r;
      //@end
      workgroupBarrier();

      let keys = tile + k + vec4u(0, 1, 2, 3);
      //@for r in 0..ROWS
      let four_$r = buffer + $r * 64 + lane - part;
      let sees_$r = keys < vec4u(visible_$r);
      let s_$r = select(
        vec4f(LOWEST),
        (partials[four_$r] + partials[four_$r + 1]) + (partials[four_$r + 2] + partials[four_$r + 3]),
        sees_$r,
      );
      let newMaximum_$r = max(maximum_$r, max(max(s_$r.x, s_$r.y), max(s_$r.z, s_$r.w)));
      let decay_$r = exp(maximum_$r - newMaximum_$r);
      let p_$r = select(vec4f(), exp(s_$r - newMaximum_$r), sees_$r);
      maximum_$r = newMaximum_$r;
      sum_$r = sum_$r * decay_$r + dot(p_$r, vec4f(1));
      //@for d in 0..PART
      y_$r_$d *= decay_$r;
      //@end
      //@end
      buffer = 64 * ROWS - buffer;

      //@for d in 0..PART
      {
        //@for j in 0..4
        let v_$j = V[(k + $j) * STRIDE + $d * 4 + part];
        //@end
        //@for r in 0..ROWS
        y_$r_$d += p_$r.x * v_0 + p_$r.y * v_1 + p_$r.z * v_2 + p_$r.w * v_3;
        //@end
      }
      //@end
    }
  }

  //@for r in 0..ROWS
  if (q_$r < params.T) {
    let isEmpty = visible_$r == 0;
    let normalizer = select(1 / sum_$r, 0.0, isEmpty);
    let out = (b * params.T + q_$r) * C4 + h * (D / 4);
    //@for d in 0..PART
    if ($d * 4 + part < D / 4) {
      Y[out + $d * 4 + part] = select(y_$r_$d * normalizer, vec4f(), isEmpty);
    }
    //@end
    if (part == 0) {
      lse[(b * params.H + h) * params.T + q_$r] = select(maximum_$r + log(sum_$r), 0.0, isEmpty);
    }
  }
  //@end
}
