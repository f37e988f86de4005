// binary    Y[i] = f(A[i], B[i])
// shapes    A, B, Y (n)
// bindings  0 A read, 1 B read, 2 Y write, 3 {n} uniform
// work      PER_LANE vec4s an invocation; with RAGGED, n % 4 > 0, the last keeps the words behind n
// traffic   12n bytes
// source    ops.wgsl has the functions

//@include "flat_index.wgsl"

//@include "ops.wgsl"

struct Params {
  n: u32,
}

@group(0) @binding(0) var<storage, read> A: array<vec4f>;
@group(0) @binding(1) var<storage, read> B: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let flat = flatIndex(id, groups);
  // Eight neighbours read eight vec4s in a row, then the next eight.
  let first = flat / 8 * (8 * PER_LANE) + flat % 8;
  //@for j in 0..PER_LANE
  let a_$j = A[first + 8 * $j];
  let b_$j = B[first + 8 * $j];
  //@end
  //@for j in 0..PER_LANE
  {
    let i = first + 8 * $j;
    if (4 * i < params.n) {
      var y = value(OP, a_$j, b_$j, 0.0, 0.0);
      //@if RAGGED
      y = select(Y[i], y, vec4u(0, 1, 2, 3) < vec4u(params.n - 4 * i));
      //@end
      Y[i] = y;
    }
  }
  //@end
}
