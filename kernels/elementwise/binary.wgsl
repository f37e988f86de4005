// binary    Y[i] = f(A[i], B[i])
// shapes    A, B, Y (n)
// bindings  0 A read, 1 B read, 2 Y write, 3 {n} uniform
// work      PER_LANE vec4s an invocation; with RAGGED, n % 4 > 0, the last keeps the words behind n
// traffic   12n bytes

@group(0) @binding(0) var<storage, read> A: array<vec4f>;
@group(0) @binding(1) var<storage, read> B: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(3) var<uniform> n: u32;

// Numbers of the ops: the order of `binaryOps` in mod.ts.
const ADD = 0;
const SUBTRACT = 1;
const MULTIPLY = 2;
const MINIMUM = 3;
const MAXIMUM = 4;

fn forward(a: vec4f, b: vec4f) -> vec4f {
  switch OP {
    case ADD: { return a + b; }
    case SUBTRACT: { return a - b; }
    case MULTIPLY: { return a * b; }
    case MINIMUM: { return min(a, b); }
    default: { return max(a, b); }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let flat = id.x + id.y * groups.x * 64;
  // Eight neighbours read eight vec4s in a row, then the next eight.
  let first = flat / 8 * (8 * PER_LANE) + flat % 8;
  //@for j in 0..PER_LANE
  let a_$j = A[first + 8 * $j];
  let b_$j = B[first + 8 * $j];
  //@end
  //@for j in 0..PER_LANE
  {
    let i = first + 8 * $j;
    if (4 * i < n) {
      var value = forward(a_$j, b_$j);
      //@if RAGGED
      value = select(Y[i], value, vec4u(0, 1, 2, 3) < vec4u(n - 4 * i));
      //@end
      Y[i] = value;
    }
  }
  //@end
}
