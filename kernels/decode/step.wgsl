// decode    one token of every sequence through the whole language model, in one launch:
//           x = tokenTable[current] + positionTable[position];  for each layer: x += out(attend(qkv(norm_1 x))),
//           x += down(gelu(up(norm_2 x)));  logits = head(norm x)
// shapes    current, position (B)  cache (layers,B,capacity,2C) rows [k|v]  logits (B,V)  scratch (rows,6C), rows B rounded
//           up to ROWS; C = H*D, C4 = C/4, V4 = V/4; D, V multiples of 4
// bindings  0 W texels (all parameters), 1 offsets read, 2 current read, 3 position read, 4 cache read-write,
//           5 scratch read-write, 6 logits write, 7 {B,C4,H,capacity,positions,layers,V4,scale,epsilon} uniform
// offsets   first texels in W: token table, position table; a layer's norm_1 weight and bias, qkv, out (weight, bias each),
//           norm_2, up, down; final norm weight and bias, head
// work      a workgroup takes ROWS sequences through all of it: a sequence needs no other's numbers, so nothing waits but
//           the 8 lanes of a workgroup, at barriers. Norms: a lane a row; attention: a lane a (row, head), streaming
//           softmax; products: a lane holds ROWS x 4J sums, k by 4, one piece of code for all of them; f32
// traffic   4 bytes of each weight and ROWS rows' activations a workgroup, mostly from cache; 8C * position of the cache
// steps     on llvmpipe a launch costs about 40 us beside its arithmetic, and a small model's decoding step had 25 of them;
//           with BROADCAST each lane reads a row or two of a product's left side for all, 1.45x at 32 sequences of nano
// source    GELU in its tanh form, arXiv:1606.08415; streaming softmax arXiv:1805.02867

//@include "texel.wgsl"

struct Params { B: u32, C4: u32, H: u32, capacity: u32, positions: u32, layers: u32, V4: u32, scale: f32, epsilon: f32 }

@group(0) @binding(0) var W: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> current: array<u32>;
@group(0) @binding(3) var<storage, read> position: array<u32>;
@group(0) @binding(4) var<storage, read_write> cache: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> scratch: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> logits: array<vec4f>;
@group(0) @binding(7) var<uniform> params: Params;

const D4 = D / 4;
// What a layer's four products multiply; the head comes after the last layer's.
const QKV = 0u;
const OUT = 1u;
const UP = 2u;
const DOWN = 3u;
const HEAD = 4u;

fn weight(i: u32) -> vec4f {
  return textureLoad(W, texel(i));
}

alias Value = vec4f;
//@include "gelu.wgsl"

// y = scale * (x - mean) / sqrt(variance + epsilon) + shift, rows of scratch and vectors of W by their first element
fn normalize(x_at: u32, y_at: u32, scale_at: u32, shift_at: u32) {
  var total = vec4f();
  for (var c = 0u; c < params.C4; c++) {
    total += scratch[x_at + c];
  }
  let mean = dot(total, vec4f(1.0)) / f32(4u * params.C4);
  var squares = vec4f();
  for (var c = 0u; c < params.C4; c++) {
    let centred = scratch[x_at + c] - mean;
    squares += centred * centred;
  }
  let rstd = inverseSqrt(dot(squares, vec4f(1.0)) / f32(4u * params.C4) + params.epsilon);
  for (var c = 0u; c < params.C4; c++) {
    scratch[y_at + c] = weight(scale_at + c) * ((scratch[x_at + c] - mean) * rstd) + weight(shift_at + c);
  }
}

//@include "own_weight.wgsl"

