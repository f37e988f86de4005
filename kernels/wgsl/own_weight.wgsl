// own_weight  what a new token weighs in the streaming softmax that it starts
// source      (ours)

// The new token's weight exp(score - score): 1, or NaN for NaN and +infinity. By bits: differences of equals get folded.
fn ownWeight(score: f32) -> f32 {
  let bits = bitcast<u32>(score);
  let is_nan = (bits & 0x7fffffffu) > 0x7f800000u || bits == 0x7f800000u;
  return select(1.0, bitcast<f32>(bits | 0x00400000u), is_nan);
}
