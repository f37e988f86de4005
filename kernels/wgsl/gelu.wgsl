// gelu      0.5 x (1 + tanh z) = x / (1 + exp(-2z)), z = sqrt(2/pi) (x + 0.044715 x^3)
//           one exp, and no tanh to overflow; exp(88) still fits in f32
// needs     Value, f32 or a vector of it
// source    arXiv:1606.08415, tanh form
fn gelu(x: Value) -> Value {
  let z = 0.7978845608028654 * x * (1.0 + 0.044715 * x * x);
  return x / (1.0 + exp(min(-2.0 * z, Value(88.0))));
}
