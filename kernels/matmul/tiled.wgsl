// matmul    C = gelu(op(A) op(B) + bias) + residual,  or C += op(A) op(B);  U = op(A) op(B) + bias
// shapes    op(A) (M,K)  op(B) (K,N)  bias (N)  residual, C, U (M,N), all but bias once per batch item
// bindings  0 A read, 1 B read, 2 bias read, 3 residual read, 4 C write, 5 {shape and stored shapes} uniform,
//           6 U write (with HAS_U); bias and residual are placeholders without HAS_BIAS, HAS_RESIDUAL; with SPLIT C are
//           partials (batch, splits, M, N), for sum_splits.wgsl
// work      a workgroup holds a tile of C: X x Y invocations with 4I rows x 4J columns each; it walks K in steps of
//           DEPTH, which its invocations bring to workgroup memory together; z is the batch item. SLICES such teams
//           share a tile: each multiplies its part of every step, and the first adds up. With SPLIT z counts the splits
//           of each item too: a workgroup walks K_part of K only and writes its plain sums
// limits    none: A_VEC4, B_VEC4, C_VEC4 say whose stored rows are whole vec4s; others move word by word
// traffic   per step: (4IY + 4JX) DEPTH words read, against 16 IY JX DEPTH multiply-adds
// precision f32 sums; with HALF the staged operands are rounded to f16 (beyond 65504 they are infinite)
// steps     for GPUs, each after common practice: a tile in workgroup memory reads A N/(4JX) times, not N times; 8x8 a
//           lane takes 4 vec4 reads for 64 multiply-adds, 4x4 takes 2 for 16; vec4 words move in a quarter of the
//           instructions; the next step's words are under way while this one's are multiplied; 4x4 blocks, turned on
//           the way in, let all transposes share the inner loop, and the XOR in their place keeps the stores of
//           neighbours in different banks; a step's GROUPS unrolled, the next words are read ahead (33 to 37 TFLOP/s at
//           4096^3 on an H100), and in arrays of arrays only indices that vary are clamped (to 46, with a tile of 128 x
//           256); SLICES and SPLIT keep a GPU busy when C has few tiles and K is long, as weight gradients; HALF halves
//           the traffic of workgroup memory
// source    BLAS gemm; GELU as arXiv:1606.08415, tanh form

struct Params {
  M: u32,
  N: u32,
  K: u32,
  aRows: u32, // as stored: (M,K), or (K,M) with TRANSPOSE_A
  aColumns: u32,
  bRows: u32, // (K,N), or (N,K) with TRANSPOSE_B
  bColumns: u32,
  kPart: u32, // with SPLIT: terms of each split's sums, whole steps; the last may have fewer
  splits: u32,
}

//@if A_VEC4
alias ValueA = vec4f;
//@else
alias ValueA = f32;
//@end
//@if B_VEC4
alias ValueB = vec4f;
//@else
alias ValueB = f32;
//@end
//@if C_VEC4
alias Value = vec4f;
//@else
alias Value = f32;
//@end
//@if HALF
alias Staged = vec4<f16>;
//@else
alias Staged = vec4f;
//@end

@group(0) @binding(0) var<storage, read> A: array<ValueA>;
@group(0) @binding(1) var<storage, read> B: array<ValueB>;
@group(0) @binding(2) var<storage, read> bias: array<Value>;
@group(0) @binding(3) var<storage, read> residual: array<Value>;
@group(0) @binding(4) var<storage, read_write> C: array<Value>;
@group(0) @binding(5) var<uniform> params: Params;
//@if HAS_U
@group(0) @binding(6) var<storage, read_write> U: array<Value>;
//@end

//@include "staging.wgsl"

// Four words of a stored row; zeros outside the matrix.
fn loadA(item: u32, row: u32, column: u32) -> vec4f {
  var words = vec4f();
  if (row < params.aRows && column < params.aColumns) {
    let at = (item * params.aRows + row) * params.aColumns + column;
    //@if A_VEC4
    words = A[at / 4];
    //@else
    //@for q in 0..4
    if (column + $q < params.aColumns) {
      words[$q] = A[at + $q];
    }
    //@end
    //@end
  }
  return words;
}

fn loadB(item: u32, row: u32, column: u32) -> vec4f {
  var words = vec4f();
  if (row < params.bRows && column < params.bColumns) {
    let at = (item * params.bRows + row) * params.bColumns + column;
    //@if B_VEC4
    words = B[at / 4];
    //@else
    //@for q in 0..4
    if (column + $q < params.bColumns) {
      words[$q] = B[at + $q];
    }
    //@end
    //@end
  }
  return words;
}

// Column q holds op(A)[m..m+3, k+q].
fn blockOfA(item: u32, m: u32, k: u32) -> mat4x4f {
  //@if TRANSPOSE_A
  return mat4x4f(loadA(item, k, m), loadA(item, k + 1, m), loadA(item, k + 2, m), loadA(item, k + 3, m));
  //@else
  return transpose(
    mat4x4f(loadA(item, m, k), loadA(item, m + 1, k), loadA(item, m + 2, k), loadA(item, m + 3, k)),
  );
  //@end
}

