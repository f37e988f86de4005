// layernorm backward, sum of the blocks' column sums, in block order
// shapes     partials (2, blocks, C)  dWeight,dBias (C)
// bindings   0 partials read, 1 dWeight write (+=), 2 dBias write (+=), 3 {C, blocks} uniform
// work       one invocation per column, f32 sum
// traffic    8C*blocks + 16C bytes
// source     (ours)

struct Params { C: u32, blocks: u32 }

@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> dWeight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dBias: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c >= params.C) { return; }
  var weightSum = 0.0;
  var biasSum = 0.0;
  for (var block = 0u; block < params.blocks; block++) {
    weightSum += partials[block * params.C + c];
    biasSum += partials[(params.blocks + block) * params.C + c];
  }
  dWeight[c] += weightSum;
  dBias[c] += biasSum;
}
