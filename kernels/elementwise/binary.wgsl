// binary    Y[i] = f(A[i], B[i])
// shapes    A, B, Y (n)
// bindings  0 A read, 1 B read, 2 Y write, 3 {n} uniform
// work      one invocation per vec4; the last one keeps the words behind n
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
  let i = id.x + id.y * groups.x * 64u;
  if (4u * i >= n) {
    return;
  }
  var value = forward(A[i], B[i]);
  let left = n - 4u * i;
  if (left < 4u) {
    value = select(Y[i], value, vec4u(0u, 1u, 2u, 3u) < vec4u(left));
  }
  Y[i] = value;
}
