// layernorm  Y[r,c] = weight[c] * (X[r,c] - mean[r]) * rstd[r] + bias[c],  rstd = 1/sqrt(mean_c (X - mean)^2 + epsilon)
// shapes     X,Y (R, 4 COLUMNS)  weight,bias (4 COLUMNS)  mean,rstd (R)
// bindings   0 X read, 1 weight read, 2 bias read, 3 Y write, 4 mean write, 5 rstd write, 6 {R,epsilon} uniform
// work       LANES neighbouring invocations share a row, ELEMENTS vec4s each in registers; ROWS rows a workgroup; f32 sums,
//            a tree over the lanes: in workgroup memory, or without it with SUBGROUP (a row's lanes are in one subgroup)
// traffic    8RC + 8R bytes
// steps      neighbours read neighbouring vec4s (rows.wgsl has them a row apart, which a GPU fetches in pieces); rows are
//            short of lanes rather than lanes of rows: C/16 lanes a row; SUBGROUP saves the tree's barriers
// source     arXiv:1607.06450

struct Params { R: u32, epsilon: f32 }

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

alias Total = f32;
//@include "row_total.wgsl"

// In one dimension: WGSL leaves open which invocations of a workgroup with more are in one subgroup.
@compute @workgroup_size(LANES * ROWS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) own: u32,
) {
  let lane = own % LANES;
  let slot = own / LANES;
  let row = (group.y * groups.x + group.x) * ROWS + slot;
  let start = min(row, params.R - 1) * COLUMNS;
  var sum = vec4f();
  //@for i in 0..ELEMENTS
  let c_$i = lane + $i * LANES;
  var x_$i = vec4f();
  if (c_$i < COLUMNS) { x_$i = X[start + c_$i]; }
  sum += x_$i;
  //@end
  let rowMean = rowTotal(dot(sum, vec4f(1)), own) / f32(4 * COLUMNS);
  var squares = vec4f();
  //@for i in 0..ELEMENTS
  let centered_$i = select(vec4f(), x_$i - rowMean, c_$i < COLUMNS);
  squares += centered_$i * centered_$i;
  //@end
  let rowRstd = 1 / sqrt(rowTotal(dot(squares, vec4f(1)), own) / f32(4 * COLUMNS) + params.epsilon);
  if (row >= params.R) { return; }
  //@for i in 0..ELEMENTS
  if (c_$i < COLUMNS) { Y[start + c_$i] = weight[c_$i] * (centered_$i * rowRstd) + bias[c_$i]; }
  //@end
  if (lane == 0) {
    mean[row] = rowMean;
    rstd[row] = rowRstd;
  }
}
