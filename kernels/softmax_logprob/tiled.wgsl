// linear logprob, for GPUs: one tiled product under three entry points
// forward   logits = X W / temperature; max, sum and entropy sum of each invocation's columns, for merge.wgsl
// dlogits   logprob[n] = logits[n,target] - lse[n],  entropy[n] = -sum_v p log p
//           dLogits = (dLogprob * ((v == target) - p) - dEntropy * p * (log p + entropy)) / temperature
// product   logits = X W / temperature  (dLogits is already divided by it):
//           dX = or += dLogits W^T (TRANSPOSE_B),  dW += X^T dLogits (TRANSPOSE_A and ACCUMULATE)
// shapes    X (N,C)  W (C,V)  targets,lse,entropy,dLogprob,dEntropy (N)  dLogits (rows,columns), of rows row0.. of X
//           W and dW begin at column0 of all columns, their rows V apart; partials (N, panels * X) vec4f;  C and V multiples of 4
// bindings  0 A read, 1 B read, 2 partials, dLogits, dX or dW write, 3 {shape} uniform; forward, dlogits: 4 targets
//           read; dlogits: 5 lse read, 6 entropy read, 7 dLogprob read, 8 dEntropy read
// work      a workgroup holds a tile of the product: X x Y invocations with 4I rows x 4J columns each; it walks the
//           terms of the sums in steps of DEPTH, staged in workgroup memory. SLICES such teams share a tile (product
//           only): each adds its part of every step. forward goes on to the next tile of its panel of columns
// traffic   per step (4IY + 4JX) DEPTH words read, against 16 IY JX DEPTH multiply-adds; logits recomputed, in f32
// steps     as kernels/matmul/tiled.wgsl, for GPUs; the running maximum stays in registers, and merging the X parts of
//           a row in merge.wgsl saves a reduction and its barriers at every tile
// values    a logit of -infinity has probability 0; NaN or +infinity makes all three results of its row NaN
// source    running maximum and sum: arXiv:1805.02867

struct Params {
  rows: u32, // of the product, columns and terms too
  columns: u32,
  terms: u32,
  bStride: u32, // words from a stored row to the next
  resultStride: u32,
  row0: u32,
  column0: u32,
  tilesPerPanel: u32,
  hasEntropy: u32,
  temperature: f32,
}

@group(0) @binding(0) var<storage, read> A: array<vec4f>;
@group(0) @binding(1) var<storage, read> B: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> targets: array<u32>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> entropy: array<f32>;
@group(0) @binding(7) var<storage, read> dLogprob: array<f32>;
@group(0) @binding(8) var<storage, read> dEntropy: array<f32>;

//@include "lowest.wgsl"

alias Staged = vec4f;
//@include "staging.wgsl"

// An invocation's SUMS = 4 I J vec4s of the tile: row 4 i + c, vec4 j at (4 i + c) J + j.
alias Sums = array<vec4f, SUMS>;

struct Place {
  rowQuad: u32, // of the tile's first row and column
  columnQuad: u32,
  lane: vec3u,
  thread: u32,
}

// Four words of a stored row; zeros outside the matrix.
fn loadA(row: u32, column: u32) -> vec4f {
  let shape = select(vec2u(params.rows, params.terms), vec2u(params.terms, params.rows), TRANSPOSE_A);
  if (row < shape.x && column < shape.y) {
    return A[(row * shape.y + column) / 4];
  }
  return vec4f();
}

fn loadB(row: u32, column: u32) -> vec4f {
  let shape = select(vec2u(params.terms, params.columns), vec2u(params.columns, params.terms), TRANSPOSE_B);
  if (row < shape.x && column < shape.y) {
    return B[(row * params.bStride + column) / 4];
  }
  return vec4f();
}

