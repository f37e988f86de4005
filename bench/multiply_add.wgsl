// multiply-add  Y[i] = sum of CHAINS values, each v = v * a + b, STEPS times in each of the rounds; as fma() if FUSED
// shapes        X (4) vec4f: a, b and two starting values;  Y (N) vec4f
// bindings      0 X read, 1 Y write, 2 {rounds} uniform
// work          one invocation per vec4; CHAINS independent chains hide the latency of each other; they are f32 if SCALAR, vec4f else
// traffic       16N bytes for N * rounds * STEPS * CHAINS * 8 flops, 2 if SCALAR: the ceiling of what is bound by arithmetic
// steps         which form is fastest depends on the registers that a compiler has: the caller takes the best of several
// source        a and b come from memory: compilers fold a loop over constants

//@if SCALAR
alias Value = f32;
fn load(i: u32) -> f32 {
  return X[i].x;
}
//@else
alias Value = vec4f;
fn load(i: u32) -> vec4f {
  return X[i];
}
//@end

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(2) var<uniform> rounds: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = load(0);
  let b = load(1);
  let start = load(2) + load(3) * f32(id.x & 7u);
  //@for c in 0..CHAINS
  var v_$c = start + Value($c.0);
  //@end
  for (var round = 0u; round < rounds; round++) {
    //@for s in 0..STEPS
    //@for c in 0..CHAINS
    //@if FUSED
    v_$c = fma(v_$c, a, b);
    //@else
    v_$c = v_$c * a + b;
    //@end
    //@end
    //@end
  }
  var sum = Value();
  //@for c in 0..CHAINS
  sum += v_$c;
  //@end
  Y[id.x] = vec4f(sum);
}
