// attention   the same as naive.wgsl: Y = softmax(scale * Q K^T) V over the keys that the prefix mask lets through
// shapes      QKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  Y (B,T,C)  lse (B,H,T)    C = H*D, E = C/GROUP, D a multiple of 4, at most 64
// bindings    0 QKV read, 1 prefix read, 2 length read, 3 Y write, 4 lse write, 5 {T,H,scale} uniform
// work        a workgroup has 64 queries of a head and walks over their keys, KEYS at a time, by two products of blocks in
//             registers: S^T = K Q^T and Y = P^T V. Lane (tx, ty) of 8 x 16 has queries 4ty.. and keys 4tx.. (and 32 +
//             4tx..), then vec4s tx (and tx + 8) of Y. The 8 lanes of a query find its maximum together. Late queries,
//             which see most keys, come first
// memory      256D + 1024 KP_ROWS + 128 KEYS PART bytes: Q, K, whose place P takes, and V
// traffic     16BTC + 4BHT bytes (K and V once a workgroup)
// steps       tiled.wgsl waits twice every four keys and loads a vec4 for 4 to 16 multiply-adds; here a wait is for KEYS keys,
//             and 3 loads are for 32 multiply-adds. All words of a tile are under way at once: no loop around loads. 4x4
//             blocks turned on the way in let both products read whole vec4s, and the XOR in their place keeps what
//             neighbours store in different banks. Arrays of arrays: a constant index costs nothing, others are clamped
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

const LANES = 128;
// Rows of K in a row of 16 vec4s.
const PER = 64 / KEYS;
// Width of a row of V in workgroup memory, in vec4s; zeros behind D/4.
const WIDTH = 8 * PART;

// (D, queries): four queries at one d.
var<workgroup> Q: array<array<array<vec4f, 16>, 4>, D / 4>;
// (D, KEYS): four keys at one d. Then (KEYS, queries): P of four queries at one key.
var<workgroup> KP: array<array<array<vec4f, 16>, 4>, KP_ROWS>;
var<workgroup> V: array<array<array<vec4f, WIDTH>, 4>, KEYS / 4>;

fn swizzle(x: u32, y: u32) -> u32 {
  return x ^ (y % 8);
}

// Where four keys of K lie in their row of KP.
fn keyPlace(x: u32, d: u32) -> u32 {
  return d % PER * (KEYS / 4) + swizzle(x, d);
}

// Column j holds rows first to first + 3 at word 4d + j; zeros from row `end` on, which may hold anything, even NaN.
fn block(first: u32, end: u32, d: u32, base: u32) -> mat4x4f {
  let W4 = (params.H + 2 * (params.H / GROUP)) * (D / 4);
  var rows = mat4x4f();
  //@for r in 0..4
  if (first + $r < end) {
    rows[$r] = QKV[base + (first + $r) * W4 + d];
  }
  //@end
  return transpose(rows);
}

