/**
 * Plays an episode step by step, with all that is shown of a step; in Deno as in a browser.
 *
 * @module
 */
import type { EnvironmentDefinition } from "../../envs/mod.ts";
import type { Agent } from "../../rl/agent.ts";
import { EVALUATION_SEEDS } from "../../rl/evaluation.ts";
import type { Decision } from "../../rl/policy.ts";
import { isSuccess, samplerState } from "../../rl/rollout.ts";
import type { Frame, PlayChoice, Step, Written } from "./protocol.ts";

/** Plays a held-out episode, the one of that number in `./ponder play --seed`. Deterministic. */
export async function* playSteps(
  agent: Agent,
  environment: EnvironmentDefinition,
  { episode, greedy }: Omit<PlayChoice, "policy">,
): AsyncGenerator<{ readonly step: Step; readonly frame: Frame }> {
  const env = environment.make();
  let state = env.reset({ seed: EVALUATION_SEEDS + episode });
  let episodeReturn = 0;
  const { temperature, maxNewTokens } = agent.sampling;
  for (let step = 1, isOver = false; !isOver; step++) {
    const { info, observation } = state;
    const [decision] = await agent.respond([{ env, info, observation }], {
      temperature,
      greedy,
      maxNewTokens,
      random: samplerState(1, EVALUATION_SEEDS + episode, (step - 1) * maxNewTokens),
    });
    const { action } = decision.parse;
    const taken = action ?? env.randomAction();
    const result = env.step(taken);
    episodeReturn += result.reward;
    isOver = result.terminated || result.truncated;
    const { current, target } = info as unknown as { current: number; target: number };
    yield {
      step: {
        step,
        current,
        target,
        tokens: writtenIn(decision),
        action: env.actions[taken],
        isParsed: action !== null,
        value: decision.response.value,
        reward: result.reward,
        episodeReturn,
        isOver,
        success: isSuccess(env, episodeReturn, result.info.goalReached),
      },
      frame: { width: observation.width, height: observation.height, data: observation.data.slice() },
    };
    state = result;
  }
}

/** A response token by token; the end token has no text and is left out. */
function writtenIn({ decoding, parse, response }: Decision): Written[] {
  const { text, starts, ends } = decoding;
  return Array.from(ends, (end, i) => ({
    text: text.slice(starts[i], end),
    logprob: response.logprobs[i],
    isAction: parse.action !== null && starts[i] < parse.end && end > parse.start,
  })).filter((token) => token.text !== "");
}
