// layernorm backward, dX
//            Y[r,c] = weight[c] * xhat + bias[c],  xhat = (X[r,c] - mean[r]) * rstd[r]
//            g = dY * weight,  dX = rstd * (g - mean_c(g) - xhat * mean_c(g * xhat)), or dX += with ACCUMULATE
// shapes     X,dY,dX (R,C)  weight (C)  mean,rstd (R)
// bindings   0 X read, 1 weight read, 2 mean read, 3 rstd read, 4 dY read, 5 dX read-write, 6 {R,C} uniform
// work       one invocation per row, two walks over it, f32 sums
// traffic    12RC + 8R bytes (second read of X and dY from cache)
// source     arXiv:1607.06450, differentiated as in llm.c's doc/layernorm

struct Params { R: u32, C: u32 }

@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dY: array<f32>;
@group(0) @binding(5) var<storage, read_write> dX: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.R) { return; }
  // Copied out of the loops: software adapters read parameters from a storage buffer, anew each round.
  let C = params.C;
  let start = row * C;
  let rowMean = mean[row];
  let rowRstd = rstd[row];
  var sum = 0.0;
  var product = 0.0;
  for (var c = 0u; c < C; c++) {
    let g = dY[start + c] * weight[c];
    sum += g;
    product += g * ((X[start + c] - rowMean) * rowRstd);
  }
  sum /= f32(C);
  product /= f32(C);
  for (var c = 0u; c < C; c++) {
    let g = dY[start + c] * weight[c];
    //@if ACCUMULATE
    dX[start + c] += rowRstd * (g - sum - (X[start + c] - rowMean) * rowRstd * product);
    //@else
    dX[start + c] = rowRstd * (g - sum - (X[start + c] - rowMean) * rowRstd * product);
    //@end
  }
}