// Column q holds op(B)[k+q, n..n+3].
fn blockOfB(item: u32, k: u32, n: u32) -> mat4x4f {
  //@if TRANSPOSE_B
  return transpose(
    mat4x4f(loadB(item, n, k), loadB(item, n + 1, k), loadB(item, n + 2, k), loadB(item, n + 3, k)),
  );
  //@else
  return mat4x4f(loadB(item, k, n), loadB(item, k + 1, n), loadB(item, k + 2, n), loadB(item, k + 3, n));
  //@end
}

// Loads a block of the tile in column x and row y of batch item z.
fn loadBlock(block: u32, tile: vec3u, k: u32) -> mat4x4f {
  if (block < A_BLOCKS) {
    let place = blockPlace(block, A_QUADS, !TRANSPOSE_A);
    return blockOfA(tile.z, 4 * (tile.y * A_QUADS + place.x), k + 4 * place.y);
  }
  let place = blockPlace(block - A_BLOCKS, B_QUADS, TRANSPOSE_B);
  return blockOfB(tile.z, k + 4 * place.y, 4 * (tile.x * B_QUADS + place.x));
}

//@include "gelu.wgsl"

// Plain `if`s on constants, not //@if: a binding that the text does not mention would leave the layout.
fn finish(at: u32, column: u32, product: Value) {
  var sum = product;
  if (HAS_BIAS) {
    sum += bias[column];
  }
  //@if HAS_U
  U[at] = sum;
  //@end
  if (GELU) {
    sum = gelu(sum);
  }
  if (HAS_RESIDUAL) {
    sum += residual[at];
  }
  if (ACCUMULATE) {
    sum += C[at];
  }
  C[at] = sum;
}

fn finishFour(item: u32, row: u32, column: u32, product: vec4f) {
  if (row >= params.M || column >= params.N) {
    return;
  }
  let at = (item * params.M + row) * params.N + column;
  //@if C_VEC4
  finish(at / 4, column / 4, product);
  //@else
  //@for q in 0..4
  if (column + $q < params.N) {
    finish(at + $q, column + $q, product[$q]);
  }
  //@end
  //@end
}

@compute @workgroup_size(X, Y, SLICES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  //@for i in 0..I
  //@for c in 0..4
  //@for j in 0..J
  var sum_$i_$c_$j = vec4f();
  //@end
  //@end
  //@end
  //@if SPLIT
  let tile = vec3u(group.xy, group.z / params.splits);
  let start = group.z % params.splits * params.kPart;
  let end = min(start + params.kPart, params.K);
  //@else
  let tile = group;
  let start = 0u;
  let end = params.K;
  //@end
  //@for s in 0..STAGES
  var next_$s = loadBlock(thread + $s * THREADS, tile, start);
  //@end
  for (var k = start; k < end; k += DEPTH) {
    //@for s in 0..STAGES
    stageBlock(thread + $s * THREADS, next_$s);
    //@end
    workgroupBarrier();
    //@if SPLIT
    // Behind the last step nothing of the next split: K itself is outside the matrices, where nothing is read.
    let next_k = select(params.K, k + DEPTH, k + DEPTH < end);
    //@else
    let next_k = k + DEPTH;
    //@end
    //@for s in 0..STAGES
    next_$s = loadBlock(thread + $s * THREADS, tile, next_k);
    //@end
    //@for g in 0..GROUPS
    {
      //@if SLICES/2
      let y = lane.z * GROUPS + $g;
      //@else
      const y = u32($g);
      //@end
      //@for q in 0..4
      //@for i in 0..I
      let a_$i_$q = vec4f(A_tile[y][$q][swizzle(lane.y + $i * Y, y)]);
      //@end
      //@for j in 0..J
      let b_$j_$q = vec4f(B_tile[y][$q][swizzle(lane.x + $j * X, y)]);
      //@end
      //@for i in 0..I
      //@for c in 0..4
      //@for j in 0..J
      sum_$i_$c_$j += a_$i_$q[$c] * b_$j_$q;
      //@end
      //@end
      //@end
      //@end
    }
    //@end
    workgroupBarrier();
  }
  //@if SLICES/2
  // One slice after another hands its sums over in the memory of A's tile, which is free by now.
  let first = lane.y * X + lane.x;
  for (var slice = 1u; slice < SLICES; slice++) {
    if (lane.z == slice) {
      //@for i in 0..I
      //@for c in 0..4
      //@for j in 0..J
      {
        let at = first + ((4 * $i + $c) * J + $j) * (X * Y);
        A_tile[at / (4 * A_QUADS)][at / A_QUADS % 4][at % A_QUADS] = Staged(sum_$i_$c_$j);
      }
      //@end
      //@end
      //@end
    }
    workgroupBarrier();
    if (lane.z == 0) {
      //@for i in 0..I
      //@for c in 0..4
      //@for j in 0..J
      {
        let at = first + ((4 * $i + $c) * J + $j) * (X * Y);
        sum_$i_$c_$j += vec4f(A_tile[at / (4 * A_QUADS)][at / A_QUADS % 4][at % A_QUADS]);
      }
      //@end
      //@end
      //@end
    }
    workgroupBarrier();
  }
  if (lane.z > 0) {
    return;
  }
  //@end
  //@for i in 0..I
  //@for c in 0..4
  //@for j in 0..J
  finishFour(
    group.z, // with SPLIT the partial's place, not the item
    4 * (group.y * A_QUADS + lane.y + $i * Y) + $c,
    4 * (group.x * B_QUADS + lane.x + $j * X),
    sum_$i_$c_$j,
  );
  //@end
  //@end
  //@end
}
