// row_total  the sum of `value` over the LANES neighbouring invocations of a row, the same on all of them
// needs      Total, f32 or a vector of it; LANES, ROWS, SUBGROUP, constants: with SUBGROUP a row's lanes are in one
//            subgroup, else they share workgroup memory. All invocations of the workgroup call it together
// source     (ours)
//@if SUBGROUP
fn rowTotal(value: Total, own: u32) -> Total {
  var sum = value;
  for (var half = u32(LANES / 2); half > 0; half /= 2) { sum += subgroupShuffleXor(sum, half); }
  return sum;
}
//@else
var<workgroup> sums: array<Total, ROWS * LANES>;
fn rowTotal(value: Total, own: u32) -> Total {
  let lane = own % LANES;
  workgroupBarrier();
  sums[own] = value;
  for (var half = u32(LANES / 2); half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) { sums[own] += sums[own + half]; }
  }
  workgroupBarrier();
  return sums[own - lane];
}
//@end
