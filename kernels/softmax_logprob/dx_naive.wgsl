// linear logprob backward, dX of one chunk, or what it gains from one
//           logits = X W / temperature  (dLogits is already divided by it),  dX = or += dLogits W^T
// shapes    dLogits (rows,columns)  W (C,columns), its rows V apart  dX (N,C), rows row0.. of it
// bindings  0 dLogits read, 1 W read, 2 dX write (+= unless column0 = 0), 3 {row0,column0,columns,C,V} uniform
// work      one invocation per element of dX, f32 sum over the chunk's columns
// traffic   4 rows columns + 4C columns + 4 rows C bytes
// source    (ours)

struct Params { row0: u32, column0: u32, columns: u32, C: u32, V: u32 }

@group(0) @binding(0) var<storage, read> dLogits: array<f32>;
@group(0) @binding(1) var<storage, read> W: array<f32>;
@group(0) @binding(2) var<storage, read_write> dX: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c >= params.C) { return; }
  let row = id.y * params.columns;
  var sum = 0.0;
  for (var v = 0u; v < params.columns; v++) { sum += dLogits[row + v] * W[c * params.V + v]; }
  let at = (params.row0 + id.y) * params.C + c;
  if (params.column0 > 0) { sum += dX[at]; }
  dX[at] = sum;
}
