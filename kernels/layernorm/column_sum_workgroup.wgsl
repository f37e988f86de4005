// layernorm backward, sum of the blocks' column sums
// shapes     partials (2, blocks, C)  dWeight,dBias (C)
// bindings   0 partials read, 1 dWeight write (+=), 2 dBias write (+=), 3 {C, blocks} uniform
// work       a workgroup per 16 columns, 16 invocations a column, every 16th block each, then in order; f32 sums
// traffic    8C*blocks + 16C bytes
// steps      column_sum.wgsl has one invocation a column: a chain of loads as long as there are blocks, on few lanes
// source     (ours)

struct Params { C: u32, blocks: u32 }

@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> dWeight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dBias: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> sums: array<vec2f, 256>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let c = min(id.x, params.C - 1);
  var sum = vec2f();
  for (var block = lane.y; block < params.blocks; block += 16) {
    sum += vec2f(partials[block * params.C + c], partials[(params.blocks + block) * params.C + c]);
  }
  sums[lane.y * 16 + lane.x] = sum;
  workgroupBarrier();
  if (lane.y > 0 || id.x >= params.C) { return; }
  for (var slot = 1u; slot < 16; slot++) { sum += sums[slot * 16 + lane.x]; }
  dWeight[c] += sum.x;
  dBias[c] += sum.y;
}
