// embedRows  Y[n,c] = table[s - row0, c] if row0 <= s < row0 + rows,  imageTokens[-s-1, c] if s < 0 and IMAGES,
//            with s = sources[n]; other rows keep their contents: a table in several pieces takes a launch each
// shapes    sources (N)  table (rows,C)  imageTokens (imageRows,C)  Y (N,C); C counts vec4s when VECTOR
// bindings  0 sources read, 1 table read, 2 imageTokens read, 3 Y write, 4 {N,C,row0,rows,imageRows} uniform
// work      one invocation per Value of Y; x runs over columns, y and z over rows
// traffic   8NC + 4N bytes
// source    (ours)

//@include "value.wgsl"

struct Params {
  N: u32,
  C: u32,
  row0: u32,
  rows: u32,
  imageRows: u32,
}

@group(0) @binding(0) var<storage, read> sources: array<i32>;
@group(0) @binding(1) var<storage, read> table: array<Value>;
@group(0) @binding(2) var<storage, read> imageTokens: array<Value>;
@group(0) @binding(3) var<storage, read_write> Y: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let c = id.x;
  let n = id.y + id.z * groups.y * 8u;
  if (c >= params.C || n >= params.N) {
    return;
  }
  let source = sources[n];
  if (source < 0) {
    if (IMAGES) {
      Y[n * params.C + c] = imageTokens[min(u32(-(source + 1)), params.imageRows - 1u) * params.C + c];
    }
    return;
  }
  let row = u32(source) - params.row0;
  if (u32(source) >= params.row0 && row < params.rows) {
    Y[n * params.C + c] = table[row * params.C + c];
  }
}
