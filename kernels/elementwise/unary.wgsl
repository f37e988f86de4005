// unary     Y[i] = f(X[i]);  with BACKWARD: dX[i] = dY[i] * f'(X[i])
// shapes    X, Y (n), or X, dY, dX (n); a and b are the scalars of scale, shift and clamp
// bindings  0 X read, 1 Y (dX) write, 2 {n,a,b} uniform, 3 dY read with BACKWARD
// work      PER_LANE vec4s an invocation; with RAGGED, n % 4 > 0, the last keeps the words behind n
// traffic   8n bytes, 12n with BACKWARD
// source    GELU in its tanh form, arXiv:1606.08415; x/2 (1 + tanh u) = x / (1 + exp(-2u)) needs no tanh

struct Shape {
  n: u32,
  a: f32,
  b: f32,
}

@group(0) @binding(0) var<storage, read> X: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> Y: array<vec4f>;
@group(0) @binding(2) var<uniform> shape: Shape;
//@if BACKWARD
@group(0) @binding(3) var<storage, read> dY: array<vec4f>;
//@end

// Numbers of the ops: the order of `unaryOps` in mod.ts.
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

const TWICE_SQRT_2_OVER_PI = 1.5957691216057308;

// 1 / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3); the bound keeps exp finite.
fn gelu_gate(x: vec4f) -> vec4f {
  let twice_u = TWICE_SQRT_2_OVER_PI * x * (1.0 + 0.044715 * x * x);
  return 1.0 / (1.0 + exp(clamp(-twice_u, vec4f(-80.0), vec4f(80.0))));
}

fn forward(x: vec4f) -> vec4f {
  switch OP {
    case EXP: { return exp(x); }
    case LOG: { return log(x); }
    case NEGATE: { return -x; }
    case SQUARE: { return x * x; }
    case GELU: { return x * gelu_gate(x); }
    case RELU: { return max(x, vec4f()); }
    case SCALE: { return shape.a * x; }
    case SHIFT: { return x + shape.a; }
    case CLAMP: { return clamp(x, vec4f(shape.a), vec4f(shape.b)); }
    default: { return x; }
  }
}

fn derivative(x: vec4f) -> vec4f {
  switch OP {
    case EXP: { return exp(x); }
    case LOG: { return 1.0 / x; }
    case NEGATE: { return vec4f(-1.0); }
    case SQUARE: { return 2.0 * x; }
    // f = x g, g' = g (1 - g) * 2u', 2u' = 2 sqrt(2/pi) (1 + 3 * 0.044715 x^2)
    case GELU: {
      let g = gelu_gate(x);
      return g + x * g * (1.0 - g) * TWICE_SQRT_2_OVER_PI * (1.0 + 0.134145 * x * x);
    }
    case RELU: { return select(vec4f(), vec4f(1.0), x > vec4f()); }
    case SCALE: { return vec4f(shape.a); }
    case CLAMP: { return select(vec4f(), vec4f(1.0), (x > vec4f(shape.a)) & (x < vec4f(shape.b))); }
    default: { return vec4f(1.0); }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let flat = id.x + id.y * groups.x * 64;
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
    if (4 * i < shape.n) {
      //@if BACKWARD
      var value = dy_$j * derivative(x_$j);
      //@else
      var value = forward(x_$j);
      //@end
      //@if RAGGED
      value = select(Y[i], value, vec4u(0, 1, 2, 3) < vec4u(shape.n - 4 * i));
      //@end
      Y[i] = value;
    }
  }
  //@end
}
