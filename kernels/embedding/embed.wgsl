// embed     Y[n,c] = source[c] + positionTable[positions[n],c]
//           with s = sources[n]: source = tokenTable[s] if s >= 0, imageTokens[-s-1] if s < 0
// shapes    sources, positions (N)  tokenTable (tokenRows,C)  positionTable (positionRows,C)
//           imageTokens (imageRows,C)  Y (N,C); C counts vec4s when VECTOR
// bindings  0 sources read, 1 positions read, 2 tokenTable read, 3 positionTable read, 4 imageTokens read,
//           5 Y write, 6 {N,C,tokenRows,positionRows,imageRows} uniform
// work      one invocation per Value of Y; x runs over columns, y and z over rows
// traffic   12NC + 8N bytes (tables mostly from cache)
// source    (ours)

//@include "value.wgsl"

struct Params {
  N: u32,
  C: u32,
  tokenRows: u32,
  positionRows: u32,
  imageRows: u32,
}

@group(0) @binding(0) var<storage, read> sources: array<i32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> tokenTable: array<Value>;
@group(0) @binding(3) var<storage, read> positionTable: array<Value>;
@group(0) @binding(4) var<storage, read> imageTokens: array<Value>;
@group(0) @binding(5) var<storage, read_write> Y: array<Value>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let c = id.x;
  let n = id.y + id.z * groups.y * 8u;
  if (c >= params.C || n >= params.N) {
    return;
  }
  let source = sources[n];
  var value: Value;
  if (source >= 0) {
    value = tokenTable[min(u32(source), params.tokenRows - 1u) * params.C + c];
  } else {
    value = imageTokens[min(u32(-(source + 1)), params.imageRows - 1u) * params.C + c];
  }
  Y[n * params.C + c] = value + positionTable[min(positions[n], params.positionRows - 1u) * params.C + c];
}
