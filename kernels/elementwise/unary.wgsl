// unary     Y[i] = f(X[i]);  with BACKWARD: dX[i] = dY[i] * f'(X[i])
// shapes    X, Y (n), or X, dY, dX (n); a and b are the scalars of scale, shift and clamp
// bindings  0 X read, 1 Y (dX) write, 2 {n,a,b} uniform, 3 dY read with BACKWARD
// work      PER_LANE vec4s an invocation; with RAGGED, n % 4 > 0, the last keeps the words behind n
// traffic   8n bytes, 12n with BACKWARD
// source    ops.wgsl has the functions

//@include "flat_index.wgsl"

//@include "ops.wgsl"

struct Params {
  n: u32,
  a: f32,
  b: f32,
}

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;
//@if BACKWARD
@group(0) @binding(3) var<storage, read> dY: array<vec4f>;
//@end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let flat = flatIndex(id, groups);
  // Eight neighbours read eight vec4s in a row, then the next eight.
  let first = flat / 8 * (8 * PER_LANE) + flat % 8;
  //@for j in 0..PER_LANE
  let x_$j = X[first + 8 * $j];
  //@if BACKWARD
  let dy_$j = dY[first + 8 * $j];
  //@end
  //@end
  //@for j in 0..PER_LANE
  {
    let i = first + 8 * $j;
    if (4 * i < params.n) {
      //@if BACKWARD
      var y = gradientOfX(OP, dy_$j, x_$j, vec4f(), params.a, params.b);
      //@else
      var y = value(OP, x_$j, vec4f(), params.a, params.b);
      //@end
      //@if RAGGED
      y = select(Y[i], y, vec4u(0, 1, 2, 3) < vec4u(params.n - 4 * i));
      //@end
      Y[i] = y;
    }
  }
  //@end
}
