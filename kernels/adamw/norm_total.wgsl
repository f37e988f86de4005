// gradientNorms, second launch   norms = [norm of clip group 0, of clip group 1, 1 if all is finite else 0, 0]
// shapes    partials (L,4)  norms (4)
// bindings  0 partials read, 1 norms write, 2 {L} uniform
// work      one workgroup: 256 invocations stride partials, then a tree in workgroup memory, f32
// traffic   16L bytes
// source    PyTorch's clip_grad_norm_

struct Params {
  L: u32,
}

@group(0) @binding(0) var<storage, read> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> norms: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> totals: array<vec4f, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = vec4f();
  for (var l = lane; l < params.L; l += 256u) {
    total += partials[l];
  }
  totals[lane] = total;
  for (var half = 128u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      totals[lane] += totals[lane + half];
    }
  }
  if (lane == 0u) {
    // A sum of finite squares may still overflow.
    let exponents = bitcast<vec2u>(totals[0].xy) & vec2u(0x7f800000u);
    let is_finite = totals[0].z == 0.0 && all(exponents != vec2u(0x7f800000u));
    norms[0] = vec4f(sqrt(totals[0].xy), select(0.0, 1.0, is_finite), 0.0);
  }
}
