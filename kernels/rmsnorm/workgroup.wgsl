// rmsnorm   Y[r,c] = weight[c] * X[r,c] * rstd[r],  rstd = 1/sqrt(mean_c X^2 + epsilon)
// shapes    X,Y (R, 4 COLUMNS)  weight (4 COLUMNS)  rstd (R)
// bindings  0 X read, 1 weight read, 2 Y write, 3 rstd write, 4 {R,epsilon} uniform
// work      LANES neighbouring invocations share a row, ELEMENTS vec4s each in registers; ROWS rows a workgroup; f32 sums,
//           a tree over the lanes: in workgroup memory, or without it with SUBGROUP (a row's lanes are in one subgroup)
// traffic   8RC + 4R bytes
// steps     as layernorm/workgroup.wgsl, without the mean
// source    arXiv:1910.07467

struct Params { R: u32, epsilon: f32 }

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

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
  let row = (group.y * groups.x + group.x) * ROWS + own / LANES;
  let start = min(row, params.R - 1) * COLUMNS;
  var squares = vec4f();
  //@for i in 0..ELEMENTS
  let c_$i = lane + $i * LANES;
  var x_$i = vec4f();
  if (c_$i < COLUMNS) { x_$i = X[start + c_$i]; }
  squares += x_$i * x_$i;
  //@end
  let rowRstd = 1 / sqrt(rowTotal(dot(squares, vec4f(1)), own) / f32(4 * COLUMNS) + params.epsilon);
  if (row >= params.R) { return; }
  //@for i in 0..ELEMENTS
  if (c_$i < COLUMNS) { Y[start + c_$i] = weight[c_$i] * (x_$i * rowRstd); }
  //@end
  if (lane == 0) { rstd[row] = rowRstd; }
}
