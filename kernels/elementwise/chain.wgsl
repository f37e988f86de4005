// chain     v[k] = f_k(v[left], v[right]), step by step, of elementwise ops that are one launch; results are some of the v
//           with BACKWARD: the gradients of inputs from those of results, the values computed again
// shapes    X, dY, results (n)
// bindings  0 {n} uniform; from 1 the inputs X read; with BACKWARD dY read; results, or gradients of inputs, write
// work      PER_LANE vec4s an invocation; with RAGGED, n % 4 > 0, the last keeps the words behind n. Values are numbered as
//           bindings are, inputs first, and are in registers: the loops over steps are unrolled, their numbers constants
// traffic   4n bytes an input, dY and result
// steps     what is between two ops stays in registers: PPO's losses take 4 launches; ops one by one took 36
// source    ops.wgsl has the functions

//@include "flat_index.wgsl"

//@include "ops.wgsl"

struct Params {
  n: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
//@for k in 1..X_END
@group(0) @binding($k) var<storage, read> X_$k: array<vec4f>;
//@end
//@for k in X_END..DY_END
@group(0) @binding($k) var<storage, read> dY_$k: array<vec4f>;
//@end
//@for k in DY_END..RESULT_END
@group(0) @binding($k) var<storage, read_write> result_$k: array<vec4f>;
//@end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let flat = flatIndex(id, groups);
  // Eight neighbours read eight vec4s in a row, then the next eight.
  let first = flat / 8 * (8 * PER_LANE) + flat % 8;
  //@for j in 0..PER_LANE
  if (4 * (first + 8 * $j) < params.n) {
    let i = first + 8 * $j;
    // v[0] is the second operand of ops that have one.
    var v: array<vec4f, VALUES>;
    //@for k in 1..X_END
    v[$k] = X_$k[i];
    //@end
    //@for k in X_END..VALUES
    v[$k] = value(OP_$k, v[LEFT_$k], v[RIGHT_$k], A_$k, B_$k);
    //@end
    //@if BACKWARD
    var d: array<vec4f, VALUES>;
    //@for k in X_END..DY_END
    d[OF_$k] += dY_$k[i];
    //@end
    // The last step first.
    //@for s in 0..STEPS
    {
      let g = d[LAST_$s];
      let x = v[LAST_LEFT_$s];
      let y = v[LAST_RIGHT_$s];
      d[LAST_LEFT_$s] += gradientOfX(LAST_OP_$s, g, x, y, LAST_A_$s, LAST_B_$s);
      d[LAST_RIGHT_$s] += gradientOfY(LAST_OP_$s, g, x, y);
    }
    //@end
    //@for k in DY_END..RESULT_END
    var out_$k = d[OF_$k];
    //@end
    //@else
    //@for k in DY_END..RESULT_END
    var out_$k = v[OF_$k];
    //@end
    //@end
    //@for k in DY_END..RESULT_END
    //@if RAGGED
    out_$k = select(result_$k[i], out_$k, vec4u(0, 1, 2, 3) < vec4u(params.n - 4 * i));
    //@end
    result_$k[i] = out_$k;
    //@end
  }
  //@end
}
