// unfold    columns[b,y,x,(ky,kx,c)] = X[b, y s + ky - p, x s + kx - p, c], 0 outside of X
// shapes    X (B,HEIGHT,width,C)  columns (B,OUT_HEIGHT,OUT_WIDTH,k^2 C); k KERNEL, s STRIDE, p PADDING
// bindings  0 X read or texels, 1 columns write, 2 {n,base} uniform; n Values of columns, base X's first texel
// work      one invocation per Value. A row ky of a window is one run of k C neighbouring words of a row of X, so the
//           kernel only knows runs: ROW, RUN, STEP and MARGIN are the Values of a row of X, of a run, of a stride and
//           of the padding. Sizes are constants: divisions become multiplications
// traffic   4 B k^2 C OUT_HEIGHT OUT_WIDTH bytes written, X mostly from cache
// texture   X through its texture mirror: 2.0x the naive rate for 64x64x3 by 8x8/4, 1.3x for 15x15x32 by 4x4/2 (llvmpipe)
// source    im2col, https://inria.hal.science/inria-00112631

//@include "value.wgsl"
//@include "flat_index.wgsl"

//@include "texel.wgsl"

struct Params {
  n: u32,
  base: u32,
}

//@if TEXTURE
@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
//@else
@group(0) @binding(0) var<storage, read> X: array<Value>;
//@end
@group(0) @binding(1) var<storage, read_write> columns: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) {
    return;
  }
  let inside = i % RUN;
  let ky = (i / RUN) % KERNEL;
  let x = (i / (RUN * KERNEL)) % OUT_WIDTH;
  let y = (i / (RUN * KERNEL * OUT_WIDTH)) % OUT_HEIGHT;
  let b = i / (RUN * KERNEL * OUT_WIDTH * OUT_HEIGHT);
  // Below 0 they wrap to beyond every size.
  let row = y * STRIDE + ky - PADDING;
  let column = x * STEP + inside - MARGIN;
  var value = Value();
  if (row < HEIGHT && column < ROW) {
    let source = (b * HEIGHT + row) * ROW + column;
//@if TEXTURE
    value = textureLoad(X, texel(params.base + source));
//@else
    value = X[source];
//@end
  }
  columns[i] = value;
}
