// lanes     maximum and sum over the 8 lanes of a workgroup, the same on all of them and in every run
// needs     BROADCAST, a constant: each lane's value by broadcast of a known lane. A function of the whole subgroup, as
//           subgroupMax, is a loop on llvmpipe. Without it, through workgroup memory; all lanes call together
// source    (ours)
//@if BROADCAST
//@else
var<workgroup> exchange: array<f32, 8>;
//@end

fn rowMax(value: f32, lane: u32) -> f32 {
  //@if BROADCAST
  //@for i in 0..8
  let v_$i = subgroupBroadcast(value, $iu);
  //@end
  //@else
  workgroupBarrier();
  exchange[lane] = value;
  workgroupBarrier();
  //@for i in 0..8
  let v_$i = exchange[$i];
  //@end
  //@end
  return max(max(max(v_0, v_1), max(v_2, v_3)), max(max(v_4, v_5), max(v_6, v_7)));
}

fn rowTotal(value: f32, lane: u32) -> f32 {
  //@if BROADCAST
  //@for i in 0..8
  let v_$i = subgroupBroadcast(value, $iu);
  //@end
  //@else
  workgroupBarrier();
  exchange[lane] = value;
  workgroupBarrier();
  //@for i in 0..8
  let v_$i = exchange[$i];
  //@end
  //@end
  return ((v_0 + v_1) + (v_2 + v_3)) + ((v_4 + v_5) + (v_6 + v_7));
}
