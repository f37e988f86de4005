// log-softmax  Y[n,v] = X[n,v] / temperature - log sum_u e^(X[n,u] / temperature)
// shapes       X,Y (N, 4 COLUMNS)
// bindings     0 X texels, 1 Y write, 2 {base,N,temperature} uniform
// work         8 lanes, neighbours on neighbouring vec4s, take ROWS rows in turn: a walk with a running maximum and sum of each
//              lane, J vec4s a round, one to write; f32
// traffic      16NV bytes, the copy of X to its texture included
// steps        by CPU time on llvmpipe at 2048x512 and at 128x32768: X through a storage texture, 1.5x and 1.9x reading the
//              buffer, the copy included; lanes exchange by broadcast, 1.5x and 1.2x workgroup memory; 4 vec4s a round, 1.1x
//              and 1.06x of 8, 1.1x of 2; ROWS rows a workgroup, 1.1x of one. In all 2.3x and 3.4x naive.wgsl
// bound        the copy, one read of the texture and the stores alone take two thirds of the time at 128x32768
// values       a logit of -infinity has probability 0; NaN, +infinity, or nothing but -infinity make the whole row NaN
// source       running maximum and sum: arXiv:1805.02867

//@include "texel.wgsl"

struct Params { base: u32, N: u32, temperature: f32 }

@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

fn x(index: u32) -> vec4f { return textureLoad(X, texel(index)); }

//@include "lanes.wgsl"

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Copied out of the loops: software adapters read parameters from a storage buffer, anew each round.
  let base = params.base;
  let N = params.N;
  let scale = 1.0 / params.temperature;
  let binary = 1.44269504 * scale; // e^(scale x) = 2^(binary x)
  for (var turn = 0u; turn < ROWS; turn++) {
    // Beyond the last row workgroups repeat it, beyond the last column lanes do, and write the same values.
    let start = min(group.x * ROWS + turn, N - 1) * COLUMNS;
    // The lowest f32, as in naive.wgsl.
    var largest = -3.4028234e38;
    var total4 = vec4f(); // sum of e^((x - largest) / temperature)
    for (var c = lane; c < COLUMNS; c += 8 * J) {
      //@for j in 0..J
      //@if IS_RAGGED
      let x_$j = x(base + start + min(c + 8 * $j, COLUMNS - 1));
      //@else
      let x_$j = x(base + start + c + 8 * $j);
      //@end
      //@end
      var next4 = x_0;
      //@for j in 1..J
      next4 = max(next4, x_$j);
      //@end
      let next = max(largest, max(max(next4.x, next4.y), max(next4.z, next4.w)));
      total4 *= exp2((largest - next) * binary);
      //@for j in 0..J
      //@if IS_RAGGED
      total4 += select(vec4f(), exp2((x_$j - next) * binary), c + 8 * $j < COLUMNS);
      //@else
      total4 += exp2((x_$j - next) * binary);
      //@end
      //@end
      largest = next;
    }
    let whole = rowMax(largest, lane);
    let decay = exp2((largest - whole) * binary);
    let logTotal = log(rowTotal(decay * dot(total4, vec4f(1.0)), lane));
    for (var c = lane; c < COLUMNS; c += 8 * J) {
      //@for j in 0..J
      //@if IS_RAGGED
      let i_$j = start + min(c + 8 * $j, COLUMNS - 1);
      //@else
      let i_$j = start + c + 8 * $j;
      //@end
      // As in naive.wgsl, not x / temperature - lse.
      Y[i_$j] = (x(base + i_$j) - whole) * scale - logTotal;
      //@end
    }
  }
}
