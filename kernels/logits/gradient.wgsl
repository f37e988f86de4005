// gradient of logits   logprob[n] = z[n,target] - lse[n],  entropy[n] = -sum_v p log p,  z = Z / temperature
//            dZ = (dLogprob * ((v == target) - p) - dEntropy * p * (log p + entropy)) / temperature
// shapes     Z,dZ (N,columns), a piece whose first class is column0; targets,lse,entropy,dLogprob,dEntropy (N)
//            columns counts vec4s when VECTOR
// bindings   0 Z read, 1 targets read, 2 lse read, 3 entropy read, 4 dLogprob read, 5 dEntropy read, 6 dZ write,
//            7 {n,columns,column0,hasEntropy,temperature} uniform, n = N columns
// work       one invocation per Value of dZ
// traffic    8 N columns + 20N bytes
// source     (ours)

//@include "value.wgsl"

//@include "lowest.wgsl"

//@include "flat_index.wgsl"

struct Params { n: u32, columns: u32, column0: u32, hasEntropy: u32, temperature: f32 }

@group(0) @binding(0) var<storage, read> Z: array<Value>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> entropy: array<f32>;
@group(0) @binding(4) var<storage, read> dLogprob: array<f32>;
@group(0) @binding(5) var<storage, read> dEntropy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dZ: array<Value>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatIndex(id, groups);
  if (i >= params.n) { return; }
  let row = i / params.columns;
  let column = i % params.columns;
  let logp = Z[i] / params.temperature - lse[row];
  let p = exp(logp);
  //@if VECTOR
  let own = vec4u(0, 1, 2, 3) + params.column0 + 4 * column;
  let isTarget = select(vec4f(), vec4f(1.0), own == vec4u(targets[row]));
  let bounded = max(logp, vec4f(FAR));
  //@else
  let isTarget = select(0.0, 1.0, params.column0 + column == targets[row]);
  let bounded = max(logp, FAR);
  //@end
  var d = dLogprob[row] * (isTarget - p);
  // p log p of a logit of -infinity is 0, not NaN.
  if (params.hasEntropy != 0u) { d -= dEntropy[row] * p * (bounded + entropy[row]); }
  dZ[i] = d / params.temperature;
}
