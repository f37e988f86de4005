// linear logprob backward, dX of one chunk, or what it gains from one
//           logits = X W / temperature  (dLogits is already divided by it),  dX = or += dLogits W^T
// shapes    dLogits (rows,columns)  W (C,columns), its rows V apart  dX (N,C), rows row0.. of it;  C and V multiples of 4
// bindings  0 dLogits texels, 1 W texels, 2 dX write (+= unless column0 = 0),
//           3 {row0, rows, then in texels column0, columns, C, V, offsets of dLogits and W} uniform
// work      8 lanes hold ROWS x (32J) elements of dX in registers; f32 sums over the chunk's columns
// traffic   4 rows columns + 4C columns rows/ROWS + 4 rows C bytes
// source    (ours)

//@include "texel.wgsl"

struct Params {
  row0: u32,
  rows: u32,
  column0: u32,
  columns4: u32,
  C4: u32,
  V4: u32,
  baseLogits: u32,
  baseW: u32,
}

@group(0) @binding(0) var dLogits: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var W: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> dX: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

fn loadLogits(i: u32) -> vec4f { return textureLoad(dLogits, texel(i)); }
fn loadW(i: u32) -> vec4f { return textureLoad(W, texel(i)); }

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let row = group.y * ROWS;
  let column = group.x * (8u * J) + lane.x;
  //@for h in 0..ROWS/4
  //@for c in 0..4
  //@for j in 0..J
  var dx_$h_$c_$j = vec4f();
  //@end
  //@end
  //@end
  for (var k = 0u; k < params.columns4; k++) {
    //@if BROADCAST
    //@for h in 0..ROWS/8
    let own_$h = loadLogits(params.baseLogits + (row + 8u * $hu + lane.x) * params.columns4 + k);
    //@end
    //@end
    //@for h in 0..ROWS/4
    //@for c in 0..4
    //@if BROADCAST
    let d_$h_$c = subgroupBroadcast(own_${h/2}, (4u * $hu + $cu) % 8u);
    //@else
    let d_$h_$c = loadLogits(params.baseLogits + (row + 4u * $hu + $cu) * params.columns4 + k);
    //@end
    //@end
    //@end
    //@for j in 0..J
    //@for q in 0..4
    let t_$j_$q = loadW(params.baseW + ((column + $ju * 8u) * 4u + $qu) * params.V4 + k);
    //@end
    //@for q in 0..4
    let w_$j_$q = vec4f(t_$j_0[$q], t_$j_1[$q], t_$j_2[$q], t_$j_3[$q]);
    //@end
    //@end
    //@for j in 0..J
    //@for h in 0..ROWS/4
    //@for c in 0..4
    //@for q in 0..4
    dx_$h_$c_$j += d_$h_$c[$q] * w_$j_$q;
    //@end
    //@end
    //@end
    //@end
  }
  // A loop over groups of four rows: unrolled, this part takes the compiler longer than all the rest.
  for (var g = 0u; g < ROWS / 4; g++) {
    //@for c in 0..4
    if (row + 4u * g + $cu < params.rows) {
      //@for j in 0..J
      if (column + $ju * 8u < params.C4) {
        var dx = dx_0_$c_$j;
        //@for h in 1..ROWS/4
        dx = select(dx, dx_$h_$c_$j, g == $hu);
        //@end
        let at = (params.row0 + row + 4u * g + $cu) * params.C4 + column + $ju * 8u;
        if (params.column0 > 0) {
          dx += dX[at];
        }
        dX[at] = dx;
      }
      //@end
    }
    //@end
  }
}
