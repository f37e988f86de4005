// update    Y[i] = 0.5 Y[i] + 0.25
// shapes    Y (N) vec4f
// bindings  0 Y read and write
// work      each invocation updates PER_LANE vec4s, 8 apart; the caller takes the best PER_LANE
// traffic   32N bytes: the ceiling of kernels that overwrite what they read, as optimisers do
// source    STREAM (scale, in place), https://www.cs.virginia.edu/stream/; the sum keeps values away from denormals

@group(0) @binding(0) var<storage, read_write> Y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let first = (id.x / 8u) * 8u * PER_LANE + id.x % 8u;
  //@for j in 0..PER_LANE
  let y_$j = Y[first + 8u * $j];
  //@end
  //@for j in 0..PER_LANE
  Y[first + 8u * $j] = 0.5 * y_$j + vec4f(0.25);
  //@end
}
