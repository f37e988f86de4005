// embedDecode   Y[b,c] = tokenTable[current_b,c] + positionTable[position_b,c]
// shapes    state (B,4) u32 [done, current, position, unused]  tokenTable (tokenRows,C)
//           positionTable (positionRows,C)  Y (B,C); C counts vec4s when VECTOR
// bindings  0 state read, 1 tokenTable read, 2 positionTable read, 3 Y write, 4 {B,C,tokenRows,positionRows} uniform
// work      one invocation per Value of Y; x runs over columns, y over rows. Rows that are done are computed like
//           the others, with clamped indices: their values are finite and nobody reads them
// traffic   12BC + 16B bytes

//@if VECTOR
alias Value = vec4f;
//@else
alias Value = f32;
//@end

struct Shape {
  B: u32,
  C: u32,
  tokenRows: u32,
  positionRows: u32,
}

@group(0) @binding(0) var<storage, read> state: array<vec4u>;
@group(0) @binding(1) var<storage, read> tokenTable: array<Value>;
@group(0) @binding(2) var<storage, read> positionTable: array<Value>;
@group(0) @binding(3) var<storage, read_write> Y: array<Value>;
@group(0) @binding(4) var<uniform> shape: Shape;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  let b = id.y;
  if (c >= shape.C || b >= shape.B) {
    return;
  }
  let row = state[b];
  let token = min(row.y, shape.tokenRows - 1u);
  let position = min(row.z, shape.positionRows - 1u);
  Y[b * shape.C + c] = tokenTable[token * shape.C + c] + positionTable[position * shape.C + c];
}
