// lowest    where running maxima of scores and logits start
// source    (ours)

// The lowest f32, which no finite score or logit is below.
const LOWEST = -3.4028234e38;
// e to the power of it is 0 in f32: bounds differences of logits whose exponential is 0 but whose product with 0 may be NaN.
const FAR = -200.0;
