// log-softmax backward  forward: Y[n,v] = X[n,v] / temperature - log sum_u e^(X[n,u] / temperature)
//                       dX[n,v] = (dY[n,v] - e^Y[n,v] * sum_u dY[n,u]) / temperature
// shapes                Y,dY,dX (N,V)
// bindings              0 Y read, 1 dY read, 2 dX write, 3 {N,V,temperature} uniform
// work                  one invocation per row: a walk for the sum, one to write, eight columns a round (llvmpipe ends all
//                       loops of an invocation after 65535 rounds in sum: V up to 262000); f32
// traffic               16NV bytes (second read of dY from cache)
// source                (ours)

struct Params { N: u32, V: u32, temperature: f32 }

@group(0) @binding(0) var<storage, read> Y: array<f32>;
@group(0) @binding(1) var<storage, read> dY: array<f32>;
@group(0) @binding(2) var<storage, read_write> dX: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.N) { return; }
  let V = params.V;
  let scale = 1.0 / params.temperature;
  let start = id.x * V;
  var sum = 0.0;
  for (var octet = 0u; octet < V; octet += 8u) {
    // As in naive.wgsl.
    var part = 0.0;
    //@for q in 0..8
    if (octet + $q < V) { part += dY[start + octet + $q]; }
    //@end
    sum += part;
  }
  for (var octet = 0u; octet < V; octet += 8u) {
    //@for q in 0..8
    if (octet + $q < V) {
      let i_$q = start + octet + $q;
      dX[i_$q] = (dY[i_$q] - exp(Y[i_$q]) * sum) * scale;
    }
    //@end
  }
}