// Column q holds four rows of A, or four columns of B, at the block's term q.
fn loadBlock(block: u32, at: Place, term: u32) -> mat4x4f {
  if (block < A_BLOCKS) {
    let place = blockPlace(block, A_QUADS, !TRANSPOSE_A);
    let m = 4 * (at.rowQuad + place.x);
    let k = term + 4 * place.y;
    //@if TRANSPOSE_A
    return mat4x4f(loadA(k, m), loadA(k + 1, m), loadA(k + 2, m), loadA(k + 3, m));
    //@else
    return transpose(mat4x4f(loadA(m, k), loadA(m + 1, k), loadA(m + 2, k), loadA(m + 3, k)));
    //@end
  }
  let place = blockPlace(block - A_BLOCKS, B_QUADS, TRANSPOSE_B);
  let n = 4 * (at.columnQuad + place.x);
  let k = term + 4 * place.y;
  //@if TRANSPOSE_B
  return transpose(mat4x4f(loadB(n, k), loadB(n + 1, k), loadB(n + 2, k), loadB(n + 3, k)));
  //@else
  return mat4x4f(loadB(k, n), loadB(k + 1, n), loadB(k + 2, n), loadB(k + 3, n));
  //@end
}

// This invocation's sums of the tile; with SLICES, those of its slice.
fn tileProduct(at: Place) -> Sums {
  var sums: Sums;
  //@for s in 0..STAGES
  var next_$s = loadBlock(at.thread + $s * THREADS, at, 0);
  //@end
  for (var term = 0u; term < params.terms; term += DEPTH) {
    //@for s in 0..STAGES
    stageBlock(at.thread + $s * THREADS, next_$s);
    //@end
    workgroupBarrier();
    // The next step's words are under way while this one's are multiplied.
    //@for s in 0..STAGES
    next_$s = loadBlock(at.thread + $s * THREADS, at, term + DEPTH);
    //@end
    //@for g in 0..GROUPS
    {
      //@if SLICES/2
      let y = at.lane.z * GROUPS + $g;
      //@else
      const y = u32($g);
      //@end
      //@for q in 0..4
      //@for i in 0..I
      let a_$i_$q = A_tile[y][$q][swizzle(at.lane.y + $i * Y, y)];
      //@end
      //@for j in 0..J
      let b_$j_$q = B_tile[y][$q][swizzle(at.lane.x + $j * X, y)];
      //@end
      //@for i in 0..I
      //@for c in 0..4
      //@for j in 0..J
      sums[(4 * $i + $c) * J + $j] += a_$i_$q[$c] * b_$j_$q;
      //@end
      //@end
      //@end
      //@end
    }
    //@end
    workgroupBarrier();
  }
  return sums;
}

//@if FORWARD
@compute @workgroup_size(X, Y)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let scale = 1.0 / params.temperature;
  let rowQuad = group.y * A_QUADS;
  //@for i in 0..I
  //@for c in 0..4
  let row_$i_$c = 4 * (rowQuad + lane.y + $i * Y) + $c;
  let label_$i_$c = targets[min(row_$i_$c, params.rows - 1)];
  // The lowest f32, which no finite logit is below.
  var largest_$i_$c = LOWEST;
  var total_$i_$c = 0.0; // sum_v e^(logit - largest)
  var weighted_$i_$c = 0.0; // sum_v (logit - largest) e^(logit - largest)
  var chosen_$i_$c = 0.0; // logit of the target, if it lies in these columns
  //@end
  //@end
  for (var step = 0u; step < params.tilesPerPanel; step++) {
    let columnQuad = (group.x * params.tilesPerPanel + step) * B_QUADS;
    let sums = tileProduct(Place(rowQuad, columnQuad, lane, thread));
    //@for j in 0..J
    let column_$j = 4 * (columnQuad + lane.x + $j * X);
    let ids_$j = vec4u(column_$j) + vec4u(0, 1, 2, 3);
    //@end
    //@for i in 0..I
    //@for c in 0..4
    {
      var next4 = vec4f(largest_$i_$c);
      //@for j in 0..J
      let l_$j = select(sums[(4 * $i + $c) * J + $j] * scale, vec4f(LOWEST), column_$j >= params.columns);
      next4 = max(next4, l_$j);
      chosen_$i_$c += dot(select(vec4f(), l_$j, ids_$j == vec4u(label_$i_$c)), vec4f(1.0));
      //@end
      let next = max(max(next4.x, next4.y), max(next4.z, next4.w));
      let shift = max(largest_$i_$c - next, FAR);
      let decay = exp(shift);
      var sum4 = vec4f();
      var weighted4 = vec4f();
      //@for j in 0..J
      let e_$j = select(exp(l_$j - next), vec4f(), column_$j >= params.columns);
      sum4 += e_$j;
      // p log p of a logit of -infinity is 0, not NaN.
      weighted4 += max(l_$j - next, vec4f(FAR)) * e_$j;
      //@end
      weighted_$i_$c = decay * (weighted_$i_$c + shift * total_$i_$c) + dot(weighted4, vec4f(1.0));
      total_$i_$c = decay * total_$i_$c + dot(sum4, vec4f(1.0));
      largest_$i_$c = next;
    }
    //@end
    //@end
  }
  //@for i in 0..I
  //@for c in 0..4
  if (row_$i_$c < params.rows) {
    result[(row_$i_$c * groups.x + group.x) * X + lane.x] =
      vec4f(largest_$i_$c, total_$i_$c, weighted_$i_$c, chosen_$i_$c);
  }
  //@end
  //@end
}
//@end

