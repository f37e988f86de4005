// log-softmax backward  forward: Y[n,v] = X[n,v] / temperature - log sum_u e^(X[n,u] / temperature)
//                       dX[n,v] = (dY[n,v] - e^Y[n,v] * sum_u dY[n,u]) / temperature
// shapes                Y,dY,dX (N, 4 COLUMNS)
// bindings              0 Y texels, 1 dY texels, 2 dX write, 3 {baseY,baseDY,N,temperature} uniform
// work                  8 lanes, neighbours on neighbouring vec4s, take ROWS rows in turn: a walk for the sum, J vec4s a round,
//                       one to write; f32
// traffic               28NV bytes, the copies of Y and dY to their textures included
// source                (ours)

//@include "texel.wgsl"

struct Params { baseY: u32, baseDY: u32, N: u32, temperature: f32 }

@group(0) @binding(0) var Y: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var dY: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> dX: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

fn y(index: u32) -> vec4f { return textureLoad(Y, texel(index)); }
fn dy(index: u32) -> vec4f { return textureLoad(dY, texel(index)); }

//@include "lanes.wgsl"

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let baseY = params.baseY;
  let baseDY = params.baseDY;
  let N = params.N;
  let scale = 1.0 / params.temperature;
  for (var turn = 0u; turn < ROWS; turn++) {
    // Beyond the last row workgroups repeat it, beyond the last column lanes do, and write the same values.
    let start = min(group.x * ROWS + turn, N - 1) * COLUMNS;
    var part = vec4f();
    for (var c = lane; c < COLUMNS; c += 8 * J) {
      //@for j in 0..J
      //@if IS_RAGGED
      part += select(vec4f(), dy(baseDY + start + min(c + 8 * $j, COLUMNS - 1)), c + 8 * $j < COLUMNS);
      //@else
      part += dy(baseDY + start + c + 8 * $j);
      //@end
      //@end
    }
    let sum = rowTotal(dot(part, vec4f(1.0)), lane);
    for (var c = lane; c < COLUMNS; c += 8 * J) {
      //@for j in 0..J
      //@if IS_RAGGED
      let i_$j = start + min(c + 8 * $j, COLUMNS - 1);
      //@else
      let i_$j = start + c + 8 * $j;
      //@end
      dX[i_$j] = (dy(baseDY + i_$j) - exp2(y(baseY + i_$j) * 1.44269504) * sum) * scale;
      //@end
    }
  }
}
