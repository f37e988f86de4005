/**
 * Plays an episode step by step, with all that is shown of a step; in Deno as in a browser.
 *
 * @module
 */
import type { Environment, EnvironmentDefinition, ResetResult } from "../../envs/mod.ts";
import { Random } from "../../envs/mod.ts";
import type { Agent } from "../../rl/agent.ts";
import { EVALUATION_SEEDS } from "../../rl/evaluation.ts";
import type { Decision } from "../../rl/policy.ts";
import { isSuccess, samplerState } from "../../rl/rollout.ts";
import type { Frame, PlayChoice, Step, Written } from "./protocol.ts";

/** Responds to a state. */
type Respond = (
  env: Environment,
  state: ResetResult,
  step: number,
) => Promise<{ readonly tokens: Written[]; readonly action: number | null; readonly value: number | null }>;

/** A policy that responds to one state at a time. Deterministic. */
export function responder(
  agent: Agent,
  { episode, greedy }: Pick<PlayChoice, "episode" | "greedy">,
): Respond {
  const { temperature, maxNewTokens } = agent.sampling;
  return async (env, { info, observation }, step) => {
    const [decision] = await agent.respond([{ env, info, observation }], {
      temperature,
      greedy,
      maxNewTokens,
      random: samplerState(1, EVALUATION_SEEDS + episode, (step - 1) * maxNewTokens),
    });
    return { tokens: writtenIn(decision), action: decision.parse.action, value: decision.response.value };
  };
}

/** The scripted solver, without its mistakes. */
export const solver: Respond = (env) => {
  const bias = Object.fromEntries(Object.keys(env.bias ?? {}).map((kind) => [kind, 0]));
  const text = env.demonstrate?.(new Random(0, "no mistakes"), { cot: true, bias }) ?? "";
  const { action, start, end } = env.parse(text);
  const parts = action === null
    ? [[text, false] as const]
    : [[text.slice(0, start), false], [text.slice(start, end), true], [text.slice(end), false]] as const;
  const tokens = parts.filter(([text]) => text !== "").map(([text, isAction]) => ({
    text,
    logprob: 0,
    isAction,
  }));
  return Promise.resolve({ tokens, action: action ?? env.solve?.() ?? null, value: null });
};

/**
 * Plays a held-out episode, the one of that number in `./ponder play --seed`. `onScene` is told of each state before the
 * policy responds.
 */
export async function* playSteps(
  respond: Respond,
  environment: EnvironmentDefinition,
  { episode, onScene }: { episode: number; onScene?: (info: Step["info"], frame: Frame) => void },
): AsyncGenerator<{ readonly step: Step; readonly frame: Frame }> {
  const env = environment.make();
  let state: ResetResult = env.reset({ seed: EVALUATION_SEEDS + episode });
  let episodeReturn = 0;
  const frameOf = ({ width, height, data }: Frame) => ({ width, height, data: data.slice() });
  for (let step = 1, isOver = false; !isOver; step++) {
    const { info, observation } = state;
    onScene?.(info, frameOf(observation));
    const { tokens, action, value } = await respond(env, state, step);
    const taken = action ?? env.randomAction();
    const result = env.step(taken);
    episodeReturn += result.reward;
    isOver = result.terminated || result.truncated;
    yield {
      step: {
        step,
        info,
        tokens,
        action: env.actions[taken],
        isParsed: action !== null,
        value,
        reward: result.reward,
        episodeReturn,
        isOver,
        success: isSuccess(env, episodeReturn, result.info.goalReached),
      },
      frame: frameOf(observation),
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