// Appends k and v of a head of a row to its cache and attends from q.
fn attend(row: u32, head: u32, layer: u32, qkv: u32, y_at: u32) {
  let b = min(row, params.B - 1u);
  let end = position[b];
  // The new token starts the softmax: its score is the first maximum, its weight exp(0).
  var maximum = 0.0;
  let base = (layer * params.B + b) * params.capacity * 2u * params.C4 + head * D4;
  let slot = base + end * 2u * params.C4;
  let isInside = row < params.B && end < params.capacity;
  //@for d in 0..D/4
  let q_$d = scratch[qkv + $du] * params.scale;
  let k_$d = scratch[qkv + params.C4 + $du];
  var y_$d = scratch[qkv + 2u * params.C4 + $du];
  maximum += dot(q_$d, k_$d);
  if (isInside) {
    cache[slot + $du] = k_$d;
    cache[slot + params.C4 + $du] = y_$d;
  }
  //@end
  var sum = ownWeight(maximum);
  for (var t = 0u; t < min(end, params.capacity); t++) {
    let key = base + t * 2u * params.C4;
    var s = 0.0;
    //@for d in 0..D/4
    s += dot(q_$d, cache[key + $du]);
    //@end
    let newMaximum = max(maximum, s);
    let decay = exp(maximum - newMaximum);
    let share = exp(s - newMaximum);
    maximum = newMaximum;
    sum = sum * decay + share;
    //@for d in 0..D/4
    y_$d = y_$d * decay + share * cache[key + params.C4 + $du];
    //@end
  }
  //@for d in 0..D/4
  scratch[y_at + $du] = y_$d / sum;
  //@end
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let lane = id.x;
  let first = group.x * ROWS;
  // A row of scratch: x (C), the left side of a product (C), and what is wider: qkv (3C) or the MLP's inside (4C).
  let width = 6u * params.C4;
  let left = params.C4;
  let wide = 2u * params.C4;

  for (var i = lane; i < ROWS * params.C4; i += 8u) {
    let row = first + i / params.C4;
    let c = i % params.C4;
    let b = min(row, params.B - 1u);
    scratch[row * width + c] = weight(offsets[0] + current[b] * params.C4 + c) +
      weight(offsets[1] + min(position[b], params.positions - 1u) * params.C4 + c);
  }
  storageBarrier();

  // Products in order, four a layer and the head: one piece of code, which compiles once.
  for (var phase = 0u; phase <= 4u * params.layers; phase++) {
    let layer = phase / 4u;
    let kind = select(phase % 4u, HEAD, layer == params.layers);
    let part = 2u + 12u * layer;
    if (kind == QKV || kind == UP || kind == HEAD) {
      let norm = part + select(0u, 6u, kind == UP);
      for (var r = lane; r < ROWS; r += 8u) {
        let at = (first + r) * width;
        normalize(at, at + left, offsets[norm], offsets[norm + 1u]);
      }
    }
    if (kind == OUT) {
      for (var pair = lane; pair < ROWS * params.H; pair += 8u) {
        let row = first + pair / params.H;
        let head = pair % params.H;
        attend(row, head, layer, row * width + wide + head * D4, row * width + left + head * D4);
      }
    }
    storageBarrier();

    let matrix_index = part + select(select(select(2u, 4u, kind == OUT), 8u, kind == UP), 10u, kind == DOWN);
    let matrix = offsets[matrix_index];
    let bias = offsets[select(matrix_index + 1u, matrix_index, kind == HEAD)];
    let K4 = select(params.C4, 4u * params.C4, kind == DOWN);
    let N4 = select(select(select(params.C4, 3u * params.C4, kind == QKV), 4u * params.C4, kind == UP), params.V4, kind == HEAD);
    let x_at = first * width + select(left, wide, kind == DOWN);
    let y_at = first * width + select(0u, wide, kind == QKV || kind == UP);
    // Counted by what the lanes share: a broadcast wants all of them in every round.
    for (var start = 0u; start < N4; start += 8u * J) {
      let block = start + lane;
      //@for j in 0..J
      let col_$j = min(block + 8u * $ju, N4 - 1u);
      //@for g in 0..ROWS/4
      //@for c in 0..4
      var sum_$g_$c_$j = vec4f();
      //@end
      //@end
      //@end
      for (var k = 0u; k < K4; k++) {
        // A row is the same for all lanes: each reads one or two and the others get them.
        //@if BROADCAST
        //@for h in 0..OWN
        let own_$h = scratch[x_at + (8u * $hu + lane) % ROWS * width + k];
        //@end
        //@end
        //@for g in 0..ROWS/4
        //@for c in 0..4
        //@if BROADCAST
        let a_$g_$c = subgroupBroadcast(own_${g/2}, (4u * $gu + $cu) % 8u);
        //@else
        let a_$g_$c = scratch[x_at + (4u * $gu + $cu) * width + k];
        //@end
        //@end
        //@end
        //@for j in 0..J
        //@for q in 0..4
        let b_$j_$q = weight(matrix + (4u * k + $qu) * N4 + col_$j);
        //@end
        //@end
        //@for j in 0..J
        //@for g in 0..ROWS/4
        //@for c in 0..4
        //@for q in 0..4
        sum_$g_$c_$j += a_$g_$c[$q] * b_$j_$q;
        //@end
        //@end
        //@end
        //@end
      }
      //@for j in 0..J
      let bias_$j = select(weight(bias + col_$j), vec4f(), kind == HEAD);
      //@end
      for (var i = 0u; i < ROWS / 4u; i++) {
        //@for c in 0..4
        //@for j in 0..J
        if (block + 8u * $ju < N4) {
          let row = 4u * i + $cu;
          var sum = sum_0_$c_$j;
          //@for g in 1..ROWS/4
          sum = select(sum, sum_$g_$c_$j, i == $gu);
          //@end
          sum += bias_$j;
          let at = y_at + row * width + col_$j;
          if (kind == HEAD) {
            if (first + row < params.B) {
              logits[(first + row) * params.V4 + col_$j] = sum;
            }
          } else if (kind == UP) {
            scratch[at] = gelu(sum);
          } else if (kind == QKV) {
            scratch[at] = sum;
          } else {
            scratch[at] += sum;
          }
        }
        //@end
        //@end
      }
    }
    storageBarrier();
  }
}
