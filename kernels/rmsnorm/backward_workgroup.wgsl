// rmsnorm backward, dX
//           Y[r,c] = weight[c] * xhat,  xhat = X[r,c] * rstd[r]
//           g = dY * weight,  dX = rstd * (g - xhat * mean_c(g * xhat)), or dX += with ACCUMULATE
// shapes    X,dY,dX (R, 4 COLUMNS)  weight (4 COLUMNS)  rstd (R)
// bindings  0 X read, 1 weight read, 2 rstd read, 3 dY read, 4 dX read-write, 5 {R} uniform
// work      as workgroup.wgsl; f32 sums
// traffic   12RC + 4R bytes
// steps     as workgroup.wgsl
// source    arXiv:1910.07467, differentiated

struct Params { R: u32 }

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> rstd: array<f32>;
@group(0) @binding(3) var<storage, read> dY: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dX: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

alias Total = f32;
//@include "row_total.wgsl"

@compute @workgroup_size(LANES * ROWS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) own: u32,
) {
  let lane = own % LANES;
  let row = (group.y * groups.x + group.x) * ROWS + own / LANES;
  let start = min(row, params.R - 1) * COLUMNS;
  let rowRstd = rstd[min(row, params.R - 1)];
  var products = vec4f();
  //@for i in 0..ELEMENTS
  let c_$i = lane + $i * LANES;
  var xhat_$i = vec4f();
  var g_$i = vec4f();
  if (c_$i < COLUMNS) {
    xhat_$i = X[start + c_$i] * rowRstd;
    g_$i = dY[start + c_$i] * weight[c_$i];
  }
  products += g_$i * xhat_$i;
  //@end
  let product = rowTotal(dot(products, vec4f(1)), own) / f32(4 * COLUMNS);
  if (row >= params.R) { return; }
  //@for i in 0..ELEMENTS
  if (c_$i < COLUMNS) {
    //@if ACCUMULATE
    dX[start + c_$i] += rowRstd * (g_$i - xhat_$i * product);
    //@else
    dX[start + c_$i] = rowRstd * (g_$i - xhat_$i * product);
    //@end
  }
  //@end
}
