// adamw     g = gradients * min(1, clip / (norm + 1e-6)), then gradients = 0
//           m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//           p -= lr lrScale ((m / c1) / (sqrt(v / c2) + epsilon) + weightDecay p),  c1 = 1 - beta1^t, c2 = 1 - beta2^t
//           Frozen blocks (lrScale 0), and all blocks when a gradient was not finite, are only zeroed.
// shapes    parameters, gradients, m, v (words)  blockGroups (words/64)
//           groups (G,4) [lrScale, weightDecay, clipIndex, -]
//           settings (16) [lr, beta1, beta2, epsilon, c1, c2, clip0, clip1, ..]  norms (4) [norm0, norm1, finite, -]
// bindings  0 parameters, 1 gradients, 2 m, 3 v read-write, 4 blockGroups, 5 groups, 6 settings, 7 norms read,
//           8 {lanes,G} uniform
// work      one invocation for VEC4S vec4s of a block of 64 words, LANES apart: one look-up of settings serves them
// traffic   32 words + words/16 bytes
// source    arXiv:1711.05101; the clip is PyTorch's clip_grad_norm_

//@include "flat_index.wgsl"

struct Params {
  lanes: u32,
  G: u32,
}

@group(0) @binding(0) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> blockGroups: array<u32>;
@group(0) @binding(5) var<storage, read> groups: array<vec4f>;
@group(0) @binding(6) var<storage, read> settings: array<vec4f>;
@group(0) @binding(7) var<storage, read> norms: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let lane = flatIndex(id, grid);
  if (lane >= params.lanes) {
    return;
  }
  let first = (lane / LANES) * 16u + lane % LANES;
  let rule = groups[min(blockGroups[lane / LANES], params.G - 1u)];
  let norm = norms[0];
  if (rule.x == 0.0 || norm.z == 0.0) {
//@for j in 0..VEC4S
    gradients[first + LANES * $ju] = vec4f();
//@end
    return;
  }
  let rates = settings[0];
  let clips = settings[1];
  let beta1 = rates.y;
  let beta2 = rates.z;
  let epsilon = rates.w;
  let clip = select(clips.z, clips.w, rule.z != 0.0);
  let clip_norm = select(norm.x, norm.y, rule.z != 0.0);
  let clip_scale = select(1.0, min(1.0, clip / (clip_norm + 1e-6)), clip > 0.0);
  let rate = rates.x * rule.x;
  let decay = 1.0 - rate * rule.y;
  let m_rate = rate / clips.x;
  let v_scale = 1.0 / clips.y;
//@for j in 0..VEC4S
  {
    let i = first + LANES * $ju;
    let g = clip_scale * gradients[i];
    let m_new = beta1 * m[i] + (1.0 - beta1) * g;
    let v_new = beta2 * v[i] + (1.0 - beta2) * g * g;
    parameters[i] = decay * parameters[i] - m_rate * m_new / (sqrt(v_new * v_scale) + epsilon);
    m[i] = m_new;
    v[i] = v_new;
    gradients[i] = vec4f();
  }
//@end
}
