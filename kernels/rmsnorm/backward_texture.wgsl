// rmsnorm backward, dX
//           Y[r,c] = weight[c] * xhat,  xhat = X[r,c] * rstd[r]
//           g = dY * weight,  dX = rstd * (g - xhat * mean_c(g * xhat)), or dX += with ACCUMULATE
// shapes    X,dY,dX (R, 4 COLUMNS)  weight (4 COLUMNS)  rstd (R)
// bindings  0 X texels, 1 weight read, 2 rstd read, 3 dY texels, 4 dX read-write, 5 {baseX,baseDY,R} uniform
// work      one invocation takes LANE_ROWS rows, WORKGROUP apart: a walk for the sum, one for dX; f32 sums
// traffic   28RC + 4R bytes, the copies of X and dY to their textures included
// steps     as texture.wgsl. With ACCUMULATE lanes beyond the last row must not add to it again
// source    arXiv:1910.07467, differentiated

//@include "texel.wgsl"

struct Params { baseX: u32, baseDY: u32, R: u32 }

@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> rstd: array<f32>;
@group(0) @binding(3) var dY: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var<storage, read_write> dX: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

fn x(index: u32) -> vec4f { return textureLoad(X, texel(params.baseX + index)); }
fn dy(index: u32) -> vec4f { return textureLoad(dY, texel(params.baseDY + index)); }

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let R = params.R;
  //@for r in 0..LANE_ROWS
  let row_$r = (group.x * LANE_ROWS + $r) * WORKGROUP + lane.x;
  let at_$r = min(row_$r, R - 1) * COLUMNS;
  let rstd_$r = rstd[min(row_$r, R - 1)];
  var products_$r = vec4f();
  //@end
  for (var c = 0u; c < COLUMNS; c++) {
    let weight_c = weight[c];
    //@for r in 0..LANE_ROWS
    products_$r += dy(at_$r + c) * weight_c * (x(at_$r + c) * rstd_$r);
    //@end
  }
  //@for r in 0..LANE_ROWS
  let product_$r = dot(products_$r, vec4f(1.0)) / f32(4 * COLUMNS);
  //@end
  for (var c = 0u; c < COLUMNS; c++) {
    let weight_c = weight[c];
    //@for r in 0..LANE_ROWS
    if (row_$r < R) {
      let gradient = rstd_$r * (dy(at_$r + c) * weight_c - x(at_$r + c) * rstd_$r * product_$r);
      //@if ACCUMULATE
      dX[at_$r + c] += gradient;
      //@else
      dX[at_$r + c] = gradient;
      //@end
    }
    //@end
  }
}
