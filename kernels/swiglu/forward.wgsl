// swiglu    Y[r,i] = silu(gate) * up,  silu(g) = g / (1 + e^-g),  a row of X is [gate | up]
// shapes    X (R,2I)  Y (R,I); I counts vec4s when VECTOR
// bindings  0 X read, 1 Y write, 2 {n,I} uniform, n = R I
// work      one invocation per Value of Y
// traffic   12RI bytes
// source    arXiv:2002.05202

//@include "value.wgsl"

//@include "flat_index.wgsl"

struct Params { n: u32, I: u32 }

@group(0) @binding(0) var<storage, read> X: array<Value>;
@group(0) @binding(1) var<storage, read_write> Y: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) { return; }
  let at = i + i / params.I * params.I;
  let gate = X[at];
  // exp(88) still fits in f32.
  Y[i] = gate / (1.0 + exp(min(-gate, Value(88.0)))) * X[at + params.I];
}
