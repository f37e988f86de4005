// pixelShuffleMerge   Y[b, (y,x), (dy,dx,c)] = X[b, (f y + dy, f x + dx), c]; with INVERSE: X from Y, its backward
// shapes    X (B,side^2,C)  Y (B,(side/f)^2,f^2 C); WIDTH is C in Values, vec4s when VECTOR
// bindings  0 input read, 1 output write, 2 {n} uniform; n Values
// work      one invocation per Value of the merged side. Sizes are constants: divisions become shifts
// traffic   8 B side^2 C bytes
// source    pixel shuffle, arXiv:1609.05158, backwards

//@include "value.wgsl"

//@include "flat_index.wgsl"

struct Params {
  n: u32,
}

@group(0) @binding(0) var<storage, read> input: array<Value>;
@group(0) @binding(1) var<storage, read_write> output: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const MERGED_SIDE = SIDE / FACTOR;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) {
    return;
  }
  let c = i % WIDTH;
  let child = i / WIDTH;
  let dx = child % FACTOR;
  let dy = (child / FACTOR) % FACTOR;
  let merged = child / (FACTOR * FACTOR);
  let x = (merged % MERGED_SIDE) * FACTOR + dx;
  // Images follow one another, so the row of a merged token counts on through the batch.
  let y = (merged / MERGED_SIDE) * FACTOR + dy;
  let j = (y * SIDE + x) * WIDTH + c;
//@if INVERSE
  output[j] = input[i];
//@else
  output[i] = input[j];
//@end
}
