// copy      Y[i] = X[i]
// shapes    X,Y (N) vec4f
// bindings  0 X read, 1 Y write
// work      each invocation copies PER_LANE vec4s, 8 apart; the caller takes the best PER_LANE
// traffic   32N bytes: the ceiling of kernels that are bound by memory
// source    STREAM, https://www.cs.virginia.edu/stream/

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> Y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let first = (id.x / 8u) * 8u * PER_LANE + id.x % 8u;
  //@for j in 0..PER_LANE
  let x_$j = X[first + 8u * $j];
  //@end
  //@for j in 0..PER_LANE
  Y[first + 8u * $j] = x_$j;
  //@end
}
