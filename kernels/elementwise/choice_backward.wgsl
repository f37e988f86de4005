// choice backward   forward  Y[i] = min(A[i], B[i]) or max(A[i], B[i])
//                   dA[i] = A is the chosen one ? dY[i] : 0;  dB[i] = dY[i] - dA[i]; ties choose A
// shapes    A, B, dY, dX (n); dX is dB when FOR_B, else dA
// bindings  0 A read, 1 B read, 2 dY read, 3 dX write, 4 {n} uniform
// work      one invocation per vec4; the last one keeps the words behind n
// traffic   16n bytes

@group(0) @binding(0) var<storage, read> A: array<vec4f>;
@group(0) @binding(1) var<storage, read> B: array<vec4f>;
@group(0) @binding(2) var<storage, read> dY: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dX: array<vec4f>;
@group(0) @binding(4) var<uniform> n: u32;

fn chooses_a(a: vec4f, b: vec4f) -> vec4<bool> {
//@if MAXIMUM
  return a >= b;
//@else
  return a <= b;
//@end
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (4u * i >= n) {
    return;
  }
  let is_a = chooses_a(A[i], B[i]);
//@if FOR_B
  var value = select(dY[i], vec4f(), is_a);
//@else
  var value = select(vec4f(), dY[i], is_a);
//@end
  let left = n - 4u * i;
  if (left < 4u) {
    value = select(dX[i], value, vec4u(0u, 1u, 2u, 3u) < vec4u(left));
  }
  dX[i] = value;
}
