// imageStatistics   statistics[b] = [mean_r, mean_g, mean_b, f_r, f_g, f_b, 0, 0] of x = u8/255,
//           f_c = 1 / (std_c + 0.05), std the population's; fixed: means 1/2 and factors 2
// shapes    pixels (B,S,S,3) bytes, 4 to a word  statistics (B,8)
// bindings  0 pixels read, 1 statistics write, 2 {B,pixelCount,perImage} uniform
// work      one workgroup per image: 64 invocations stride its pixels, once for exact integer sums and once for the
//           squared deviations (f32, no cancellation), with a tree in workgroup memory after each
// traffic   3 B S^2 + 32B bytes (second read from cache)
// source    (ours)

struct Params {
  B: u32,
  pixelCount: u32,
  perImage: u32,
}

@group(0) @binding(0) var<storage, read> pixels: array<u32>;
@group(0) @binding(1) var<storage, read_write> statistics: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> sums: array<vec3u, 64>;
var<workgroup> squares: array<vec3f, 64>;

// The three bytes that start at byte `at`.
fn pixel(at: u32) -> vec3u {
  let word = pixels[at / 4u];
  let shift = 8u * (at % 4u);
  var bits = word >> shift;
  if (shift > 8u) {
    bits |= pixels[at / 4u + 1u] << (32u - shift);
  }
  return (vec3u(bits) >> vec3u(0u, 8u, 16u)) & vec3u(255u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let b = group.x;
  if (params.perImage == 0u) {
    if (lane == 0u) {
      statistics[2u * b] = vec4f(0.5, 0.5, 0.5, 2.0);
      statistics[2u * b + 1u] = vec4f(2.0, 2.0, 0.0, 0.0);
    }
    return;
  }
  let first = b * params.pixelCount;
  var sum = vec3u();
  for (var i = lane; i < params.pixelCount; i += 64u) {
    sum += pixel(3u * (first + i));
  }
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  workgroupBarrier();
  let mean = vec3f(sums[0]) / f32(params.pixelCount);
  var square = vec3f();
  for (var i = lane; i < params.pixelCount; i += 64u) {
    let deviation = vec3f(pixel(3u * (first + i))) - mean;
    square += deviation * deviation;
  }
  squares[lane] = square;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      squares[lane] += squares[lane + half];
    }
  }
  if (lane == 0u) {
    let deviation = sqrt(squares[0] / f32(params.pixelCount)) / 255.0;
    let factor = 1.0 / (deviation + 0.05);
    statistics[2u * b] = vec4f(mean / 255.0, factor.x);
    statistics[2u * b + 1u] = vec4f(factor.yz, 0.0, 0.0);
  }
}
