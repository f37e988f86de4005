// attention_dkv  forward Y[q] = sum_k P[q,k] V[k],  P = exp(S - lse),  S[q,k] = scale * Q[q].K[k]
//                dV[k] = sum_q P[q,k] dY[q];  dS[q,k] = P[q,k] * (dY[q].V[k] - delta[q]);  dK[k] = scale * sum_q dS[q,k] Q[q]
// shapes         QKV,dQKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  dY (B,T,C)  lse,delta (B,H,T)
//                C = H*D, E = C/GROUP, D a multiple of 4
// bindings       0 QKV read, 1 prefix read, 2 length read, 3 lse read, 4 dY read, 5 delta read,
//                6 dQKV write (k and v columns only), 7 {T,H,scale} uniform
// work           as tiled_dq.wgsl with the sides exchanged: a workgroup has 16 ROWS keys of a head of keys, four lanes share
//                ROWS of them (k, v, dK, dV), and TILE queries at a time are staged (q and dY); f32 sums in query order,
//                one query head of the GROUP after another
// memory         8 KiB of tiles and 4 KiB * ROWS of partial sums, of the 16 KiB that WebGPU promises
// traffic        24BTC + 8BHT bytes (Q and dY once a workgroup)
// steps          as tiled.wgsl
// source         arXiv:2205.14135, appendix B

