// matmul    C = gelu(op(A) op(B) + bias) + residual,  or C += op(A) op(B);  U = op(A) op(B) + bias
// shapes    op(A) (M,K)  op(B) (K,N)  bias (N)  residual, C, U (M,N), all but bias once per batch item
// bindings  0 A read, 1 B read, 2 bias read, 3 residual read, 4 C write, 5 {shape and strides} uniform,
//           6 U write (with HAS_U); bias and residual are placeholders without HAS_BIAS, HAS_RESIDUAL
// work      one invocation per element of C, sums over k in f32; transposes are strides; z is the batch item;
//           x runs along columns, or along rows with NARROW
// traffic   4 (2MNK + MN) bytes: each element of A is read N times and each of B M times, from cache at best
// source    BLAS gemm; GELU as arXiv:1606.08415, tanh form

struct Params {
  M: u32,
  N: u32,
  K: u32,
  aRow: u32, // words from op(A)[m,k] to op(A)[m+1,k]
  aColumn: u32, // words from op(A)[m,k] to op(A)[m,k+1]
  bRow: u32,
  bColumn: u32,
}

@group(0) @binding(0) var<storage, read> A: array<f32>;
@group(0) @binding(1) var<storage, read> B: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> C: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
//@if HAS_U
@group(0) @binding(6) var<storage, read_write> U: array<f32>;
//@end

alias Value = f32;
//@include "gelu.wgsl"

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) invocation: vec3u) {
  // Software adapters put neighbours in x into one vector: with one column those must be rows.
  let id = select(invocation, invocation.yxz, NARROW);
  if (id.x >= params.N || id.y >= params.M) {
    return;
  }
  // Copied out of the loop: software adapters read parameters from a storage buffer, anew each round.
  let K = params.K;
  let A_col = params.aColumn;
  let B_row = params.bRow;
  var a = id.z * params.M * params.K + id.y * params.aRow;
  var b = id.z * params.K * params.N + id.x * params.bColumn;
  var sum = 0.0;
  for (var k = 0u; k < K; k++) {
    sum += A[a] * B[b];
    a += A_col;
    b += B_row;
  }
  let at = (id.z * params.M + id.y) * params.N + id.x;
  // Plain `if`s on constants, not //@if: a binding that the text does not mention would leave the layout.
  if (HAS_BIAS) {
    sum += bias[id.x];
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
