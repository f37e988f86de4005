// rmsnorm   Y[r,c] = weight[c] * X[r,c] * rstd[r],  rstd = 1/sqrt(mean_c X^2 + epsilon)
// shapes    X,Y (R,C)  weight (C)  rstd (R); C counts vec4s when VECTOR
// bindings  0 X read, 1 weight read, 2 Y write, 3 rstd write, 4 {R,C,epsilon} uniform
// work      one invocation per row, two walks over it, f32 sums
// traffic   12RC + 4R bytes (second read of X from cache)
// source    arXiv:1910.07467

//@include "value.wgsl"

struct Params { R: u32, C: u32, epsilon: f32 }

@group(0) @binding(0) var<storage, read> X: array<Value>;
@group(0) @binding(1) var<storage, read> weight: array<Value>;
@group(0) @binding(2) var<storage, read_write> Y: array<Value>;
@group(0) @binding(3) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.R) { return; }
  // Copied out of the loops: software adapters read parameters from a storage buffer, anew each round.
  let C = params.C;
  let start = row * C;
  var squares = Value();
  for (var c = 0u; c < C; c++) {
    let x = X[start + c];
    squares += x * x;
  }
  //@if VECTOR
  let mean = dot(squares, vec4f(1.0)) / f32(4 * C);
  //@else
  let mean = squares / f32(C);
  //@end
  let rowRstd = 1.0 / sqrt(mean + params.epsilon);
  for (var c = 0u; c < C; c++) { Y[start + c] = weight[c] * (X[start + c] * rowRstd); }
  rstd[row] = rowRstd;
}
