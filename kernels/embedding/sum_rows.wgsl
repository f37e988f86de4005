// sumRows   dTable[v,c] (+)= sum over i in starts[v]..starts[v+1] of dY[items[i],c]
//           backward of Y[n,c] = table[index[n],c]: each table row collects the gradients of the rows it was read by
// shapes    dY (N,C)  starts (rows+1)  items (number of items)  dTable (rows,C); C counts vec4s when VECTOR
// bindings  0 dY read or texels, 1 starts read, 2 items read, 3 dTable read-write,
//           4 {rows,C,accumulate,base,names} uniform; base is dY's first texel in its storage, 5 named read (with NAMED)
// work      one invocation per Value of dTable adds its bucket in a fixed order, in f32: deterministic, no atomics; with
//           NAMED only those of the rows that `named` lists, most of a large table being read by nobody
// traffic   4C items + 8C rows + 4 items bytes, with NAMED of the named rows
// texture   dY through its texture mirror, which the matmul gradients read too: 3x cheaper loads on software Vulkan
// source    (ours)

//@include "value.wgsl"

//@include "texel.wgsl"

struct Params {
  rows: u32,
  C: u32,
  accumulate: u32,
  base: u32,
  names: u32, // rows listed
}

//@if TEXTURE
@group(0) @binding(0) var dY: texture_storage_2d<rgba32float, read>;
//@else
@group(0) @binding(0) var<storage, read> dY: array<Value>;
//@end
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> items: array<u32>;
@group(0) @binding(3) var<storage, read_write> dTable: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;
//@if NAMED
@group(0) @binding(5) var<storage, read> named: array<u32>;
//@end

fn load(row: u32, c: u32) -> Value {
  let i = params.base + row * params.C + c;
//@if TEXTURE
  return textureLoad(dY, texel(i));
//@else
  return dY[i];
//@end
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let c = id.x;
  var v = id.y + id.z * groups.y * 8u;
//@if NAMED
  if (v >= params.names) {
    return;
  }
  v = named[v];
//@end
  if (c >= params.C || v >= params.rows) {
    return;
  }
  let end = starts[v + 1u];
  var i = starts[v];
  // Four sums of every fourth item: independent loads, and shorter chains of roundings.
//@for j in 0..4
  var sum_$j = Value();
//@end
  for (; i + 3u < end; i += 4u) {
//@for j in 0..4
    sum_$j += load(items[i + $ju], c);
//@end
  }
  for (; i < end; i++) {
    sum_0 += load(items[i], c);
  }
  var total = (sum_0 + sum_1) + (sum_2 + sum_3);
  let target_index = v * params.C + c;
  if (params.accumulate != 0u) {
    total += dTable[target_index];
  }
  dTable[target_index] = total;
}
