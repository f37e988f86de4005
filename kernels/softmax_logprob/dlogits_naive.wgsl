// linear logprob backward, dLogits of one chunk
//           logprob[n] = logits[n,target] - lse[n],  entropy[n] = -sum_v p log p,  logits = X W / temperature
//           dLogits = (dLogprob * ((v == target) - p) - dEntropy * p * (log p + entropy)) / temperature
// shapes    X (N,C)  W (C,V)  targets,lse,entropy,dLogprob,dEntropy (N)  dLogits (rows,columns), of rows row0.. of X
//           W begins at column column0 of all, its rows V apart
// bindings  0 X read, 1 W read, 2 targets read, 3 lse read, 4 entropy read, 5 dLogprob read, 6 dEntropy read,
//           7 dLogits write, 8 {row0,column0,columns,C,V,hasEntropy,temperature} uniform
// work      one invocation per logit, recomputed; f32
// traffic   4 rows columns + 4 rows C + 4C columns bytes
// source    (ours); recomputing logits by chunks as arXiv:2410.10989

struct Params { row0: u32, column0: u32, columns: u32, C: u32, V: u32, hasEntropy: u32, temperature: f32 }

@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read> W: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> entropy: array<f32>;
@group(0) @binding(5) var<storage, read> dLogprob: array<f32>;
@group(0) @binding(6) var<storage, read> dEntropy: array<f32>;
@group(0) @binding(7) var<storage, read_write> dLogits: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let v = id.x;
  if (v >= params.columns) { return; }
  let row = params.row0 + id.y;
  var dot = 0.0;
  for (var c = 0u; c < params.C; c++) { dot += X[row * params.C + c] * W[c * params.V + v]; }
  let logp = dot / params.temperature - lse[row];
  let p = exp(logp);
  var d = dLogprob[row] * (select(0.0, 1.0, params.column0 + v == targets[row]) - p);
  // p log p of a logit of -infinity is 0, not NaN: e^-200 is 0 in f32.
  if (params.hasEntropy != 0u) { d -= dEntropy[row] * p * (max(logp, -200.0) + entropy[row]); }
  dLogits[id.y * params.columns + v] = d / params.temperature;
}
