// choice backward   forward  Y[i] = min(A[i], B[i]) or max(A[i], B[i])
//                   dA[i] = A is the chosen one ? dY[i] : 0;  dB[i] = dY[i] - dA[i]; ties choose A
// shapes    A, B, dY, dX (n); dX is dB when FOR_B, else dA
// bindings  0 A read, 1 B read, 2 dY read, 3 dX write, 4 {n} uniform
// work      PER_LANE vec4s an invocation; with RAGGED, n % 4 > 0, the last keeps the words behind n
// traffic   16n bytes
// source    ops.wgsl has the functions

//@include "flat_index.wgsl"

//@include "ops.wgsl"

struct Params {
  n: u32,
}

@group(0) @binding(0) var<storage, read> A: array<vec4f>;
@group(0) @binding(1) var<storage, read> B: array<vec4f>;
@group(0) @binding(2) var<storage, read> dY: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dX: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let flat = flatIndex(id, groups);
  // Eight neighbours read eight vec4s in a row, then the next eight.
  let first = flat / 8 * (8 * PER_LANE) + flat % 8;
  //@for j in 0..PER_LANE
  let a_$j = A[first + 8 * $j];
  let b_$j = B[first + 8 * $j];
  let dy_$j = dY[first + 8 * $j];
  //@end
  //@for j in 0..PER_LANE
  {
    let i = first + 8 * $j;
    if (4 * i < params.n) {
      //@if FOR_B
      var gradient = gradientOfY(OP, dy_$j, a_$j, b_$j);
      //@else
      var gradient = gradientOfX(OP, dy_$j, a_$j, b_$j, 0.0, 0.0);
      //@end
      //@if RAGGED
      gradient = select(dX[i], gradient, vec4u(0, 1, 2, 3) < vec4u(params.n - 4 * i));
      //@end
      dX[i] = gradient;
    }
  }
  //@end
}
