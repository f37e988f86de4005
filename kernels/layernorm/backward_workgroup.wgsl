// layernorm backward
//            Y[r,c] = weight[c] * xhat + bias[c],  xhat = (X[r,c] - mean[r]) * rstd[r]
//            g = dY * weight,  dX = rstd * (g - mean_c(g) - xhat * mean_c(g * xhat)), or dX += with ACCUMULATE
//            dWeight[c] += sum_r dY[r,c] * xhat,  dBias[c] += sum_r dY[r,c]: with HAS_PARTIALS their sums over a block
// shapes     X,dY,dX (R, 4 COLUMNS)  weight (4 COLUMNS)  mean,rstd (R)  partials (2, ceil(R/BLOCK_ROWS), 4 COLUMNS)
// bindings   0 X read, 1 weight read, 2 mean read, 3 rstd read, 4 dY read, 5 dX read-write, 6 {R} uniform, 7 partials write
// work       as workgroup.wgsl; a workgroup takes BLOCK_ROWS rows, ROWS at a time, so that a lane always has the same
//            columns and keeps their sums in registers; f32
// traffic    12RC + 8R bytes, with HAS_PARTIALS 8RC/BLOCK_ROWS more
// steps      as workgroup.wgsl; the column sums in the same walk: X and dY are read once instead of twice
// source     arXiv:1607.06450, differentiated as in llm.c's doc/layernorm

struct Params { R: u32 }

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dY: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> dX: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;
//@if HAS_PARTIALS
@group(0) @binding(7) var<storage, read_write> partials: array<vec4f>;
var<workgroup> dWeights: array<vec4f, ROWS * LANES>;
var<workgroup> dBiases: array<vec4f, ROWS * LANES>;
//@end

alias Total = vec2f;
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
  //@for i in 0..ELEMENTS
  let c_$i = lane + $i * LANES;
  let isColumn_$i = c_$i < COLUMNS;
  let weight_$i = weight[min(c_$i, COLUMNS - 1)];
  var dWeight_$i = vec4f();
  var dBias_$i = vec4f();
  //@end
  let blocks = (params.R + BLOCK_ROWS - 1) / BLOCK_ROWS;
  let block = group.x + group.y * groups.x;
  let blockEnd = min((block + 1) * BLOCK_ROWS, params.R);
  for (var first = block * BLOCK_ROWS; first < blockEnd; first += ROWS) {
    let row = first + slot;
    let isRow = row < blockEnd;
    let start = min(row, params.R - 1) * COLUMNS;
    let rowMean = mean[min(row, params.R - 1)];
    let rowRstd = rstd[min(row, params.R - 1)];
    var sum = vec4f();
    var product = vec4f();
    //@for i in 0..ELEMENTS
    var dY_$i = vec4f();
    var xhat_$i = vec4f();
    if (isRow && isColumn_$i) {
      dY_$i = dY[start + c_$i];
      xhat_$i = (X[start + c_$i] - rowMean) * rowRstd;
    }
    sum += dY_$i * weight_$i;
    product += dY_$i * weight_$i * xhat_$i;
    dWeight_$i += dY_$i * xhat_$i;
    dBias_$i += dY_$i;
    //@end
    let means = rowTotal(vec2f(dot(sum, vec4f(1)), dot(product, vec4f(1))), own) / f32(4 * COLUMNS);
    //@for i in 0..ELEMENTS
    if (isRow && isColumn_$i) {
      //@if ACCUMULATE
      dX[start + c_$i] += rowRstd * (dY_$i * weight_$i - means.x - xhat_$i * means.y);
      //@else
      dX[start + c_$i] = rowRstd * (dY_$i * weight_$i - means.x - xhat_$i * means.y);
      //@end
    }
    //@end
  }

  //@if HAS_PARTIALS
  //@for i in 0..ELEMENTS
  workgroupBarrier();
  dWeights[own] = dWeight_$i;
  dBiases[own] = dBias_$i;
  workgroupBarrier();
  if (slot == 0 && isColumn_$i && block < blocks) {
    for (var other = 1u; other < ROWS; other++) {
      dWeight_$i += dWeights[other * LANES + lane];
      dBias_$i += dBiases[other * LANES + lane];
    }
    partials[block * COLUMNS + c_$i] = dWeight_$i;
    partials[(blocks + block) * COLUMNS + c_$i] = dBias_$i;
  }
  //@end
  //@end
}
