// log-softmax  Y[n,v] = X[n,v] / temperature - log sum_u e^(X[n,u] / temperature)
// shapes       X,Y (N,V), V = ELEMENTS vec4s, or words if V is no multiple of 4
// bindings     0 X read, 1 Y write, 2 {N,temperature} uniform
// work         LANES neighbouring invocations share a row, ROWS rows a workgroup: a walk with a running maximum and sum of each
//              invocation, 4 elements a round; a tree over the lanes, in workgroup memory, or without it with SUBGROUP
//              (a row's lanes are in one subgroup); a walk to write; f32
// traffic      8NV bytes (second read of X from cache)
// values       a logit of -infinity has probability 0; NaN, +infinity, or nothing but -infinity make the whole row NaN
// source       running maximum and sum: arXiv:1805.02867

struct Params { N: u32, temperature: f32 }

//@if IS_VEC4
alias Element = vec4f;
fn maxOf(e: vec4f) -> f32 { return max(max(e.x, e.y), max(e.z, e.w)); }
fn sumOf(e: vec4f) -> f32 { return dot(e, vec4f(1)); }
//@else
alias Element = f32;
fn maxOf(e: f32) -> f32 { return e; }
fn sumOf(e: f32) -> f32 { return e; }
//@end
@group(0) @binding(0) var<storage, read> X: array<Element>;
@group(0) @binding(1) var<storage, read_write> Y: array<Element>;
@group(0) @binding(2) var<uniform> params: Params;

//@if SUBGROUP
//@else
var<workgroup> largests: array<f32, ROWS * LANES>;
var<workgroup> totals: array<f32, ROWS * LANES>;
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
  // The lowest f32, as in naive.wgsl.
  var largest = -3.4028234e38;
  var total = 0.0; // sum of e^((x - largest) / temperature)
  for (var c = lane; c < ELEMENTS; c += 4 * LANES) {
    //@for j in 0..4
    // Beyond the end the last element again: the maximum stays, the sum leaves it out.
    let x_$j = X[start + min(c + $j * LANES, ELEMENTS - 1)];
    //@end
    let next = max(largest, max(max(maxOf(x_0), maxOf(x_1)), max(maxOf(x_2), maxOf(x_3))));
    total *= exp((largest - next) * scale);
    //@for j in 0..4
    total += select(0.0, sumOf(exp((x_$j - next) * scale)), c + $j * LANES < ELEMENTS);
    //@end
    largest = next;
  }
  //@if SUBGROUP
  for (var half = u32(LANES / 2); half > 0; half /= 2) {
    let largestThere = subgroupShuffleXor(largest, half);
    let totalThere = subgroupShuffleXor(total, half);
    let next = max(largest, largestThere);
    total = total * exp((largest - next) * scale) + totalThere * exp((largestThere - next) * scale);
    largest = next;
  }
  //@else
  largests[own] = largest;
  totals[own] = total;
  for (var half = u32(LANES / 2); half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) {
      let next = max(largests[own], largests[own + half]);
      totals[own] = totals[own] * exp((largests[own] - next) * scale) +
        totals[own + half] * exp((largests[own + half] - next) * scale);
      largests[own] = next;
    }
  }
  workgroupBarrier();
  largest = largests[slot * LANES];
  total = totals[slot * LANES];
  //@end
  if (row >= params.N) { return; }
  let logTotal = log(total);
  for (var c = lane; c < ELEMENTS; c += LANES) { Y[start + c] = (X[start + c] - largest) * scale - logTotal; }
}
