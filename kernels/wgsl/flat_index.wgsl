// flat_index  number of an invocation in the grid that `flatGrid` of kernels/gpu/launch.ts lays out
// needs       workgroups of 64 x 1 x 1; the builtins global_invocation_id and num_workgroups
// source      (ours)
fn flatIndex(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}
