// exp_negative  e^x for x up to about 0, not below 2^-126: 2^round(t) times 2^fraction
// error         1.6e-7, relative: the polynomial goes through six Chebyshev nodes
// source        (ours)
fn expNegative(x: vec4f) -> vec4f {
  let t = max(x * 1.44269504, vec4f(-126.0));
  let whole = round(t);
  let f = t - whole;
  let p = ((((0.0013390863 * f + 0.009676032) * f + 0.05550357) * f + 0.24022107) * f + 0.6931472) * f + 1.0000001;
  return bitcast<vec4f>((vec4i(whole) + vec4i(127)) << vec4u(23)) * p;
}
