// log-softmax  Y[n,v] = X[n,v] / temperature - log sum_u e^(X[n,u] / temperature)
// shapes       X,Y (N,V)
// bindings     0 X read, 1 Y write, 2 {N,V,temperature} uniform
// work         one invocation per row: a walk with a running maximum and sum, one to write, eight columns a round (llvmpipe
//              ends all loops of an invocation after 65535 rounds in sum: V up to 262000); f32
// traffic      12NV bytes (second read of X from cache)
// values       a logit of -infinity has probability 0; NaN, +infinity, or nothing but -infinity make the whole row NaN
// source       running maximum and sum: arXiv:1805.02867

struct Params { N: u32, V: u32, temperature: f32 }

@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.N) { return; }
  // Copied out of the loops: software adapters read parameters from a storage buffer, anew each round.
  let V = params.V;
  let scale = 1.0 / params.temperature;
  let start = id.x * V;
  // The lowest f32, which no finite logit is below. Not minus infinity: the difference of two infinities is NaN.
  var largest = -3.4028234e38;
  var total = 0.0; // sum_v e^((x - largest) / temperature)
  for (var octet = 0u; octet < V; octet += 8u) {
    var next = largest;
    //@for q in 0..8
    let x_$q = X[start + min(octet + $q, V - 1)];
    next = max(next, x_$q);
    //@end
    // A sum of its own for every round: shorter chains of roundings.
    var part = 0.0;
    //@for q in 0..8
    if (octet + $q < V) { part += exp((x_$q - next) * scale); }
    //@end
    total = total * exp((largest - next) * scale) + part;
    largest = next;
  }
  let logTotal = log(total);
  for (var octet = 0u; octet < V; octet += 8u) {
    //@for q in 0..8
    // Not x / temperature - lse: beside a large maximum the sum's logarithm would be rounded away.
    if (octet + $q < V) { Y[start + octet + $q] = (X[start + octet + $q] - largest) * scale - logTotal; }
    //@end
  }
}
