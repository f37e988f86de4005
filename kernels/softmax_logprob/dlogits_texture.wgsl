// linear logprob backward, dLogits of one chunk
//           logprob[n] = logits[n,target] - lse[n],  entropy[n] = -sum_v p log p,  logits = X W / temperature
//           dLogits = (dLogprob * ((v == target) - p) - dEntropy * p * (log p + entropy)) / temperature
// shapes    X (N,C)  W (C,V)  targets,lse,entropy,dLogprob,dEntropy (N)  dLogits (rows,columns), of rows row0.. of X
//           W begins at column column0 of all, its rows V apart
// bindings  0 X texels, 1 W texels, 2 targets read, 3 lse read, 4 entropy read, 5 dLogprob read, 6 dEntropy read,
//           7 dLogits write, 8 {row0, rows, then in texels column0, columns, C, V, offsets of X and W; hasEntropy,
//           temperature} uniform
// work      8 lanes hold ROWS x (32J) recomputed logits in registers; f32
// traffic   4 rows C + 4C columns rows/ROWS + 4 rows columns bytes
// steps     on llvmpipe at 896x96x96: the last part as a loop, and BROADCAST, compiled in 0.3 s in place of 0.85
// source    (ours); recomputing logits by chunks as arXiv:2410.10989

//@include "texel.wgsl"

struct Params {
  row0: u32,
  rows: u32,
  column0: u32,
  columns4: u32,
  C4: u32,
  V4: u32,
  baseX: u32,
  baseW: u32,
  hasEntropy: u32,
  temperature: f32,
}

@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var W: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> entropy: array<f32>;
@group(0) @binding(5) var<storage, read> dLogprob: array<f32>;
@group(0) @binding(6) var<storage, read> dEntropy: array<f32>;
@group(0) @binding(7) var<storage, read_write> dLogits: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;

fn loadX(i: u32) -> vec4f { return textureLoad(X, texel(i)); }
fn loadW(i: u32) -> vec4f { return textureLoad(W, texel(i)); }

//@include "exp_negative.wgsl"

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let row = group.y * ROWS;
  let column = group.x * (8u * J) + lane.x;
  //@for h in 0..ROWS/4
  //@for c in 0..4
  //@for j in 0..J
  var logit_$h_$c_$j = vec4f();
  //@end
  //@end
  //@end
  for (var k = 0u; k < params.C4; k++) {
    //@if BROADCAST
    //@for h in 0..ROWS/8
    let own_$h = loadX(params.baseX + (params.row0 + row + 8u * $hu + lane.x) * params.C4 + k);
    //@end
    //@end
    //@for h in 0..ROWS/4
    //@for c in 0..4
    //@if BROADCAST
    let x_$h_$c = subgroupBroadcast(own_${h/2}, (4u * $hu + $cu) % 8u);
    //@else
    let x_$h_$c = loadX(params.baseX + (params.row0 + row + 4u * $hu + $cu) * params.C4 + k);
    //@end
    //@end
    //@end
    let start = params.baseW + k * 4u * params.V4 + column;
    //@for q in 0..4
    //@for j in 0..J
    let w_$q_$j = loadW(start + $qu * params.V4 + $ju * 8u);
    //@end
    //@end
    //@for j in 0..J
    //@for h in 0..ROWS/4
    //@for c in 0..4
    //@for q in 0..4
    logit_$h_$c_$j += x_$h_$c[$q] * w_$q_$j;
    //@end
    //@end
    //@end
    //@end
  }
  let scale = 1.0 / params.temperature;
  //@for j in 0..J
  let ids_$j = vec4u((params.column0 + column + $ju * 8u) * 4u) + vec4u(0, 1, 2, 3);
  //@end
  // A loop over groups of four rows: unrolled, this part takes the compiler longer than all the rest.
  for (var g = 0u; g < ROWS / 4; g++) {
    //@for c in 0..4
    {
      let r = row + 4 * g + $c;
      let n = params.row0 + min(r, params.rows - 1u);
      let label = vec4u(targets[n]);
      let rowLse = lse[n];
      let rowEntropy = entropy[n];
      let gradient = dLogprob[n] * scale;
      let entropyGradient = select(0.0, dEntropy[n], params.hasEntropy != 0u) * scale;
      //@for j in 0..J
      var logit_$j = logit_0_$c_$j;
      //@for h in 1..ROWS/4
      logit_$j = select(logit_$j, logit_$h_$c_$j, g == $h);
      //@end
      let logp_$j = bounded(logit_$j * scale - rowLse);
      let p_$j = expNegative(logp_$j);
      let d_$j = gradient * (select(vec4f(), vec4f(1.0), ids_$j == label) - p_$j) -
        entropyGradient * p_$j * (logp_$j + rowEntropy);
      if (r < params.rows && column + $ju * 8u < params.columns4) {
        dLogits[r * params.columns4 + column + $ju * 8u] = d_$j;
      }
      //@end
    }
    //@end
  }
}
