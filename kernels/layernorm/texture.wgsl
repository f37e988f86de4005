// layernorm  Y[r,c] = weight[c] * (X[r,c] - mean[r]) * rstd[r] + bias[c],  rstd = 1/sqrt(mean_c (X - mean)^2 + epsilon)
// shapes     X,Y (R, 4 COLUMNS)  weight,bias (4 COLUMNS)  mean,rstd (R)
// bindings   0 X texels, 1 weight read, 2 bias read, 3 Y write, 4 mean write, 5 rstd write, 6 {base,R,epsilon} uniform
// work       one invocation takes LANE_ROWS rows, WORKGROUP apart: a walk over their first eighths for a pivot near the mean,
//            one for the sums about the pivot, one for Y; f32 sums
// traffic    16RC + 8R bytes, the copy of X to its texture included
// steps      X through a storage texture: reading it twice costs less than once from a buffer, so a row needs no
//            registers and any width compiles fast; weight and bias loaded once for LANE_ROWS rows: together 1.5x rows.wgsl
//            at 4096x256 on llvmpipe by CPU time; a pivot instead of a walk for the mean: 1.06x more
// source     arXiv:1607.06450

//@include "texel.wgsl"

struct Params { base: u32, R: u32, epsilon: f32 }

@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

fn x(index: u32) -> vec4f { return textureLoad(X, texel(index)); }

// At least an eighth of a row: its mean is then within sqrt(7) standard deviations of the row's, so that the difference of
// squares below loses 3 bits at worst.
const PIVOT_COLUMNS = (COLUMNS + 7) / 8;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let R = params.R;
  let epsilon = params.epsilon;
  //@for r in 0..LANE_ROWS
  // Beyond the last row lanes repeat it, and write the same values: a branch around each store costs a tenth of the time.
  let row_$r = min((group.x * LANE_ROWS + $r) * WORKGROUP + lane.x, R - 1);
  let out_$r = row_$r * COLUMNS;
  let in_$r = params.base + out_$r;
  var sum_$r = vec4f();
  var squares_$r = vec4f();
  //@end

  for (var c = 0u; c < PIVOT_COLUMNS; c++) {
    //@for r in 0..LANE_ROWS
    sum_$r += x(in_$r + c);
    //@end
  }
  //@for r in 0..LANE_ROWS
  let pivot_$r = dot(sum_$r, vec4f(1.0)) / f32(4 * PIVOT_COLUMNS);
  sum_$r = vec4f();
  //@end

  for (var c = 0u; c < COLUMNS; c++) {
    //@for r in 0..LANE_ROWS
    let x_$r = x(in_$r + c) - pivot_$r;
    sum_$r += x_$r;
    squares_$r += x_$r * x_$r;
    //@end
  }
  //@for r in 0..LANE_ROWS
  let offset_$r = dot(sum_$r, vec4f(1.0)) / f32(4 * COLUMNS);
  let mean_$r = pivot_$r + offset_$r;
  let variance_$r = dot(squares_$r, vec4f(1.0)) / f32(4 * COLUMNS) - offset_$r * offset_$r;
  let rstd_$r = 1.0 / sqrt(variance_$r + epsilon);
  //@end

  for (var c = 0u; c < COLUMNS; c++) {
    let weight_c = weight[c];
    let bias_c = bias[c];
    //@for r in 0..LANE_ROWS
    Y[out_$r + c] = weight_c * ((x(in_$r + c) - mean_$r) * rstd_$r) + bias_c;
    //@end
  }

  //@for r in 0..LANE_ROWS
  mean[row_$r] = mean_$r;
  rstd[row_$r] = rstd_$r;
  //@end
}
