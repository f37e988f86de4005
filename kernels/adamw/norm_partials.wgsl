// gradientNorms, first launch   partials[l] = [sum of squares of clip group 0, of clip group 1, 1 if not finite, 0]
//           over the block parts l, l + L, l + 2L, .. of the gradients
// shapes    gradients (words)  blockGroups (words/64)  groups (G,4)  partials (L,4)
// bindings  0 gradients read, 1 blockGroups read, 2 groups read, 3 partials write, 4 {partCount,L,G} uniform
// work      a part is every PARTS-th vec4 of a 64-word block, so that one look-up of the group serves 16/PARTS vec4s.
//           PARTS is 4 on GPUs, since neighbours must read neighbours. It is 1 on software Vulkan, 2x faster there.
//           Frozen blocks are not read
// traffic   4 words + words/16 + 16L bytes
// finite    by exponent bits: WGSL lets compilers assume that floats are finite
// source    PyTorch's clip_grad_norm_

struct Params {
  partCount: u32,
  L: u32,
  G: u32,
}

@group(0) @binding(0) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(1) var<storage, read> blockGroups: array<u32>;
@group(0) @binding(2) var<storage, read> groups: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.L) {
    return;
  }
  var sums = vec2f();
  var exponents = vec4u();
  for (var part = id.x; part < params.partCount; part += params.L) {
    let block = part / PARTS;
    let rule = groups[min(blockGroups[block], params.G - 1u)];
    if (rule.x != 0.0) {
      var squares = vec4f();
//@for j in 0..VEC4S_PER_PART
      let g_$j = gradients[block * 16u + part % PARTS + PARTS * $ju];
      squares += g_$j * g_$j;
      exponents = max(exponents, bitcast<vec4u>(g_$j) & vec4u(0x7f800000u));
//@end
      let total = (squares.x + squares.y) + (squares.z + squares.w);
      sums += select(vec2f(total, 0.0), vec2f(0.0, total), rule.z != 0.0);
    }
  }
  let is_bad = any(exponents == vec4u(0x7f800000u));
  partials[id.x] = vec4f(sums, select(0.0, 1.0, is_bad), 0.0);
}
