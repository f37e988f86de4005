// fold      dX[b,v,u,c] = sum of dcolumns[b,y,x,(ky,kx,c)] over the y, x, ky, kx with y s + ky - p = v, x s + kx - p = u
//           backward of columns[b,y,x,(ky,kx,c)] = X[b, y s + ky - p, x s + kx - p, c]
// shapes    dcolumns (B,OUT_HEIGHT,OUT_WIDTH,k^2 C)  dX (B,HEIGHT,WIDTH,C); k KERNEL, s STRIDE, p PADDING;
//           C is CHANNELS Values
// bindings  0 dcolumns read or texels, 1 dX write, 2 {n,base} uniform; n Values of dX, base dcolumns' first texel
// work      one invocation per Value of dX gathers the windows it lies in, in f32 and in a fixed order: no atomics,
//           deterministic. In each direction they are ceil(k/s) at most, TAPS: the last window that begins at or
//           before the element, and those before it
// traffic   4 B k^2 C OUT_HEIGHT OUT_WIDTH bytes read, 4 B C HEIGHT WIDTH written
// texture   dcolumns through its texture mirror: 1.4x the naive rate for 15x15x32 by 4x4/2, 1.3x for 6x6x64
//           by 3x3/1 (llvmpipe)
// source    the adjoint of unfold.wgsl, col2im

//@include "value.wgsl"
//@include "flat_index.wgsl"

//@include "texel.wgsl"

struct Params {
  n: u32,
  base: u32,
}

//@if TEXTURE
@group(0) @binding(0) var dcolumns: texture_storage_2d<rgba32float, read>;
//@else
@group(0) @binding(0) var<storage, read> dcolumns: array<Value>;
//@end
@group(0) @binding(1) var<storage, read_write> dX: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

fn load(source: u32) -> Value {
//@if TEXTURE
  return textureLoad(dcolumns, texel(params.base + source));
//@else
  return dcolumns[source];
//@end
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) {
    return;
  }
  let c = i % CHANNELS;
  let u = (i / CHANNELS) % WIDTH + PADDING;
  let v = (i / (CHANNELS * WIDTH)) % HEIGHT + PADDING;
  let b = i / (CHANNELS * WIDTH * HEIGHT);
  var sum = Value();
  for (var j = 0u; j < TAPS; j++) {
    let y = v / STRIDE - j; // wraps below 0
    let ky = v % STRIDE + j * STRIDE;
    if (y < OUT_HEIGHT && ky < KERNEL) {
      for (var k = 0u; k < TAPS; k++) {
        let x = u / STRIDE - k;
        let kx = u % STRIDE + k * STRIDE;
        if (x < OUT_WIDTH && kx < KERNEL) {
          sum += load((((b * OUT_HEIGHT + y) * OUT_WIDTH + x) * KERNEL + ky) * KERNEL * CHANNELS + kx * CHANNELS + c);
        }
      }
    }
  }
  dX[i] = sum;
}
