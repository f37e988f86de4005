/** All algorithms. A new one gets a row here. */
export { expertIteration } from "./expert_iteration.ts";
export { gigpo } from "./gigpo.ts";
export { grpo } from "./grpo.ts";
export { ppo } from "./ppo.ts";
export { reinforcePlusPlus } from "./reinforce.ts";
export { rloo } from "./rloo.ts";
export { tokenPpo } from "./token_ppo.ts";
export { vlDac } from "./vl_dac.ts";
