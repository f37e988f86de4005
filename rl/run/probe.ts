/**
 * A test of a policy before its weights are kept. Finite weights can be so large that the outputs are not finite.
 *
 * @module
 */
import type { Environment } from "../../envs/mod.ts";
import { requireFinite } from "../../kernels/gpu/mod.ts";
import { type Segment, Tape } from "../../model/mod.ts";
import type { Policy } from "../policy.ts";

/** The prompt of one fixed state of `env`. */
export function probePrompt(policy: Policy, env: Environment): Segment[] {
  return policy.promptOf({ env, ...env.reset({ seed: 0 }) });
}

/**
 * Runs the policy forward on a prompt and requires finite outputs.
 *
 * @param action What the message says cannot be done, such as `keep the weights of SFT update 7`.
 * @throws {NotFiniteError} when the log-probability, the entropy or the value is NaN or infinite.
 */
export async function requireSound(
  policy: Policy,
  prompt: readonly Segment[],
  action: string,
  temperature: number,
): Promise<void> {
  using tape = new Tape(policy.gpu, { record: false });
  const { logprob, entropy, values } = policy.forward(tape, policy.batch([{ prompt, response: [0] }]), {
    temperature,
    values: "turn",
  });
  const [logprobs, entropies, [value]] = await policy.gpu.read(logprob.data, entropy.data, values!.data);
  requireFinite(action, [logprobs[0]], () => "the log-probability of a token");
  requireFinite(action, [entropies[0]], () => "the entropy at a token");
  requireFinite(action, [value], () => "the value of a prompt");
}
