// linear logprob backward, dX of one chunk of rows
//           logits = X W / temperature  (dLogits is already divided by it),  dX = dLogits W^T
// shapes    dLogits (rows,V)  W (C,V)  dX (N,C), rows row0.. of it
// bindings  0 dLogits read, 1 W read, 2 dX write, 3 {row0,C,V} uniform
// work      one invocation per element of dX, f32 sum over the vocabulary, four terms a round (llvmpipe ends all loops
//           of an invocation after 65535 rounds in sum: V up to 262000)
// traffic   4 rows V + 4CV + 4 rows C bytes
struct Params { row0: u32, C: u32, V: u32 }
@group(0) @binding(0) var<storage, read> dLogits: array<f32>;
@group(0) @binding(1) var<storage, read> W: array<f32>;
@group(0) @binding(2) var<storage, read_write> dX: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c >= params.C) { return; }
  let row = id.y * params.V;
  let column = c * params.V;
  var sum = 0.0;
  var v = 0u;
  for (; v + 3u < params.V; v += 4u) {
    //@for q in 0..4
    sum += dLogits[row + v + $qu] * W[column + v + $qu];
    //@end
  }
  for (; v < params.V; v++) { sum += dLogits[row + v] * W[column + v]; }
  dX[(params.row0 + id.y) * params.C + c] = sum;
}
