// linear logprob  logits = X W / temperature; max, sum and entropy sum of each lane's columns, for merge.wgsl
// shapes          X (N,C)  W (C,V)  targets (N) u32  partials (N, panels * 8) vec4f;  C and V multiples of 4
// bindings        0 X texels, 1 W texels, 2 targets read, 3 partials write,
//                 4 {N, C/4, V/4, X offset/4, W offset/4, blocksPerPanel, temperature} uniform
// work            8 lanes hold ROWS x 32J logits in registers (J vec4s a lane), one block of columns after another with
//                 a running maximum; f32. Workgroups go through the rows of a panel, then to the next panel
// traffic         4NC + 4CV N/ROWS + 128N panels bytes
// steps           texel loads, register tiles and the polynomial exp together: 23x naive.wgsl at 896x96x96 on llvmpipe;
//                 rows before panels, and panels of W that a core's cache holds, with BROADCAST (a lane reads a row of X
//                 for all): 1.5x at 128x256x32768, 1.03x at 512x256x512
// values          a logit of -infinity has probability 0; NaN or +infinity makes all three results of its row NaN
// source          running maximum and sum: arXiv:1805.02867

//@include "texel.wgsl"

//@include "lowest.wgsl"

struct Params {
  N: u32,
  C4: u32,
  V4: u32,
  baseX: u32,
  baseW: u32,
  blocksPerPanel: u32,
  temperature: f32,
}

@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var W: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

fn loadX(i: u32) -> vec4f { return textureLoad(X, texel(i)); }
fn loadW(i: u32) -> vec4f { return textureLoad(W, texel(i)); }

//@include "exp_negative.wgsl"

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
) {
  let row = group.x * ROWS;
  let scale = 1.0 / params.temperature;
  //@for i in 0..ROWS
  let label_$i = targets[min(row + $iu, params.N - 1u)];
  // The lowest f32, which no finite logit is below.
  var largest_$i = LOWEST;
  var total_$i = 0.0;
  var weighted_$i = 0.0;
  var chosen_$i = 0.0;
  //@end
  for (var step = 0u; step < params.blocksPerPanel; step++) {
    let column = (group.y * params.blocksPerPanel + step) * (8u * J) + lane.x;
    //@for i in 0..ROWS
    //@for j in 0..J
    var logit_$i_$j = vec4f();
    //@end
    //@end
    for (var k = 0u; k < params.C4; k++) {
      //@if BROADCAST
      //@for h in 0..ROWS/8
      let own_$h = loadX(params.baseX + (row + 8u * $hu + lane.x) * params.C4 + k);
      //@end
      //@end
      //@for i in 0..ROWS
      //@if BROADCAST
      let x_$i = subgroupBroadcast(own_${i/8}, $iu % 8u);
      //@else
      let x_$i = loadX(params.baseX + (row + $iu) * params.C4 + k);
      //@end
      //@end
      let start = params.baseW + k * 4u * params.V4 + column;
      //@for q in 0..4
      //@for j in 0..J
      let w_$q_$j = loadW(start + $qu * params.V4 + $ju * 8u);
      //@end
      //@end
      //@for j in 0..J
      //@for i in 0..ROWS
      //@for q in 0..4
      logit_$i_$j += x_$i[$q] * w_$q_$j;
      //@end
      //@end
      //@end
    }
    //@for j in 0..J
    let isOutside_$j = column + $ju * 8u >= params.V4;
    let ids_$j = vec4u((column + $ju * 8u) * 4u) + vec4u(0, 1, 2, 3);
    //@end
    //@for i in 0..ROWS
    {
      var next4 = vec4f(largest_$i);
      //@for j in 0..J
      let l_$j = select(logit_$i_$j * scale, vec4f(LOWEST), isOutside_$j);
      next4 = max(next4, l_$j);
      chosen_$i += dot(select(vec4f(), l_$j, ids_$j == vec4u(label_$i)), vec4f(1.0));
      //@end
      let next = max(max(next4.x, next4.y), max(next4.z, next4.w));
      let shift = bounded(vec4f(largest_$i - next)).x;
      let decay = expNegative(vec4f(shift)).x;
      var sum4 = vec4f();
      var weighted4 = vec4f();
      //@for j in 0..J
      let shifted_$j = bounded(l_$j - next);
      let e_$j = select(expNegative(shifted_$j), vec4f(), isOutside_$j);
      sum4 += e_$j;
      weighted4 += shifted_$j * e_$j;
      //@end
      weighted_$i = decay * (weighted_$i + shift * total_$i) + dot(weighted4, vec4f(1.0));
      total_$i = decay * total_$i + dot(sum4, vec4f(1.0));
      largest_$i = next;
    }
    //@end
  }
  //@for i in 0..ROWS
  if (row + $iu < params.N) {
    partials[((row + $iu) * groups.y + group.y) * 8u + lane.x] = vec4f(largest_$i, total_$i, weighted_$i, chosen_$i);
  }
  //@end
}
