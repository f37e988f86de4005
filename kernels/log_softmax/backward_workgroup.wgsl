// log-softmax backward  forward: Y[n,v] = X[n,v] / temperature - log sum_u e^(X[n,u] / temperature)
//                       dX[n,v] = (dY[n,v] - e^Y[n,v] * sum_u dY[n,u]) / temperature
// shapes                Y,dY,dX (N,V), V = ELEMENTS vec4s, or words if V is no multiple of 4
// bindings              0 Y read, 1 dY read, 2 dX write, 3 {N,temperature} uniform
// work                  LANES neighbouring invocations share a row, ROWS rows a workgroup: a walk for the sum, a tree
//                       over the lanes as in workgroup.wgsl, a walk to write; f32
// traffic               12NV bytes (second read of dY from cache)
// source                (ours)

struct Params { N: u32, temperature: f32 }

//@if IS_VEC4
alias Element = vec4f;
fn sumOf(e: vec4f) -> f32 { return dot(e, vec4f(1)); }
//@else
alias Element = f32;
fn sumOf(e: f32) -> f32 { return e; }
//@end
@group(0) @binding(0) var<storage, read> Y: array<Element>;
@group(0) @binding(1) var<storage, read> dY: array<Element>;
@group(0) @binding(2) var<storage, read_write> dX: array<Element>;
@group(0) @binding(3) var<uniform> params: Params;

//@if SUBGROUP
//@else
var<workgroup> sums: array<f32, ROWS * LANES>;
//@end

// In one dimension: WGSL leaves open which invocations of a workgroup with more are in one subgroup.
@compute @workgroup_size(LANES * ROWS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) own: u32,
) {
  let lane = own % LANES;
  let slot = own / LANES;
  let row = (group.y * groups.x + group.x) * ROWS + slot;
  let start = min(row, params.N - 1) * ELEMENTS;
  let scale = 1 / params.temperature;
  var part = Element();
  for (var c = lane; c < ELEMENTS; c += LANES) { part += dY[start + c]; }
  var sum = sumOf(part);
  //@if SUBGROUP
  for (var half = u32(LANES / 2); half > 0; half /= 2) { sum += subgroupShuffleXor(sum, half); }
  //@else
  sums[own] = sum;
  for (var half = u32(LANES / 2); half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) { sums[own] += sums[own + half]; }
  }
  workgroupBarrier();
  sum = sums[slot * LANES];
  //@end
  if (row >= params.N) { return; }
  for (var c = lane; c < ELEMENTS; c += LANES) {
    dX[start + c] = (dY[start + c] - exp(Y[start + c]) * sum) * scale;
  }
}
