// attention_dq   forward Y[q] = sum_k P[q,k] V[k],  P = exp(S - lse),  S[q,k] = scale * Q[q].K[k]
//                delta[q] = dY[q].Y[q];  dS[q,k] = P[q,k] * (dY[q].V[k] - delta[q]);  dQ[q] = scale * sum_k dS[q,k] K[k]
// shapes         QKV,dQKV (B,T,C+2E) rows [q|k|v]  prefix,length (B)  Y,dY (B,T,C)  lse,delta (B,H,T)
//                C = H*D, E = C/GROUP, D a multiple of 4
// bindings       0 QKV read, 1 prefix read, 2 length read, 3 Y read, 4 lse read, 5 dY read, 6 delta write,
//                7 dQKV write (q columns only), 8 {T,H,scale} uniform
// work           as tiled.wgsl: a workgroup has 16 ROWS queries of a head, four lanes share ROWS of them (q, dY, dQ); the
//                parts exchange partial S and dP of four keys a step; f32 sums in key order
// memory         8 KiB of tiles and 4 KiB * ROWS of partial sums, of the 16 KiB that WebGPU promises
// traffic        24BTC + 8BHT bytes (K and V once a workgroup)
// steps          as tiled.wgsl; P is recomputed from lse, so nothing is rescaled and nothing of size T x T is stored
// source         arXiv:2205.14135, appendix B

struct Params { T: u32, H: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> QKV: array<vec4f>;
@group(0) @binding(1) var<storage, read> prefix: array<u32>;
@group(0) @binding(2) var<storage, read> length: array<u32>;
@group(0) @binding(3) var<storage, read> Y: array<vec4f>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> dY: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> dQKV: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;

const STRIDE = 4 * PART;
// Partial sums of a buffer: S of every row, then dP of every row.
const SUMS = 64 * ROWS;
var<workgroup> K: array<vec4f, TILE * STRIDE>;
var<workgroup> V: array<vec4f, TILE * STRIDE>;
var<workgroup> partials: array<vec4f, 4 * SUMS>;

fn qkv(row: u32, column: u32) -> vec4f {
  if (column >= D / 4) { return vec4f(); }
  return QKV[row + column];
}
fn y(row: u32, column: u32) -> vec4f {
  if (column >= D / 4) { return vec4f(); }
  return Y[row + column];
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
  let outBase = b * params.T * C4 + h * (D / 4);
  let statistics = (b * params.H + h) * params.T;

  //@for r in 0..ROWS
  let q_$r = blockStart + $r * 16 + lane / 4;
  let visible_$r = select(0u, min(lengthB, max(q_$r + 1, prefixB)), q_$r < lengthB);
  let row_$r = queryBase + min(q_$r, lastQ) * W4;
  let out_$r = outBase + min(q_$r, lastQ) * C4;
  let lse_$r = lse[statistics + min(q_$r, lastQ)];
  var deltaPart_$r = 0.0;
  //@for d in 0..PART
  let q_$r_$d = qkv(row_$r, $d * 4 + part) * params.scale;
  let dY_$r_$d = dy(out_$r, $d * 4 + part);
  deltaPart_$r += dot(dY_$r_$d, y(out_$r, $d * 4 + part));
  var dQ_$r_$d = vec4f();
  //@end
  partials[$r * 64 + lane] = vec4f(deltaPart_$r);
  //@end
  workgroupBarrier();
  //@for r in 0..ROWS
  let delta_$r = total($r * 64 + lane - part).x;
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
      var sPart_$r = vec4f();
      var dPPart_$r = vec4f();
      //@end
      //@for d in 0..PART
      //@for j in 0..4
      let k_$j_$d = K[(k + $j) * STRIDE + $d * 4 + part];
      let v_$j_$d = V[(k + $j) * STRIDE + $d * 4 + part];
      //@for r in 0..ROWS
      sPart_$r[$j] += dot(q_$r_$d, k_$j_$d);
      dPPart_$r[$j] += dot(dY_$r_$d, v_$j_$d);
      //@end
      //@end
      //@end
      //@for r in 0..ROWS
      partials[buffer + $r * 64 + lane] = sPart_$r;
      partials[buffer + SUMS + $r * 64 + lane] = dPPart_$r;
      //@end
      workgroupBarrier();

      let keys = tile + k + vec4u(0, 1, 2, 3);
      //@for r in 0..ROWS
      let s_$r = total(buffer + $r * 64 + lane - part);
      let dP_$r = total(buffer + SUMS + $r * 64 + lane - part);
      let dS_$r = select(vec4f(), exp(s_$r - lse_$r) * (dP_$r - delta_$r), keys < vec4u(visible_$r));
      //@for d in 0..PART
      dQ_$r_$d += dS_$r.x * k_0_$d + dS_$r.y * k_1_$d + dS_$r.z * k_2_$d + dS_$r.w * k_3_$d;
      //@end
      //@end
      buffer = 2 * SUMS - buffer;
    }
  }

  //@for r in 0..ROWS
  if (q_$r < params.T) {
    if (part == 0) {
      delta[statistics + q_$r] = select(delta_$r, 0.0, visible_$r == 0);
    }
    //@for d in 0..PART
    if ($d * 4 + part < D / 4) {
      dQKV[row_$r + $d * 4 + part] = dQ_$r_$d * params.scale;
    }
    //@end
  }
  //@end
}
