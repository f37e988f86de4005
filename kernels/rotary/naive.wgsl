// rotary    y1 = x1 cos - x2 sin,  y2 = x2 cos + x1 sin:  pairs (d, d + D/2) of the first `rotated` heads of a row turn by
//           the angle of its position; other heads are copied. With INVERSE by the negative angle: the backward
// shapes    X,Y (R, heads*D)  positions (R)  table (rows, D) rows [cos | sin]
// bindings  0 X read, 1 positions read, 2 table read, 3 Y write, 4 {R,heads,rotated,rows} uniform
// work      one invocation per Value of half a head, along x within a row of X; HALF is D/2, in vec4s when VECTOR
// traffic   8R heads D + 4RD bytes
// values    angles come from a table in f32 of sines and cosines in f64: exact far out, unlike position * frequency in f32
// source    arXiv:2104.09864, in halves as in GPT-NeoX and Llama

//@include "value.wgsl"

struct Params { R: u32, heads: u32, rotated: u32, rows: u32 }

@group(0) @binding(0) var<storage, read> X: array<Value>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<Value>;
@group(0) @binding(3) var<storage, read_write> Y: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y + id.z * groups.y * 8u;
  if (id.x >= params.heads * HALF || row >= params.R) { return; }
  let head = id.x / HALF;
  let d = id.x % HALF;
  let first = (row * params.heads + head) * 2 * HALF + d;
  let x1 = X[first];
  let x2 = X[first + HALF];
  if (head >= params.rotated) {
    Y[first] = x1;
    Y[first + HALF] = x2;
    return;
  }
  let turn = min(positions[row], params.rows - 1) * 2 * HALF + d;
  let c = table[turn];
  //@if INVERSE
  let s = -table[turn + HALF];
  //@else
  let s = table[turn + HALF];
  //@end
  Y[first] = x1 * c - x2 * s;
  Y[first + HALF] = x2 * c + x1 * s;
}
