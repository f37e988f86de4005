// logit statistics   of a piece of each row's logits, added to what earlier pieces of the row left in `state`:
//                    max,  sum e^(z - max),  sum (z - max) e^(z - max),  z[target] or 0;  z = Z / temperature
//                    with LAST  lse = max + log(sum),  logprob = z[target] - lse,  entropy = log(sum) - weighted / sum
// shapes     Z (N,columns)  targets,logprob,lse,entropy (N)  state (N,4); columns counts vec4s when VECTOR
// bindings   0 Z read, 1 targets read, 2 state read-write, 3 logprob write, 4 lse write, 5 entropy write,
//            6 {N,columns,column0,temperature} uniform; column0 is the piece's first class
// work       one invocation per row with LANES 1; else LANES neighbouring invocations share a row, and a tree in workgroup
//            memory merges theirs; two walks of the piece, f32
// traffic    4 N columns + 28N bytes (second read from cache)
// values     a logit of -infinity has probability 0; NaN or +infinity makes all three results of its row NaN
// source     running maximum and sum: arXiv:1805.02867

//@include "value.wgsl"

//@include "lowest.wgsl"

struct Params { N: u32, columns: u32, column0: u32, temperature: f32 }

@group(0) @binding(0) var<storage, read> Z: array<Value>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> logprob: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> entropy: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// Two parts of a row as one.
fn merge(a: vec4f, b: vec4f) -> vec4f {
  let most = max(a.x, b.x);
  let fromA = max(a.x - most, FAR);
  let fromB = max(b.x - most, FAR);
  return vec4f(
    most,
    exp(fromA) * a.y + exp(fromB) * b.y,
    exp(fromA) * (a.z + fromA * a.y) + exp(fromB) * (b.z + fromB * b.y),
    a.w + b.w,
  );
}

//@if LANES
var<workgroup> parts: array<vec4f, LANES>;
//@end

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) own: u32,
) {
  let columns = params.columns;
  let temperature = params.temperature;
  //@if LANES
  let row = group.x;
  let first = own;
  let step = u32(LANES);
  //@else
  let row = id.x;
  if (row >= params.N) { return; }
  let first = 0u;
  let step = 1u;
  //@end
  let start = row * columns;
  //@if VECTOR
  var most4 = vec4f(LOWEST);
  for (var c = first; c < columns; c += step) { most4 = max(most4, Z[start + c] / temperature); }
  let most = max(max(most4.x, most4.y), max(most4.z, most4.w));
  var sum4 = vec4f();
  var weighted4 = vec4f();
  for (var c = first; c < columns; c += step) {
    let shift = Z[start + c] / temperature - most;
    let p = exp(shift);
    sum4 += p;
    weighted4 += max(shift, vec4f(FAR)) * p;
  }
  let sum = dot(sum4, vec4f(1.0));
  let weighted = dot(weighted4, vec4f(1.0));
  //@else
  var most = LOWEST;
  for (var c = first; c < columns; c += step) { most = max(most, Z[start + c] / temperature); }
  var sum = 0.0;
  var weighted = 0.0;
  for (var c = first; c < columns; c += step) {
    let shift = Z[start + c] / temperature - most;
    let p = exp(shift);
    sum += p;
    weighted += max(shift, FAR) * p;
  }
  //@end
  // Its logit, if this piece and this lane have the target.
  var chosen = 0.0;
  let column = targets[row] - params.column0;
  //@if VECTOR
  if (targets[row] >= params.column0 && column / 4 < columns && column / 4 % step == first) {
    chosen = Z[start + column / 4][column % 4] / temperature;
  }
  //@else
  if (targets[row] >= params.column0 && column < columns && column % step == first) {
    chosen = Z[start + column] / temperature;
  }
  //@end
  var total = vec4f(most, sum, weighted, chosen);
  //@if LANES
  parts[own] = total;
  for (var half = u32(LANES / 2); half > 0; half /= 2) {
    workgroupBarrier();
    if (own < half) { parts[own] = merge(parts[own], parts[own + half]); }
  }
  if (own > 0) { return; }
  total = parts[0];
  //@end
  //@if FIRST
  //@else
  total = merge(state[row], total);
  //@end
  state[row] = total;
  // Plain `if`s on a constant, not //@if: a binding that the text does not mention would leave the layout.
  if (LAST) {
    let logTotal = log(total.y);
    logprob[row] = total.w - total.x - logTotal;
    lse[row] = total.x + logTotal;
    entropy[row] = logTotal - total.z / total.y;
  }
}
