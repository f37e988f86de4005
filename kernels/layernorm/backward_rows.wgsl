// layernorm backward, dX
//            Y[r,c] = weight[c] * xhat + bias[c],  xhat = (X[r,c] - mean[r]) * rstd[r]
//            g = dY * weight,  dX = rstd * (g - mean_c(g) - xhat * mean_c(g * xhat)), or dX += with ACCUMULATE
// shapes     X,dY,dX (R, 4 COLUMNS)  weight (4 COLUMNS)  mean,rstd (R)
// bindings   0 X read, 1 weight read, 2 mean read, 3 rstd read, 4 dY read, 5 dX read-write, 6 {R} uniform
// work       one invocation holds a row in registers, LANE_ROWS rows in turn; f32 sums
// traffic    12RC + 8R bytes
// source     arXiv:1607.06450, differentiated as in llm.c's doc/layernorm

struct Params { R: u32 }

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dY: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> dX: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  //@for i in 0..COLUMNS
  let weight_$i = weight[$i];
  //@end
  for (var turn = 0u; turn < LANE_ROWS; turn++) {
    let row = (group.x * LANE_ROWS + turn) * WORKGROUP + lane.x;
    if (row >= params.R) { return; }
    let start = row * COLUMNS;
    let rowMean = mean[row];
    let rowRstd = rstd[row];
    var sum4 = vec4f();
    var product4 = vec4f();
    //@for i in 0..COLUMNS
    let g_$i = dY[start + $iu] * weight_$i;
    let xhat_$i = (X[start + $iu] - rowMean) * rowRstd;
    sum4 += g_$i;
    product4 += g_$i * xhat_$i;
    //@end
    let sum = dot(sum4, vec4f(1.0)) / f32(4 * COLUMNS);
    let product = dot(product4, vec4f(1.0)) / f32(4 * COLUMNS);
    //@for i in 0..COLUMNS
    //@if ACCUMULATE
    dX[start + $iu] += rowRstd * (g_$i - sum - xhat_$i * product);
    //@else
    dX[start + $iu] = rowRstd * (g_$i - sum - xhat_$i * product);
    //@end
    //@end
  }
}
