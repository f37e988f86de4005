// extractPatches   patches[b, (y,x), (py,px,c)] = (pixels[b, y p + py, x p + px, c] / 255 - mean_c) * factor_c
// shapes    pixels (B,S,S,3) bytes, 4 to a word  statistics (B,8) [means, factors, -, -]  patches (B,(S/p)^2,3p^2)
// bindings  0 pixels read, 1 statistics read, 2 patches write, 3 {n} uniform; n outputs, or twelves of them when VECTOR
// work      one invocation per output. A row of a patch is 3p neighbouring bytes; if p is a multiple of 4 an
//           invocation takes four whole pixels instead: three words in, three vec4s out, channels known in advance.
//           S and p are constants: divisions become shifts
// traffic   15 B S^2 bytes
// source    arXiv:2010.11929

//@include "flat_index.wgsl"

struct Params {
  n: u32,
}

@group(0) @binding(0) var<storage, read> pixels: array<u32>;
@group(0) @binding(1) var<storage, read> statistics: array<vec4f>;
//@if VECTOR
@group(0) @binding(2) var<storage, read_write> patches: array<vec4f>;
//@else
@group(0) @binding(2) var<storage, read_write> patches: array<f32>;
//@end
@group(0) @binding(3) var<uniform> params: Params;

// Outputs of one invocation.
//@if VECTOR
const STEP = 12u;
//@else
const STEP = 1u;
//@end
const PATCH_ROW = 3u * PATCH / STEP;
const SIDE = SIZE / PATCH;
const IMAGE = 3u * SIZE * SIZE / STEP;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) {
    return;
  }
  let b = i / IMAGE;
  let inside = i % PATCH_ROW;
  let row = (i / PATCH_ROW) % PATCH;
  let patch_index = (i / (PATCH_ROW * PATCH)) % (SIDE * SIDE);
  let y = (patch_index / SIDE) * PATCH + row;
  let source = b * IMAGE + y * (3u * SIZE / STEP) + (patch_index % SIDE) * PATCH_ROW + inside;
  let low = statistics[2u * b];
  let high = statistics[2u * b + 1u];
  let mean = low.xyz;
  let factor = vec3f(low.w, high.xy);
//@if VECTOR
  patches[3u * i] = (unpack4x8unorm(pixels[3u * source]) - mean.xyzx) * factor.xyzx;
  patches[3u * i + 1u] = (unpack4x8unorm(pixels[3u * source + 1u]) - mean.yzxy) * factor.yzxy;
  patches[3u * i + 2u] = (unpack4x8unorm(pixels[3u * source + 2u]) - mean.zxyz) * factor.zxyz;
//@else
  let channel = inside % 3u;
  let value = f32((pixels[source / 4u] >> (8u * (source % 4u))) & 255u) / 255.0;
  patches[i] = (value - mean[channel]) * factor[channel];
//@end
}
