// matmul    C = gelu(op(A) op(B) + bias) + residual,  or C += op(A) op(B);  U = op(A) op(B) + bias
// shapes    op(A) (M,K)  op(B) (K,N)  bias (N)  residual, C, U (M,N), all but bias once per batch item
// bindings  0 A texels, 1 B texels, 2 bias read, 3 residual read, 4 C write,
//           5 {shape, strides and offsets in texels} uniform, 6 U write (with HAS_U)
// work      a workgroup is one quad of 4 lanes, each with ROWS x 4 of C; k goes by 4; z is the batch item. A lane loads what
//           no other does and passes it around: at turn s it has what lane ^ s loaded
// limits    N % 4 = 0; the contiguous dimension of A and of B too; M ragged, K ragged if A is (K,M), B (K,N); not both transposed
// traffic   per 4 values of k and ROWS x 16 of C: ROWS + 16 texels, against 4 ROWS 16 multiply-adds
// steps     on SwiftShader at 512^3, by CPU time: texture.wgsl 2.1 GFLOP/s; texels sampled, not loaded, and a row of A read
//           by one lane of the quad, 5.4; passed by swaps, 6.5 (a broadcast is 10 instructions there, a swap is one); component
//           by component with b first, which Subzero keeps in registers, 7.3. 32 rows a lane are no faster, and 16 compile in 0.2 s
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

alias Value = vec4f;
//@include "gelu.wgsl"

// Plain `if`s on constants, not //@if: a binding that the text does not mention would leave the layout.
fn loadBias(column: u32) -> vec4f {
  if (HAS_BIAS) {
    return bias[column];
  }
  return vec4f();
}

fn finish(at: u32, product: vec4f) {
  var sum = product;
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

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * ROWS;
  let column = group.x * 4 + lane;
  // Rows and columns beyond the end read the last one, and are not stored.
  let readColumn = min(column, params.N4 - 1);
  let A_start = params.baseA + group.z * params.aItem;
  let B_start = params.baseB + group.z * params.bItem;
  //@for g in 0..ROWS/4
  //@if TRANSPOSE_A
  // Four rows of op(A) for the lane's own k.
  let a_$g_start = A_start + min(row / 4 + $g, params.aStride - 1);
  //@else
  // The lane's own row of op(A), four k.
  let a_$g_start = A_start + min(row + 4 * $g + lane, params.M - 1) * params.aStride;
  //@end
  //@end
  //@for q in 0..4
  //@if TRANSPOSE_B
  let b_$q_start = B_start + (4 * readColumn + $q) * params.bStride;
  //@else
  //@if TRANSPOSE_A
  // The k that the lane has of A at turn q.
  let k_$q = lane ^ $q;
  //@else
  let k_$q = $qu;
  //@end
  let b_$q_start = B_start + k_$q * params.bStride + readColumn;
  //@end
  //@end
  // An array, and read by a loop at the end: values that a loop carries are copied twice a round, under masks.
  var sums: array<vec4f, ROWS>;
  let rounds = (params.K + 3) / 4;
  for (var round = 0u; round < rounds; round++) {
    // Without shifts and divisions: SwiftShader does them lane by lane.
    //@if TRANSPOSE_A
    let own = (4 * round + lane) * params.aStride;
    //@else
    let own = round;
    //@end
    //@for g in 0..ROWS/4
    //@if K_TAIL
    let a_$g_0 = select(vec4f(), loadA(a_$g_start + own), 4 * round + lane < params.K);
    //@else
    let a_$g_0 = loadA(a_$g_start + own);
    //@end
    //@end
    //@if TRANSPOSE_B
    //@for q in 0..4
    let t_$q = loadB(b_$q_start + round);
    //@end
    //@else
    let B_step = 4 * round * params.bStride;
    //@for q in 0..4
    //@if K_TAIL
    // What is not there must not be NaN: it is multiplied by 0.
    let b_$q = select(vec4f(), loadB(b_$q_start + B_step), 4 * round + k_$q < params.K);
    //@else
    let b_$q = loadB(b_$q_start + B_step);
    //@end
    //@end
    //@end
    //@if TRANSPOSE_B
    //@for q in 0..4
    let b_$q = vec4f(t_0[$q], t_1[$q], t_2[$q], t_3[$q]);
    //@end
    //@end
    //@for g in 0..ROWS/4
    let a_$g_1 = quadSwapX(a_$g_0);
    let a_$g_2 = quadSwapY(a_$g_0);
    let a_$g_3 = quadSwapDiagonal(a_$g_0);
    //@for s in 0..4
    {
      let sum = sums[4 * $g + $s];
      sums[4 * $g + $s] = vec4f(
        //@for c in 0..4
        //@if TRANSPOSE_A
        fma(b_3[$c], a_$g_3[$s], fma(b_2[$c], a_$g_2[$s], fma(b_1[$c], a_$g_1[$s], fma(b_0[$c], a_$g_0[$s], sum[$c])))),
        //@else
        fma(b_3[$c], a_$g_$s[3], fma(b_2[$c], a_$g_$s[2], fma(b_1[$c], a_$g_$s[1], fma(b_0[$c], a_$g_$s[0], sum[$c])))),
        //@end
        //@end
      );
    }
    //@end
    //@end
  }
  if (column >= params.N4) {
    return;
  }
  let columnBias = loadBias(column);
  for (var i = 0u; i < ROWS; i++) {
    //@if TRANSPOSE_A
    let at = row + i;
    //@else
    let at = row + (i ^ lane);
    //@end
    if (at < params.M) {
      finish((group.z * params.M + at) * params.N4 + column, sums[i] + columnBias);
    }
  }
}
