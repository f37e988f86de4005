// addInPlace   Y[i] += X[i]
// shapes    X, Y (n)
// bindings  0 X read, 1 Y read-write, 2 {n} uniform
// work      one invocation per vec4; the last one keeps the words behind n
// traffic   12n bytes

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(2) var<uniform> n: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (4u * i >= n) {
    return;
  }
  let old = Y[i];
  var value = old + X[i];
  let left = n - 4u * i;
  if (left < 4u) {
    value = select(old, value, vec4u(0u, 1u, 2u, 3u) < vec4u(left));
  }
  Y[i] = value;
}
