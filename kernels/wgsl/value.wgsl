// value     the type of what an invocation reads and writes: vec4f with VECTOR, one word without
// needs     VECTOR, a constant
// source    (ours)
//@if VECTOR
alias Value = vec4f;
//@else
alias Value = f32;
//@end
