// layernorm backward, column sums over one block of rows
//            dWeight[c] += sum_r dY[r,c] * (X[r,c] - mean[r]) * rstd[r],  dBias[c] += sum_r dY[r,c]
// shapes     X,dY (R,C)  mean,rstd (R)  partials (2, ceil(R/BLOCK_ROWS), C)
// bindings   0 X read, 1 mean read, 2 rstd read, 3 dY read, 4 partials write, 5 {R, C in elements} uniform
// work       one invocation per ELEMENTS elements of a row (f32s, or vec4fs with IS_VEC4) and block of rows; f32 sums
// traffic    8RC + 8RC/BLOCK_ROWS bytes
// source     (ours)

//@if IS_VEC4
alias Element = vec4f;
//@else
alias Element = f32;
//@end
struct Params { R: u32, C: u32 }

@group(0) @binding(0) var<storage, read> X: array<Element>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> rstd: array<f32>;
@group(0) @binding(3) var<storage, read> dY: array<Element>;
@group(0) @binding(4) var<storage, read_write> partials: array<Element>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
) {
  let block = group.y;
  let column = group.x * (WORKGROUP * ELEMENTS) + lane.x;
  //@for i in 0..ELEMENTS
  var dWeight_$i = Element();
  var dBias_$i = Element();
  //@end
  let end = min((block + 1u) * BLOCK_ROWS, params.R);
  for (var row = block * BLOCK_ROWS; row < end; row++) {
    let rowMean = mean[row];
    let rowRstd = rstd[row];
    //@for i in 0..ELEMENTS
    {
      let c = min(column + $iu * WORKGROUP, params.C - 1u);
      let g = dY[row * params.C + c];
      dWeight_$i += g * ((X[row * params.C + c] - rowMean) * rowRstd);
      dBias_$i += g;
    }
    //@end
  }
  //@for i in 0..ELEMENTS
  if (column + $iu * WORKGROUP < params.C) {
    partials[block * params.C + column + $iu * WORKGROUP] = dWeight_$i;
    partials[(groups.y + block) * params.C + column + $iu * WORKGROUP] = dBias_$i;
  }
  //@end
}
