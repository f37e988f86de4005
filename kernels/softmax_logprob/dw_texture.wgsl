// linear logprob backward, contribution of one chunk to dW
//           logits = X W / temperature  (dLogits is already divided by it),  dW += X^T dLogits
// shapes    X (N,C), rows row0.. of it  dLogits (rows,columns)  dW (C,columns), its rows V apart;  C and V multiples of 4
// bindings  0 X texels, 1 dLogits texels, 2 dW write (+=),
//           3 {row0, rows, then in texels columns, C, V, offsets of X and dLogits} uniform
// work      8 lanes hold ROWS x (32J) elements of dW in registers; f32 sums over the rows
// traffic   4 rows C columns/(32J) + 4 rows columns C/ROWS + 8C columns bytes
// steps     on llvmpipe at 896x96x96: the last part as a loop, and BROADCAST, compiled in 0.14 s in place of 0.47
// source    (ours)

//@include "texel.wgsl"

struct Params {
  row0: u32,
  rows: u32,
  columns4: u32,
  C4: u32,
  V4: u32,
  baseX: u32,
  baseLogits: u32,
}

@group(0) @binding(0) var X: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var dLogits: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> dW: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

fn loadX(i: u32) -> vec4f { return textureLoad(X, texel(i)); }
fn loadLogits(i: u32) -> vec4f { return textureLoad(dLogits, texel(i)); }

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let quad = group.y * (ROWS / 4u);
  let column = group.x * (8u * J) + lane.x;
  //@for i in 0..ROWS/4
  //@for q in 0..4
  //@for j in 0..J
  var dw_$i_$q_$j = vec4f();
  //@end
  //@end
  //@end
  for (var row = 0u; row < params.rows; row++) {
    let start = params.baseX + (params.row0 + row) * params.C4 + quad;
    //@if BROADCAST
    let own = loadX(start + lane.x);
    //@end
    //@for i in 0..ROWS/4
    //@if BROADCAST
    let x_$i = subgroupBroadcast(own, $iu);
    //@else
    let x_$i = loadX(start + $iu);
    //@end
    //@end
    //@for j in 0..J
    let d_$j = loadLogits(params.baseLogits + row * params.columns4 + column + $ju * 8u);
    //@end
    //@for j in 0..J
    //@for i in 0..ROWS/4
    //@for q in 0..4
    dw_$i_$q_$j += x_$i[$q] * d_$j;
    //@end
    //@end
    //@end
  }
  // A loop over groups of four rows: unrolled, this part takes the compiler longer than all the rest.
  for (var g = 0u; g < ROWS / 4; g++) {
    if (quad + g < params.C4) {
      //@for q in 0..4
      //@for j in 0..J
      if (column + $ju * 8u < params.columns4) {
        var dw = dw_0_$q_$j;
        //@for i in 1..ROWS/4
        dw = select(dw, dw_$i_$q_$j, g == $iu);
        //@end
        dW[((quad + g) * 4u + $qu) * params.V4 + column + $ju * 8u] += dw;
      }
      //@end
      //@end
    }
  }
}
