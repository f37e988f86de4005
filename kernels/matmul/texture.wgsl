// matmul    C = gelu(op(A) op(B) + bias) + residual,  or C += op(A) op(B);  U = op(A) op(B) + bias
// shapes    op(A) (M,K)  op(B) (K,N)  bias (N)  residual, C, U (M,N), all but bias once per batch item
// bindings  0 A texels, 1 B texels, 2 bias read, 3 residual read, 4 C write,
//           5 {shape, strides and offsets in texels} uniform, 6 U write (with HAS_U)
// work      each of a workgroup's 8 lanes holds ROWS x 4J of C in registers; k goes by 4; z is the batch item
// limits    N % 4 = 0; the contiguous dimension of A and of B too; M ragged, K ragged where A is (K,M), B (K,N)
// traffic   per 4 values of k and ROWS x 32J of C: ROWS + 32J texels, against 4 ROWS 32J multiply-adds
// steps     on llvmpipe, two cores, at 512^3: texel reads in place of buffer reads, which are loops over lanes there, 39
//           to 74 GFLOP/s; 16 x 16 a lane over 8 x 8, 1.3x; k innermost, under rows, under columns, 1.6x; the epilogue as
//           a loop, 1.5x with bias and GELU, and compiled in 0.4 s, not 1.3; with BROADCAST each lane reads a row of A for
//           all, 1.07x, at 16 x 12 a lane 1.17x; then 32 x 8 over 16 x 16, 1.05x, B^T 1.12x, compiled in 0.24 s
// source    BLAS gemm; GELU as arXiv:1606.08415, tanh form

struct Params {
  M: u32,
  N4: u32, // texels in a row of C
  K: u32,
  A_stride: u32, // texels in a stored row
  B_stride: u32,
  A_offset: u32, // first texel
  B_offset: u32,
  A_item: u32, // texels in a batch item
  B_item: u32,
}

@group(0) @binding(0) var A: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var B: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> C: array<vec4f>;
@group(0) @binding(5) var<uniform> p: Params;
//@if HAS_U
@group(0) @binding(6) var<storage, read_write> U: array<vec4f>;
//@end

fn load_A(i: u32) -> vec4f {
  return textureLoad(A, vec2u(i & 1023u, i >> 10u));
}

fn load_B(i: u32) -> vec4f {
  return textureLoad(B, vec2u(i & 1023u, i >> 10u));
}

// First texel of A's operand `id` among those that ROWS rows need for four k; A_step texels on lie those of the next four.
//@if TRANSPOSE_A
// Row k = id % 4 of A as stored, four rows of op(A).
fn A_first(row: u32, id: u32) -> u32 {
  return id % 4 * p.A_stride + min(row / 4 + id / 4, p.A_stride - 1);
}
//@else
// Row id of op(A), four k.
fn A_first(row: u32, id: u32) -> u32 {
  return min(row + id, p.M - 1) * p.A_stride;
}
//@end

// 0.5 x (1 + tanh z) = x / (1 + exp(-2z)): one exp, and no tanh to overflow; exp(88) still fits in f32.
fn gelu(x: vec4f) -> vec4f {
  let z = 0.7978845608028654 * x * (1.0 + 0.044715 * x * x);
  return x / (1.0 + exp(min(-2.0 * z, vec4f(88.0))));
}

// Plain `if`s on constants, not //@if: a binding that the text does not mention would leave the layout.
fn load_bias(i: u32) -> vec4f {
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

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let row = group.y * ROWS;
  let col = group.x * (8 * J) + lane.x;
  let A_start = p.A_offset + group.z * p.A_item;
  let B_start = p.B_offset + group.z * p.B_item;

  // Rows and columns beyond the end read the last one, and are not stored.
  //@if BROADCAST
  //@for h in 0..ROWS/8
  let own_$h_start = A_start + A_first(row, 8 * $h + lane.x);
  //@end
  //@else
  //@for g in 0..ROWS/4
  //@for c in 0..4
  let a_$g_$c_start = A_start + A_first(row, 4 * $g + $c);
  //@end
  //@end
  //@end
  //@for j in 0..J
  let col_$j = min(col + 8 * $j, p.N4 - 1);
  //@if TRANSPOSE_B
  let col_$j_start = B_start + 4 * col_$j * p.B_stride;
  //@end
  //@for g in 0..ROWS/4
  //@for c in 0..4
  var sum_$g_$c_$j = vec4f();
  //@end
  //@end
  //@end

  //@if TRANSPOSE_A
  let A_step = 4 * p.A_stride;
  //@else
  let A_step = 1u;
  //@end
  let steps = p.K / 4;
  var B_k = B_start;
  for (var k = 0u; k < steps; k++) {
    let A_k = k * A_step;
    //@if BROADCAST
    //@for h in 0..ROWS/8
    let own_$h = load_A(own_$h_start + A_k);
    //@end
    //@end
    //@for g in 0..ROWS/4
    //@for c in 0..4
    //@if BROADCAST
    let a_$g_$c = subgroupBroadcast(own_${g/2}, (4 * $gu + $cu) % 8);
    //@else
    let a_$g_$c = load_A(a_$g_$c_start + A_k);
    //@end
    //@end
    //@end
    //@for j in 0..J
    //@for q in 0..4
    //@if TRANSPOSE_B
    let t_$j_$q = load_B(col_$j_start + $q * p.B_stride + k);
    //@else
    let b_$j_$q = load_B(B_k + $q * p.B_stride + col_$j);
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
    B_k += 4 * p.B_stride;
  }

  //@if K_TAIL
  for (var k = 4 * steps; k < p.K; k++) {
    //@for g in 0..ROWS/4
    let a_$g = load_A(A_start + k * p.A_stride + min(row / 4 + $g, p.A_stride - 1));
    //@end
    //@for j in 0..J
    let b_$j = load_B(B_start + k * p.B_stride + col_$j);
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
  let bias_$j = load_bias(col_$j);
  //@end
  for (var i = 0u; i < ROWS / 4; i++) {
    //@for c in 0..4
    if (row + 4 * i + $c < p.M) {
      let at = (group.z * p.M + row + 4 * i + $c) * p.N4;
      //@for j in 0..J
      if (col + 8 * $j < p.N4) {
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
