// texel     where vec4 i of a storage lies in its texture mirror, whose rows have 1024 texels (kernels/gpu/storage.ts)
// source    (ours)
fn texel(i: u32) -> vec2u {
  return vec2u(i & 1023u, i >> 10u);
}
