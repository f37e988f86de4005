// rmsnorm backward, sum of the blocks' dWeight, in block order: dWeight[c] += sum_b partials[b,c]
// shapes    partials (blocks, C)  dWeight (C)
// bindings  0 partials read, 1 dWeight write (+=), 2 {C,blocks} uniform
// work      one invocation per column, f32 sum
// traffic   4C*blocks + 8C bytes
// source    (ours)

struct Params { C: u32, blocks: u32 }

@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> dWeight: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.C) { return; }
  var sum = 0.0;
  for (var block = 0u; block < params.blocks; block++) { sum += partials[block * params.C + id.x]; }
  dWeight[id.x] += sum;
}