//@if DLOGITS
@compute @workgroup_size(X, Y)
fn dlogits(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let at = Place(group.y * A_QUADS, group.x * B_QUADS, lane, thread);
  let sums = tileProduct(at);
  let scale = 1.0 / params.temperature;
  //@for i in 0..I
  //@for c in 0..4
  {
    let row = 4 * (at.rowQuad + lane.y + $i * Y) + $c;
    if (row < params.rows) {
      let n = params.row0 + row;
      let label = vec4u(targets[n]);
      let gradient = dLogprob[n] * scale;
      let entropyGradient = select(0.0, dEntropy[n], params.hasEntropy != 0) * scale;
      //@for j in 0..J
      let column_$j = 4 * (at.columnQuad + lane.x + $j * X);
      if (column_$j < params.columns) {
        let isTarget = vec4u(params.column0 + column_$j) + vec4u(0, 1, 2, 3) == label;
        let logp = sums[(4 * $i + $c) * J + $j] * scale - lse[n];
        let p = exp(logp);
        result[(row * params.resultStride + column_$j) / 4] = gradient * (select(vec4f(), vec4f(1.0), isTarget) - p) -
          entropyGradient * p * (max(logp, vec4f(FAR)) + entropy[n]);
      }
      //@end
    }
  }
  //@end
  //@end
}
//@end

//@if PRODUCT
@compute @workgroup_size(X, Y, SLICES)
fn product(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let at = Place(group.y * A_QUADS, group.x * B_QUADS, lane, thread);
  var sums = tileProduct(at);
  //@if SLICES/2
  // One slice after another hands its sums over in the memory of A's tile, which is free by now.
  let first = lane.y * X + lane.x;
  for (var slice = 1u; slice < SLICES; slice++) {
    //@for r in 0..SUMS
    if (lane.z == slice) {
      let at_$r = first + $r * (X * Y);
      A_tile[at_$r / (4 * A_QUADS)][at_$r / A_QUADS % 4][at_$r % A_QUADS] = sums[$r];
    }
    //@end
    workgroupBarrier();
    //@for r in 0..SUMS
    if (lane.z == 0) {
      let at_$r = first + $r * (X * Y);
      sums[$r] += A_tile[at_$r / (4 * A_QUADS)][at_$r / A_QUADS % 4][at_$r % A_QUADS];
    }
    //@end
    workgroupBarrier();
  }
  if (lane.z > 0) {
    return;
  }
  //@end
  //@for i in 0..I
  //@for c in 0..4
  //@for j in 0..J
  {
    let row = 4 * (at.rowQuad + lane.y + $i * Y) + $c;
    let column = 4 * (at.columnQuad + lane.x + $j * X);
    if (row < params.rows && column < params.columns) {
      let index = (row * params.resultStride + column) / 4;
      //@if ACCUMULATE
      result[index] += sums[(4 * $i + $c) * J + $j];
      //@else
      result[index] = sums[(4 * $i + $c) * J + $j];
      //@end
    }
  }
  //@end
  //@end
  //@end
}
//@end
