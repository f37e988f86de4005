// matmul    C = gelu(op(A) op(B) + bias) + residual,  or C += op(A) op(B);  U = op(A) op(B) + bias
// shapes    op(A) (M,K)  op(B) (K,N)  bias (N)  residual, C, U (M,N), all but bias once per batch item
// bindings  0 A texels, 1 B texels, 2 bias read, 3 residual read, 4 C write,
//           5 {shape, strides and offsets in texels} uniform, 6 U write (with HAS_U)
// work      each of a workgroup's LANES holds ROWS x 4J of C in registers; k goes by 4; z is the batch item
// limits    N % 4 = 0; the contiguous dimension of A and of B too; M ragged, K ragged if A is (K,M), B (K,N)
// traffic   per 4 values of k and ROWS x 4J LANES of C: ROWS + 4J LANES texels, against 16J ROWS LANES multiply-adds
// steps     on llvmpipe, two cores, at 512^3: texel reads in place of buffer reads, which are loops over lanes there, 39
//           to 74 GFLOP/s; 16 x 16 a lane over 8 x 8, 1.3x; k innermost, under rows, under columns, 1.6x; the epilogue as
//           a loop, 1.5x with bias and GELU, and compiled in 0.4 s, not 1.3; with BROADCAST each lane reads a row of A for
//           all, 1.07x, at 16 x 12 a lane 1.17x; then 32 x 8 over 16 x 16, 1.05x, B^T 1.12x, compiled in 0.24 s
//           DOWN, workgroups that follow each other share columns: 1.03 to 1.27x where B is larger than the cache, A not
// source    BLAS gemm; GELU as arXiv:1606.08415, tanh form

//@include "texel.wgsl"

struct Params {
  M: u32,
  N4: u32, // texels in a row of C
  K: u32,
  aStride: u32, // texels in a stored row
  bStride: u32,
  baseA: u32, // first texel
  baseB: u32,
  aItem: u32, // texels in a batch item
  bItem: u32,
}

@group(0) @binding(0) var A: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var B: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> C: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;
//@if HAS_U
@group(0) @binding(6) var<storage, read_write> U: array<vec4f>;
//@end

fn loadA(i: u32) -> vec4f {
  return textureLoad(A, texel(i));
}

fn loadB(i: u32) -> vec4f {
  return textureLoad(B, texel(i));
}

// First texel of A's operand `id` among those that ROWS rows need for four k; A_step texels on lie those of the next four.
//@if TRANSPOSE_A
// Row k = id % 4 of A as stored, four rows of op(A).
fn firstOfA(row: u32, id: u32) -> u32 {
  return id % 4 * params.aStride + min(row / 4 + id / 4, params.aStride - 1);
}
//@else
// Row id of op(A), four k.
fn firstOfA(row: u32, id: u32) -> u32 {
  return min(row + id, params.M - 1) * params.aStride;
}
//@end

alias Value = vec4f;
//@include "gelu.wgsl"

// Plain `if`s on constants, not //@if: a binding that the text does not mention would leave the layout.
fn loadBias(i: u32) -> vec4f {
  if (HAS_BIAS) {
    return bias[i];
  }
  return vec4f();
}

fn finish(at: u32, u: vec4f) {
  var sum = u;
  //@if HAS_U
  U[at] = u;
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

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  //@if DOWN
  let row = group.x * ROWS;
  let col = group.y * (LANES * J) + lane.x;
  //@else
  let row = group.y * ROWS;
  let col = group.x * (LANES * J) + lane.x;
  //@end
  let A_start = params.baseA + group.z * params.aItem;
  let B_start = params.baseB + group.z * params.bItem;

  // Rows and columns beyond the end read the last one, and are not stored.
  //@if BROADCAST
  //@for h in 0..OWN
  let own_$h_start = A_start + firstOfA(row, LANES * $h + lane.x);
  //@end
  //@else
  //@for g in 0..ROWS/4
  //@for c in 0..4
  let a_$g_$c_start = A_start + firstOfA(row, 4 * $g + $c);
  //@end
  //@end
  //@end
  //@for j in 0..J
  let col_$j = min(col + LANES * $j, params.N4 - 1);
  //@if TRANSPOSE_B
  let col_$j_start = B_start + 4 * col_$j * params.bStride;
  //@end
  //@for g in 0..ROWS/4
  //@for c in 0..4
  var sum_$g_$c_$j = vec4f();
  //@end
  //@end
  //@end

  //@if TRANSPOSE_A
  let A_step = 4 * params.aStride;
  //@else
  let A_step = 1u;
  //@end
  let steps = params.K / 4;
  var B_k = B_start;
  for (var k = 0u; k < steps; k++) {
    let A_k = k * A_step;
    //@if BROADCAST
    //@for h in 0..OWN
    let own_$h = loadA(own_$h_start + A_k);
    //@end
    //@end
    //@for g in 0..ROWS/4
    //@for c in 0..4
    //@if BROADCAST
    let a_$g_$c = subgroupBroadcast(own_${g/QUADS}, (4 * $gu + $cu) % LANES);
    //@else
    let a_$g_$c = loadA(a_$g_$c_start + A_k);
    //@end
    //@end
    //@end
    //@for j in 0..J
    //@for q in 0..4
    //@if TRANSPOSE_B
    let t_$j_$q = loadB(col_$j_start + $q * params.bStride + k);
    //@else
    let b_$j_$q = loadB(B_k + $q * params.bStride + col_$j);
    //@end
    //@end
    //@if TRANSPOSE_B
    //@for q in 0..4
    let b_$j_$q = vec4f(t_$j_0[$q], t_$j_1[$q], t_$j_2[$q], t_$j_3[$q]);
    //@end
    //@end
    //@end
    //@for j in 0..J
    //@for g in 0..ROWS/4
    //@for c in 0..4
    //@for q in 0..4
    //@if TRANSPOSE_A
    sum_$g_$c_$j += a_$g_$q[$c] * b_$j_$q;
    //@else
    sum_$g_$c_$j += a_$g_$c[$q] * b_$j_$q;
    //@end
    //@end
    //@end
    //@end
    //@end
    B_k += 4 * params.bStride;
  }

  //@if K_TAIL
  for (var k = 4 * steps; k < params.K; k++) {
    //@for g in 0..ROWS/4
    let a_$g = loadA(A_start + k * params.aStride + min(row / 4 + $g, params.aStride - 1));
    //@end
    //@for j in 0..J
    let b_$j = loadB(B_start + k * params.bStride + col_$j);
    //@for g in 0..ROWS/4
    //@for c in 0..4
    sum_$g_$c_$j += a_$g[$c] * b_$j;
    //@end
    //@end
    //@end
  }
  //@end

  // A loop over groups of four rows, as this part unrolled takes the compiler longer than all the rest.
  //@for j in 0..J
  let bias_$j = loadBias(col_$j);
  //@end
  for (var i = 0u; i < ROWS / 4; i++) {
    //@for c in 0..4
    if (row + 4 * i + $c < params.M) {
      let at = (group.z * params.M + row + 4 * i + $c) * params.N4;
      //@for j in 0..J
      if (col + LANES * $j < params.N4) {
        var sum = sum_0_$c_$j;
        //@for g in 1..ROWS/4
        sum = select(sum, sum_$g_$c_$j, i == $g);
        //@end
        finish(at + col_$j, sum + bias_$j);
      }
      //@end
    }
    //@end
  }
}
