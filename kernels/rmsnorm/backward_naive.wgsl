// rmsnorm backward, dX
//           Y[r,c] = weight[c] * xhat,  xhat = X[r,c] * rstd[r]
//           g = dY * weight,  dX = rstd * (g - xhat * mean_c(g * xhat)), or dX += with ACCUMULATE
// shapes    X,dY,dX (R,C)  weight (C)  rstd (R); C counts vec4s when VECTOR
// bindings  0 X read, 1 weight read, 2 rstd read, 3 dY read, 4 dX read-write, 5 {R,C} uniform
// work      one invocation per row, two walks over it, f32 sums
// traffic   20RC + 4R bytes (second read of X and dY from cache)
// source    arXiv:1910.07467, differentiated

//@include "value.wgsl"

struct Params { R: u32, C: u32 }

@group(0) @binding(0) var<storage, read> X: array<Value>;
@group(0) @binding(1) var<storage, read> weight: array<Value>;
@group(0) @binding(2) var<storage, read> rstd: array<f32>;
@group(0) @binding(3) var<storage, read> dY: array<Value>;
@group(0) @binding(4) var<storage, read_write> dX: array<Value>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.R) { return; }
  let C = params.C;
  let start = row * C;
  let rowRstd = rstd[row];
  var products = Value();
  for (var c = 0u; c < C; c++) { products += dY[start + c] * weight[c] * (X[start + c] * rowRstd); }
  //@if VECTOR
  let product = dot(products, vec4f(1.0)) / f32(4 * C);
  //@else
  let product = products / f32(C);
  //@end
  for (var c = 0u; c < C; c++) {
    let gradient = rowRstd * (dY[start + c] * weight[c] - X[start + c] * rowRstd * product);
    //@if ACCUMULATE
    dX[start + c] += gradient;
    //@else
    dX[start + c] = gradient;
    //@end
  }
}
