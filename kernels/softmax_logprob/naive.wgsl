// linear logprob  logits = X W / temperature; max, sum and entropy sum of one panel of columns, for merge.wgsl
// shapes          X (N,C)  W (C,V)  targets (N) u32  partials (N,panels) vec4f
// bindings        0 X read, 1 W read, 2 targets read, 3 partials write, 4 {N,C,V,panelColumns,temperature} uniform
// work            one invocation per row and panel walks its columns once with a running maximum; f32
// traffic         4NC + 4CV + 16N panels bytes (W from cache for all rows but the first)
// values          a logit of -infinity has probability 0; NaN or +infinity makes all three results of its row NaN
// source          running maximum and sum: arXiv:1805.02867

struct Params { N: u32, C: u32, V: u32, panelColumns: u32, temperature: f32 }

//@include "lowest.wgsl"

@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read> W: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x;
  if (row >= params.N) { return; }
  // Copied out of the loops: software adapters read parameters from a storage buffer, anew each round.
  let C = params.C;
  let V = params.V;
  let temperature = params.temperature;
  let label = targets[row];
  // The lowest f32, which no finite logit is below.
  var largest = LOWEST;
  var total = 0.0; // sum_v e^(logit - largest)
  var weighted = 0.0; // sum_v (logit - largest) e^(logit - largest)
  var chosen = 0.0; // logit of the target, if it lies in this panel
  let end = min((id.y + 1u) * params.panelColumns, V);
  for (var v = id.y * params.panelColumns; v < end; v++) {
    var dot = 0.0;
    for (var c = 0u; c < C; c++) { dot += X[row * C + c] * W[c * V + v]; }
    let logit = dot / temperature;
    if (logit > largest) {
      let shift = max(largest - logit, FAR);
      let decay = exp(shift);
      weighted = decay * (weighted + shift * total);
      total *= decay;
      largest = logit;
    }
    let weight = exp(logit - largest);
    total += weight;
    // p log p of a logit of -infinity is 0, not NaN.
    weighted += max(logit - largest, FAR) * weight;
    if (v == label) { chosen = logit; }
  }
  partials[row * groups.y + id.y] = vec4f(largest, total, weighted, chosen);
}
