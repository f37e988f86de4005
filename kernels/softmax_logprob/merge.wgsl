// linear logprob, merge of the parts of each row
//           logprob = logit[target] - lse,  lse = max + log(sum),  entropy = log(sum) - weighted / sum
// shapes    partials (N,parts) vec4f {max, sum e^(l - max), sum (l - max) e^(l - max), l[target] or 0}
//           logprob,lse,entropy (N)
// bindings  0 partials read, 1 logprob write, 2 lse write, 3 entropy write, 4 {N,parts} uniform
// work      one invocation per row, f32
// values    a logit of -infinity has probability 0; NaN or +infinity makes all three results of its row NaN
// traffic   16N parts + 12N bytes
// source    running maximum and sum: arXiv:1805.02867

struct Params { N: u32, parts: u32 }

//@include "lowest.wgsl"

@group(0) @binding(0) var<storage, read> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> logprob: array<f32>;
@group(0) @binding(2) var<storage, read_write> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> entropy: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.N) { return; }
  // The lowest f32, which no finite logit is below.
  var largest = LOWEST;
  var total = 0.0;
  var weighted = 0.0;
  var chosen = 0.0;
  for (var part = 0u; part < params.parts; part++) {
    let p = partials[row * params.parts + part];
    let next = max(largest, p.x);
    let shift = max(largest - next, FAR);
    let partShift = max(p.x - next, FAR);
    weighted = exp(shift) * (weighted + shift * total) + exp(partShift) * (p.z + partShift * p.y);
    total = exp(shift) * total + exp(partShift) * p.y;
    largest = next;
    chosen += p.w;
  }
  let logTotal = log(total);
  logprob[row] = chosen - largest - logTotal;
  lse[row] = largest + logTotal;
  entropy[row] = logTotal - weighted / total;
}
