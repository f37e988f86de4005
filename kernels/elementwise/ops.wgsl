// ops       the elementwise functions and their gradients; no kernel of its own, but the end of others' texts
// source    GELU in its tanh form, arXiv:1606.08415; x/2 (1 + tanh u) = x / (1 + exp(-2u)) needs no tanh

// Numbers of the ops: the order of `unaryOps`, then `binaryOps`, in ops.ts.
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

// 1 / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3); the bound keeps exp finite.
fn geluGate(x: vec4f) -> vec4f {
  let twice_u = TWICE_SQRT_2_OVER_PI * x * (1.0 + 0.044715 * x * x);
  return 1.0 / (1.0 + exp(clamp(-twice_u, vec4f(-80.0), vec4f(80.0))));
}

// By bits: comparisons with NaN may be folded. max, min and clamp may return their other operand for it.
fn isNan(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffff)) > vec4u(0x7f800000);
}

// f(x), or f(x, y), NaN for a NaN of either; a and b are the scalars of scale, shift and clamp.
fn value(op: u32, x: vec4f, y: vec4f, a: f32, b: f32) -> vec4f {
  switch op {
    case EXP: { return exp(x); }
    case LOG: { return log(x); }
    case NEGATE: { return -x; }
    case SQUARE: { return x * x; }
    case GELU: { return x * geluGate(x); }
    case RELU: { return select(max(x, vec4f()), x, isNan(x)); }
    case SCALE: { return a * x; }
    case SHIFT: { return x + a; }
    case CLAMP: { return select(clamp(x, vec4f(a), vec4f(b)), x, isNan(x)); }
    case ADD: { return x + y; }
    case SUBTRACT: { return x - y; }
    case MULTIPLY: { return x * y; }
    case MINIMUM: { return select(min(x, y), x + y, isNan(x) | isNan(y)); }
    case MAXIMUM: { return select(max(x, y), x + y, isNan(x) | isNan(y)); }
    default: { return x; }
  }
}

// What x gains when a step's gradient is g; minimum and maximum give it to the chosen one, ties to x. At its bounds clamp
// passes it on.
fn gradientOfX(op: u32, g: vec4f, x: vec4f, y: vec4f, a: f32, b: f32) -> vec4f {
  switch op {
    case EXP: { return g * exp(x); }
    case LOG: { return g * (1.0 / x); }
    case NEGATE: { return -g; }
    case SQUARE: { return g * (2.0 * x); }
    // f = x gate, gate' = gate (1 - gate) * 2u', 2u' = 2 sqrt(2/pi) (1 + 3 * 0.044715 x^2)
    case GELU: {
      let gate = geluGate(x);
      return g * (gate + x * gate * (1.0 - gate) * TWICE_SQRT_2_OVER_PI * (1.0 + 0.134145 * x * x));
    }
    case RELU: { return g * select(vec4f(), vec4f(1.0), x > vec4f()); }
    case SCALE: { return g * a; }
    case CLAMP: { return g * select(vec4f(), vec4f(1.0), (x >= vec4f(a)) & (x <= vec4f(b))); }
    case MULTIPLY: { return g * y; }
    case MINIMUM: { return select(vec4f(), g, x <= y); }
    case MAXIMUM: { return select(vec4f(), g, x >= y); }
    default: { return g; }
  }
}

fn gradientOfY(op: u32, g: vec4f, x: vec4f, y: vec4f) -> vec4f {
  switch op {
    case ADD: { return g; }
    case SUBTRACT: { return -g; }
    case MULTIPLY: { return g * x; }
    case MINIMUM: { return select(g, vec4f(), x <= y); }
    case MAXIMUM: { return select(g, vec4f(), x >= y); }
    default: { return vec4f(); }
  }
}
