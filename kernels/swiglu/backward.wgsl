// swiglu backward   Y = silu(gate) * up, silu(g) = g s, s = 1 / (1 + e^-g):
//                   dgate = dY up s (1 + gate (1 - s)),  dup = dY gate s
// shapes    X,dX (R,2I) rows [gate | up]  dY (R,I); I counts vec4s when VECTOR
// bindings  0 X read, 1 dY read, 2 dX write, 3 {n,I} uniform, n = R I
// work      one invocation per Value of dY
// traffic   20RI bytes
// source    arXiv:2002.05202, differentiated

//@include "value.wgsl"

//@include "flat_index.wgsl"

struct Params { n: u32, I: u32 }

@group(0) @binding(0) var<storage, read> X: array<Value>;
@group(0) @binding(1) var<storage, read> dY: array<Value>;
@group(0) @binding(2) var<storage, read_write> dX: array<Value>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) { return; }
  let at = i + i / params.I * params.I;
  let gate = X[at];
  let s = 1.0 / (1.0 + exp(min(-gate, Value(88.0))));
  let g = dY[i];
  dX[at] = g * X[at + params.I] * s * (1.0 + gate * (1.0 - s));
  dX[at + params.I] = g * gate * s;
}
