// exp_negative  e^x for bounded x up to about 0: 2^round(t) times 2^fraction
// error         1.6e-7, relative: the polynomial goes through six Chebyshev nodes
// values        NaN stays NaN
// source        (ours)

// x, but not below the logarithm of 2^-126. Not by max, which may drop NaN.
fn bounded(x: vec4f) -> vec4f {
  return select(x, vec4f(-87.33654), x < vec4f(-87.33654));
}

fn expNegative(x: vec4f) -> vec4f {
  let t = x * 1.44269504;
  let whole = round(t);
  let f = t - whole;
  let p = ((((0.0013390863 * f + 0.009676032) * f + 0.05550357) * f + 0.24022107) * f + 0.6931472) * f + 1.0000001;
  return bitcast<vec4f>((vec4i(whole) + vec4i(127)) << vec4u(23)) * p;
}
