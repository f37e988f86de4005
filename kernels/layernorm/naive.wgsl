// layernorm  Y[r,c] = weight[c] * (X[r,c] - mean[r]) * rstd[r] + bias[c],  rstd = 1/sqrt(mean_c (X - mean)^2 + epsilon)
// shapes     X,Y (R,C)  weight,bias (C)  mean,rstd (R)
// bindings   0 X read, 1 weight read, 2 bias read, 3 Y write, 4 mean write, 5 rstd write, 6 {R,C,epsilon} uniform
// work       one invocation per row, three walks over it, f32 sums
// traffic    16RC + 8R bytes (second and third read of X from cache)
// source     arXiv:1607.06450

struct Params { R: u32, C: u32, epsilon: f32 }

@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> Y: array<f32>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.R) { return; }
  // Copied out of the loops: software adapters read parameters from a storage buffer, anew each round.
  let C = params.C;
  let start = row * C;
  var sum = 0.0;
  for (var c = 0u; c < C; c++) { sum += X[start + c]; }
  let rowMean = sum / f32(C);
  var squares = 0.0;
  for (var c = 0u; c < C; c++) {
    let centered = X[start + c] - rowMean;
    squares += centered * centered;
  }
  let rowRstd = 1.0 / sqrt(squares / f32(C) + params.epsilon);
  for (var c = 0u; c < C; c++) {
    Y[start + c] = weight[c] * ((X[start + c] - rowMean) * rowRstd) + bias[c];
  }
  mean[row] = rowMean;
  rstd[row] = rowRstd;
}