//@if SUBGROUP
fn rowMaximum(own: vec4f, lane: u32) -> vec4f {
  var most = max(own, subgroupShuffleXor(own, 1u));
  most = max(most, subgroupShuffleXor(most, 2u));
  return max(most, subgroupShuffleXor(most, 4u));
}
fn rowSum(own: vec4f, lane: u32) -> vec4f {
  var sum = own + subgroupShuffleXor(own, 1u);
  sum += subgroupShuffleXor(sum, 2u);
  return sum + subgroupShuffleXor(sum, 4u);
}
//@else
// In the memory of K, which is not needed any more.
fn share(own: vec4f, lane: u32) {
  workgroupBarrier();
  KP[lane / 64][lane / 16 % 4][lane % 16] = own;
  workgroupBarrier();
}
fn sharedBy(lane: u32) -> vec4f {
  return KP[lane / 64][lane / 16 % 4][lane % 16];
}
fn rowMaximum(own: vec4f, lane: u32) -> vec4f {
  share(own, lane);
  var most = own;
  for (var i = 0u; i < 8; i++) { most = max(most, sharedBy(lane / 8 * 8 + i)); }
  return most;
}
fn rowSum(own: vec4f, lane: u32) -> vec4f {
  share(own, lane);
  var sum = vec4f();
  for (var i = 0u; i < 8; i++) { sum += sharedBy(lane / 8 * 8 + i); }
  return sum;
}
//@end

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let h = group.y;
  let b = group.z;
  let tx = lane % 8;
  let ty = lane / 8;
  let C4 = params.H * (D / 4);
  let E4 = C4 / GROUP;
  let W4 = C4 + 2 * E4;
  let lengthB = min(length[b], params.T);
  let prefixB = prefix[b];
  let blockStart = (groups.x - 1 - group.x) * 64;
  let kEnd = select(0u, min(lengthB, max(blockStart + 64, prefixB)), blockStart < lengthB);
  let queryBase = b * params.T * W4 + h * (D / 4);
  let keyBase = b * params.T * W4 + C4 + h / GROUP * (D / 4);

  for (var i = lane; i < 4 * D; i += LANES) {
    let d = i % (D / 4);
    let x = i / (D / 4);
    let words = block(blockStart + 4 * x, lengthB, d, queryBase);
    //@for j in 0..4
    Q[d][$j][swizzle(x, d)] = words[$j] * params.scale;
    //@end
  }

  let queries = blockStart + 4 * ty + vec4u(0, 1, 2, 3);
  let visible = select(vec4u(), min(vec4u(lengthB), max(queries + 1, vec4u(prefixB))), queries < vec4u(lengthB));
  var maximum = vec4f(LOWEST);
  var sum = vec4f(); // of the keys of this lane
  //@for q in 0..4
  //@for p in 0..PART
  var y_$q_$p = vec4f();
  //@end
  //@end

  for (var tile = 0u; tile < kEnd; tile += KEYS) {
    workgroupBarrier();
    //@for s in 0..K_STEPS
    let i_$s = lane + $s * LANES;
    let d_$s = i_$s % (D / 4);
    let x_$s = i_$s / (D / 4);
    let k_$s = block(tile + 4 * x_$s, kEnd, d_$s, keyBase);
    //@end
    //@for s in 0..K_STEPS
    if (x_$s < KEYS / 4) {
      //@for j in 0..4
      KP[d_$s / PER][$j][keyPlace(x_$s, d_$s)] = k_$s[$j];
      //@end
    }
    //@end
    //@for s in 0..V_STEPS
    let at_$s = lane + $s * LANES;
    var v_$s = vec4f();
    if (tile + at_$s / WIDTH < kEnd && at_$s % WIDTH < D / 4) {
      v_$s = QKV[keyBase + (tile + at_$s / WIDTH) * W4 + E4 + at_$s % WIDTH];
    }
    //@end
    //@for s in 0..V_STEPS
    V[at_$s / WIDTH / 4][at_$s / WIDTH % 4][at_$s % WIDTH] = v_$s;
    //@end
    workgroupBarrier();

    // S: this lane's queries at each of its keys.
    //@for n in 0..KEYS/32
    //@for c in 0..4
    var s_$n_$c = vec4f();
    //@end
    //@end
    for (var d0 = 0u; d0 < D / 4; d0 += UNROLL) {
      //@for u in 0..UNROLL
      {
        let d = d0 + $u;
        //@for j in 0..4
        let q_$j = Q[d][$j][swizzle(ty, d)];
        //@for n in 0..KEYS/32
        let k_$j_$n = KP[d / PER][$j][keyPlace(tx + 8 * $n, d)];
        //@for c in 0..4
        s_$n_$c += k_$j_$n[$c] * q_$j;
        //@end
        //@end
        //@end
      }
      //@end
    }

    var most = maximum;
    //@for n in 0..KEYS/32
    //@for c in 0..4
    let sees_$n_$c = vec4u(tile + 4 * (tx + 8 * $n) + $c) < visible;
    s_$n_$c = select(vec4f(LOWEST), s_$n_$c, sees_$n_$c);
    most = max(most, s_$n_$c);
    //@end
    //@end
    most = rowMaximum(most, lane);
    let decay = exp(maximum - most);
    maximum = most;
    sum *= decay;
    //@for q in 0..4
    //@for p in 0..PART
    y_$q_$p *= decay[$q];
    //@end
    //@end
    workgroupBarrier();
    //@for n in 0..KEYS/32
    //@for c in 0..4
    {
      let p = select(vec4f(), exp(s_$n_$c - most), sees_$n_$c);
      sum += p;
      KP[tx + 8 * $n][$c][swizzle(ty, tx)] = p;
    }
    //@end
    //@end
    workgroupBarrier();

    for (var k = 0u; k < KEYS / 4; k++) {
      //@for j in 0..4
      let p_$j = KP[k][$j][swizzle(ty, k)];
      //@for p in 0..PART
      let v_$j_$p = V[k][$j][tx + 8 * $p];
      //@for q in 0..4
      y_$q_$p += p_$j[$q] * v_$j_$p;
      //@end
      //@end
      //@end
    }
  }

  sum = rowSum(sum, lane);
  let isEmpty = visible == vec4u();
  let normalizer = select(1 / sum, vec4f(), isEmpty);
  //@for q in 0..4
  if (queries[$q] < params.T) {
    let out = (b * params.T + queries[$q]) * C4 + h * (D / 4);
    //@for p in 0..PART
    if (tx + 8 * $p < D / 4) {
      Y[out + tx + 8 * $p] = select(y_$q_$p * normalizer[$q], vec4f(), isEmpty[$q]);
    }
    //@end
    if (tx == 0) {
      lse[(b * params.H + h) * params.T + queries[$q]] = select(maximum[$q] + log(sum[$q]), 0.0, isEmpty[$q]);
    }
  }
  //@end
}
