// sum, first launch   partials[l] = sum over i in l, l + L, l + 2L, .. of the vec4s X[i]
// shapes    X (n)  partials (L,4)
// bindings  0 X read, 1 partials write, 2 {n,L} uniform
// work      L invocations stride X, so that neighbours read neighbours; words behind n count as 0
// traffic   4n + 16L bytes
// source    (ours)

struct Params {
  n: u32,
  L: u32,
}

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.L) {
    return;
  }
  let whole = params.n / 4u;
  var total = vec4f();
  for (var i = id.x; i < whole; i += params.L) {
    total += X[i];
  }
  let left = params.n % 4u;
  if (left != 0u && whole % params.L == id.x) {
    total += select(vec4f(), X[whole], vec4u(0u, 1u, 2u, 3u) < vec4u(left));
  }
  partials[id.x] = total;
}
