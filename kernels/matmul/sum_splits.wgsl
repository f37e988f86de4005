// sum splits  C[b,i] (+)= sum over s of partials[b,s,i], what tiled.wgsl leaves with SPLIT; += with ACCUMULATE
// shapes      partials (batch,splits,n)  C (batch,n); n = M*N counts vec4s when VECTOR
// bindings    0 partials read, 1 C read-write, 2 {n,splits} uniform
// work        one invocation adds one Value of C in the order of the splits, f32; z is the batch item
// traffic     4n batch (splits + 1) bytes, 4n batch more with ACCUMULATE
// steps       eight reads are under way at once; those behind the last split are not added
// source      (ours); split-K as CUTLASS has it

//@include "value.wgsl"

//@include "flat_index.wgsl"

struct Params {
  n: u32,
  splits: u32,
}

@group(0) @binding(0) var<storage, read> partials: array<Value>;
@group(0) @binding(1) var<storage, read_write> C: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) {
    return;
  }
  let first = id.z * params.splits * params.n + i;
  let o = id.z * params.n + i;
  var sum = Value();
  if (ACCUMULATE) {
    sum = C[o];
  }
  for (var s = 0u; s < params.splits; s += 8) {
    //@for q in 0..8
    let part_$q = partials[first + (s + $q) * params.n];
    //@end
    //@for q in 0..8
    sum += select(Value(), part_$q, s + $q < params.splits);
    //@end
  }
  C[o] = sum;
}
