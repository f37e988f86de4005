// rmsnorm backward, dWeight of one block of rows: partials[block,c] = sum_r dY[r,c] * X[r,c] * rstd[r]
// shapes    X,dY (R,C)  rstd (R)  partials (ceil(R/BLOCK_ROWS), C); C counts vec4s when VECTOR
// bindings  0 X read, 1 rstd read, 2 dY read, 3 partials write, 4 {R,C} uniform
// work      one invocation per Value of a row and block of rows; f32 sums in row order
// traffic   8RC + 4RC/BLOCK_ROWS bytes
// source    (ours)

//@include "value.wgsl"

struct Params { R: u32, C: u32 }

@group(0) @binding(0) var<storage, read> X: array<Value>;
@group(0) @binding(1) var<storage, read> rstd: array<f32>;
@group(0) @binding(2) var<storage, read> dY: array<Value>;
@group(0) @binding(3) var<storage, read_write> partials: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u) {
  if (id.x >= params.C) { return; }
  let C = params.C;
  let end = min((group.y + 1) * BLOCK_ROWS, params.R);
  var sum = Value();
  for (var row = group.y * BLOCK_ROWS; row < end; row++) {
    sum += dY[row * C + id.x] * (X[row * C + id.x] * rstd[row]);
  }
  partials[group.y * C + id.x] = sum;
}
