// addInPlace   Y[i] += X[i]
// shapes    X, Y (n)
// bindings  0 X read, 1 Y read-write, 2 {n} uniform
// work      PER_LANE vec4s an invocation; with RAGGED, n % 4 > 0, the last keeps the words behind n
// traffic   12n bytes
// source    (ours)

//@include "flat_index.wgsl"

struct Params {
  n: u32,
}

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let flat = flatIndex(id, groups);
  // Eight neighbours read eight vec4s in a row, then the next eight.
  let first = flat / 8 * (8 * PER_LANE) + flat % 8;
  //@for j in 0..PER_LANE
  let sum_$j = Y[first + 8 * $j] + X[first + 8 * $j];
  //@end
  //@for j in 0..PER_LANE
  {
    let i = first + 8 * $j;
    if (4 * i < params.n) {
      var value = sum_$j;
      //@if RAGGED
      value = select(Y[i], value, vec4u(0, 1, 2, 3) < vec4u(params.n - 4 * i));
      //@end
      Y[i] = value;
    }
  }
  //@end
}
