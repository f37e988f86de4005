// linear logprob backward, contribution of one chunk to dW
//           logits = X W / temperature  (dLogits is already divided by it),  dW += X^T dLogits
// shapes    X (N,C), rows row0.. of it  dLogits (rows,columns)  dW (C,columns), its rows V apart
// bindings  0 X read, 1 dLogits read, 2 dW write (+=), 3 {row0,rows,columns,C,V} uniform
// work      one invocation per element of dW, f32 sum over the rows
// traffic   4 rows columns + 4 rows C + 8C columns bytes
// source    (ours)

struct Params { row0: u32, rows: u32, columns: u32, C: u32, V: u32 }

@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read> dLogits: array<f32>;
@group(0) @binding(2) var<storage, read_write> dW: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let v = id.x;
  let c = id.y;
  if (v >= params.columns) { return; }
  var sum = 0.0;
  for (var row = 0u; row < params.rows; row++) {
    sum += X[(params.row0 + row) * params.C + c] * dLogits[row * params.columns + v];
  }
  dW[c * params.V + v] += sum;
}
