// rmsnorm   Y[r,c] = weight[c] * X[r,c] * rstd[r],  rstd = 1/sqrt(mean_c X^2 + epsilon)
// shapes    X,Y (R, 4 COLUMNS)  weight (4 COLUMNS)  rstd (R)
// bindings  0 X texels, 1 weight read, 2 Y write, 3 rstd write, 4 {base,R,epsilon} uniform
// work      one invocation takes LANE_ROWS rows, WORKGROUP apart: a walk for the sum of squares, one for Y; f32 sums
// traffic   16RC + 4R bytes, the copy of X to its texture included
// steps     X through a storage texture: reading it twice costs less than once from a buffer; the weight is loaded once for
//           LANE_ROWS rows
// source    arXiv:1910.07467

//@include "texel.wgsl"

struct Params { base: u32, R: u32, epsilon: f32 }

@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn x(index: u32) -> vec4f { return textureLoad(X, texel(index)); }

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let R = params.R;
  let epsilon = params.epsilon;
  //@for r in 0..LANE_ROWS
  // Beyond the last row lanes repeat it, and write the same values.
  let row_$r = min((group.x * LANE_ROWS + $r) * WORKGROUP + lane.x, R - 1);
  let out_$r = row_$r * COLUMNS;
  let in_$r = params.base + out_$r;
  var squares_$r = vec4f();
  //@end
  for (var c = 0u; c < COLUMNS; c++) {
    //@for r in 0..LANE_ROWS
    let x_$r = x(in_$r + c);
    squares_$r += x_$r * x_$r;
    //@end
  }
  //@for r in 0..LANE_ROWS
  let rstd_$r = 1.0 / sqrt(dot(squares_$r, vec4f(1.0)) / f32(4 * COLUMNS) + epsilon);
  rstd[row_$r] = rstd_$r;
  //@end
  for (var c = 0u; c < COLUMNS; c++) {
    let weight_c = weight[c];
    //@for r in 0..LANE_ROWS
    Y[out_$r + c] = weight_c * (x(in_$r + c) * rstd_$r);
    //@end
  }
}
