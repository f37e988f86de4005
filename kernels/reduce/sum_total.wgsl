// sum, second launch   Y[0] = scale * sum over l and the four components of partials
// shapes    partials (L,4)  Y (1)
// bindings  0 partials read, 1 Y write, 2 {L,scale} uniform
// work      one workgroup: 64 invocations stride partials, then a tree in workgroup memory, f32
// traffic   16L bytes
// source    (ours)

struct Params {
  L: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = vec4f();
  for (var l = lane; l < params.L; l += 64u) {
    total += partials[l];
  }
  sums[lane] = (total.x + total.y) + (total.z + total.w);
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    Y[0] = params.scale * sums[0];
  }
}