struct Params { T: u32, H: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> QKV: array<vec4f>;
@group(0) @binding(1) var<storage, read> prefix: array<u32>;
@group(0) @binding(2) var<storage, read> length: array<u32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> dY: array<vec4f>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dQKV: array<vec4f>;
@group(0) @binding(7) var<uniform> params: Params;

const STRIDE = 4 * PART;
// Partial sums of a buffer: S of every row, then dP of every row.
const SUMS = 64 * ROWS;
var<workgroup> Q: array<vec4f, TILE * STRIDE>;
var<workgroup> G: array<vec4f, TILE * STRIDE>;
var<workgroup> partials: array<vec4f, 4 * SUMS>;

fn qkv(row: u32, column: u32) -> vec4f {
  if (column >= D / 4) { return vec4f(); }
  return QKV[row + column];
}
fn dy(row: u32, column: u32) -> vec4f {
  if (column >= D / 4) { return vec4f(); }
  return dY[row + column];
}
// The sum over the four parts, whose vec4s are neighbours.
fn total(first: u32) -> vec4f {
  return (partials[first] + partials[first + 1]) + (partials[first + 2] + partials[first + 3]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let keyHead = group.y;
  let b = group.z;
  let part = lane % 4;
  let C4 = params.H * (D / 4);
  let E4 = C4 / GROUP;
  let W4 = C4 + 2 * E4;
  let lengthB = min(length[b], params.T);
  let prefixB = prefix[b];
  let last = params.T - 1;
  let blockStart = group.x * (16 * ROWS);
  let keyBase = b * params.T * W4 + C4 + keyHead * (D / 4);
  // The queries that see a key are one range: from the key on, or all of them for a key in the prefix.
  let qStart = select(blockStart, 0u, blockStart < prefixB);
  let qEnd = select(0u, lengthB, blockStart < lengthB);

  //@for r in 0..ROWS
  let k_$r = blockStart + $r * 16 + lane / 4;
  let first_$r = select(k_$r, 0u, k_$r < prefixB);
  let key_$r = keyBase + min(k_$r, last) * W4;
  //@for d in 0..PART
  let k_$r_$d = qkv(key_$r, $d * 4 + part) * params.scale;
  let v_$r_$d = qkv(key_$r + E4, $d * 4 + part);
  var dK_$r_$d = vec4f();
  var dV_$r_$d = vec4f();
  //@end
  //@end

  var buffer = 0u;
  //@if GROUPED
  for (var g = 0u; g < GROUP; g++) {
  let h = keyHead * GROUP + g;
  //@else
  let h = keyHead;
  //@end
  let queryBase = b * params.T * W4 + h * (D / 4);
  let outBase = b * params.T * C4 + h * (D / 4);
  let statistics = (b * params.H + h) * params.T;
  for (var tile = qStart; tile < qEnd; tile += TILE) {
    workgroupBarrier();
    // All words are under way at once. Queries behind the last one may hold anything, even NaN: they count as zeros.
    //@for s in 0..4
    let i_$s = lane + $s * 64;
    let isQuery_$s = tile + i_$s / STRIDE < qEnd;
    let q_$s = min(tile + i_$s / STRIDE, last);
    let staged_q_$s = select(vec4f(), qkv(queryBase + q_$s * W4, i_$s % STRIDE), isQuery_$s);
    let staged_dY_$s = select(vec4f(), dy(outBase + q_$s * C4, i_$s % STRIDE), isQuery_$s);
    //@end
    //@for s in 0..4
    if (i_$s < TILE * STRIDE) {
      Q[i_$s] = staged_q_$s;
      G[i_$s] = staged_dY_$s;
    }
    //@end
    workgroupBarrier();
    for (var q = 0u; q < min(TILE, qEnd - tile); q += 4) {
      //@for r in 0..ROWS
      var sPart_$r = vec4f();
      var dPPart_$r = vec4f();
      //@end
      //@for d in 0..PART
      //@for j in 0..4
      let q_$j_$d = Q[(q + $j) * STRIDE + $d * 4 + part];
      let dY_$j_$d = G[(q + $j) * STRIDE + $d * 4 + part];
      //@for r in 0..ROWS
      sPart_$r[$j] += dot(k_$r_$d, q_$j_$d);
      dPPart_$r[$j] += dot(v_$r_$d, dY_$j_$d);
      //@end
      //@end
      //@end
      //@for r in 0..ROWS
      partials[buffer + $r * 64 + lane] = sPart_$r;
      partials[buffer + SUMS + $r * 64 + lane] = dPPart_$r;
      //@end
      workgroupBarrier();

      let queries = tile + q + vec4u(0, 1, 2, 3);
      let at = statistics + min(queries, vec4u(last));
      let rowLse = vec4f(lse[at.x], lse[at.y], lse[at.z], lse[at.w]);
      let rowDelta = vec4f(delta[at.x], delta[at.y], delta[at.z], delta[at.w]);
      //@for r in 0..ROWS
      let sees_$r = (queries >= vec4u(first_$r)) & (queries < vec4u(qEnd));
      let s_$r = total(buffer + $r * 64 + lane - part);
      let dP_$r = total(buffer + SUMS + $r * 64 + lane - part);
      let p_$r = select(vec4f(), exp(s_$r - rowLse), sees_$r);
      let dS_$r = select(vec4f(), p_$r * (dP_$r - rowDelta), sees_$r);
      //@for d in 0..PART
      dV_$r_$d += p_$r.x * dY_0_$d + p_$r.y * dY_1_$d + p_$r.z * dY_2_$d + p_$r.w * dY_3_$d;
      dK_$r_$d += dS_$r.x * q_0_$d + dS_$r.y * q_1_$d + dS_$r.z * q_2_$d + dS_$r.w * q_3_$d;
      //@end
      //@end
      buffer = 2 * SUMS - buffer;
    }
  }
  //@if GROUPED
  }
  //@end

  //@for r in 0..ROWS
  if (k_$r < params.T) {
    let isPadding = k_$r >= lengthB;
    //@for d in 0..PART
    if ($d * 4 + part < D / 4) {
      dQKV[key_$r + $d * 4 + part] = select(dK_$r_$d * params.scale, vec4f(), isPadding);
      dQKV[key_$r + E4 + $d * 4 + part] = select(dV_$r_$d, vec4f(), isPadding);
    }
    //@end
  }
  //@end
}
