// chain     v[k] = f_k(v[left], v[right]), step by step, of elementwise ops that are one launch; results are some of the v
//           with BACKWARD: the gradients of inputs from those of results, the values computed again
// shapes    X, dY, results (n)
// bindings  0 {n} uniform; from 1 the inputs X read; with BACKWARD dY read; results, or gradients of inputs, write
// work      PER_LANE vec4s an invocation; with RAGGED, n % 4 > 0, the last keeps the words behind n. Values are numbered as
//           bindings are, inputs first, and are in registers: the loops over steps are unrolled, their numbers constants
// traffic   4n bytes an input, dY and result
// steps     what is between two ops stays in registers: PPO's losses take 4 launches where ops one by one took 36

struct Shape {
  n: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
//@for k in 1..X_END
@group(0) @binding($k) var<storage, read> X_$k: array<vec4f>;
//@end
//@for k in X_END..DY_END
@group(0) @binding($k) var<storage, read> dY_$k: array<vec4f>;
//@end
//@for k in DY_END..RESULT_END
@group(0) @binding($k) var<storage, read_write> result_$k: array<vec4f>;
//@end

// Numbers of the ops: the order of `unaryOps`, then `binaryOps`, in mod.ts.
const EXP = 0;
const LOG = 1;
const NEGATE = 2;
const SQUARE = 3;
const GELU = 4;
const RELU = 5;
const SCALE = 6;
const SHIFT = 7;
const CLAMP = 8;
const COPY = 9;
const ADD = 10;
const SUBTRACT = 11;
const MULTIPLY = 12;
const MINIMUM = 13;
const MAXIMUM = 14;

const TWICE_SQRT_2_OVER_PI = 1.5957691216057308;

// As in unary.wgsl.
fn gelu_gate(x: vec4f) -> vec4f {
  let twice_u = TWICE_SQRT_2_OVER_PI * x * (1.0 + 0.044715 * x * x);
  return 1.0 / (1.0 + exp(clamp(-twice_u, vec4f(-80.0), vec4f(80.0))));
}

fn value(op: u32, x: vec4f, y: vec4f, a: f32, b: f32) -> vec4f {
  switch op {
    case EXP: { return exp(x); }
    case LOG: { return log(x); }
    case NEGATE: { return -x; }
    case SQUARE: { return x * x; }
    case GELU: { return x * gelu_gate(x); }
    case RELU: { return max(x, vec4f()); }
    case SCALE: { return a * x; }
    case SHIFT: { return x + a; }
    case CLAMP: { return clamp(x, vec4f(a), vec4f(b)); }
    case ADD: { return x + y; }
    case SUBTRACT: { return x - y; }
    case MULTIPLY: { return x * y; }
    case MINIMUM: { return min(x, y); }
    case MAXIMUM: { return max(x, y); }
    default: { return x; }
  }
}

// What x gains where a step's gradient is g; minimum and maximum give it to the chosen one, ties to x.
fn gradient_of_x(op: u32, g: vec4f, x: vec4f, y: vec4f, a: f32, b: f32) -> vec4f {
  switch op {
    case EXP: { return g * exp(x); }
    case LOG: { return g / x; }
    case NEGATE: { return -g; }
    case SQUARE: { return g * 2.0 * x; }
    case GELU: {
      let gate = gelu_gate(x);
      return g * (gate + x * gate * (1.0 - gate) * TWICE_SQRT_2_OVER_PI * (1.0 + 0.134145 * x * x));
    }
    case RELU: { return select(vec4f(), g, x > vec4f()); }
    case SCALE: { return g * a; }
    case CLAMP: { return select(vec4f(), g, (x > vec4f(a)) & (x < vec4f(b))); }
    case MULTIPLY: { return g * y; }
    case MINIMUM: { return select(vec4f(), g, x <= y); }
    case MAXIMUM: { return select(vec4f(), g, x >= y); }
    default: { return g; }
  }
}

fn gradient_of_y(op: u32, g: vec4f, x: vec4f, y: vec4f) -> vec4f {
  switch op {
    case ADD: { return g; }
    case SUBTRACT: { return -g; }
    case MULTIPLY: { return g * x; }
    case MINIMUM: { return select(g, vec4f(), x <= y); }
    case MAXIMUM: { return select(g, vec4f(), x >= y); }
    default: { return vec4f(); }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let flat = id.x + id.y * groups.x * 64;
  // Eight neighbours read eight vec4s in a row, then the next eight.
  let first = flat / 8 * (8 * PER_LANE) + flat % 8;
  //@for j in 0..PER_LANE
  if (4 * (first + 8 * $j) < shape.n) {
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
      d[LAST_LEFT_$s] += gradient_of_x(LAST_OP_$s, g, x, y, LAST_A_$s, LAST_B_$s);
      d[LAST_RIGHT_$s] += gradient_of_y(LAST_OP_$s, g, x, y);
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
    out_$k = select(result_$k[i], out_$k, vec4u(0, 1, 2, 3) < vec4u(shape.n - 4 * i));
    //@end
    result_$k[i] = out_$k;
    //@end
  }
  //@end
}
