/**
 * Acting outside a run: a policy faces one environment, or one picture and a prompt.
 *
 * @module
 */
import { defineEnvironment, type Environment, type Info, type Observation } from "../envs/mod.ts";
import { decodePicture } from "./image.ts";
import type { Act, ActSettings, Policy } from "./policy.ts";
import { samplerState } from "./rollout.ts";

/** What a policy can be shown: an environment that has been reset, or a picture as pixels or as the bytes of a PNG. */
export type Scene = Environment | Observation | Uint8Array;

/** How many responses each policy has given so far. The next response draws other random numbers. */
const responses = new WeakMap<Policy, number>();

/**
 * Shows a policy an environment's present state, or a picture with a prompt. Returns the response and the action in it. The
 * environment is not stepped. See `Policy.act`, also for what it throws.
 */
export async function act(
  policy: Policy,
  scene: Scene,
  promptOrSettings: string | ActSettings = {},
  settings: ActSettings = typeof promptOrSettings === "string" ? {} : promptOrSettings,
): Promise<Act> {
  const env = isEnvironment(scene)
    ? scene
    : pictureEnvironment(scene, String(promptOrSettings), settings.actions ?? policy.actions);
  const { greedy = false, seed = 0, temperature, maxNewTokens } = { ...policy.sampling, ...settings };
  const earlier = responses.get(policy) ?? 0;
  responses.set(policy, earlier + 1);
  const [decision] = await policy.respond([{ env, ...present(env) }], {
    temperature,
    greedy,
    maxNewTokens,
    random: samplerState(1, seed, earlier * maxNewTokens),
  });
  const { action } = decision.parse;
  return { ...decision, action: action === null ? null : env.actions[action] };
}

function present(env: Environment): { readonly info: Info; readonly observation: Observation } {
  const { info, observation } = env.current();
  return { info, observation };
}

function isEnvironment(scene: Scene): scene is Environment {
  return "reset" in scene;
}

/** An environment that shows one picture and has one prompt. */
function pictureEnvironment(
  picture: Observation | Uint8Array,
  prompt: string,
  actions: readonly string[],
): Environment {
  if (actions.length === 0) {
    throw new TypeError(
      "Cannot act on a picture: the checkpoint does not name its actions, pass `actions` as a setting",
    );
  }
  const observation = picture instanceof Uint8Array ? decodePicture(picture) : picture;
  const env = defineEnvironment({
    name: "picture",
    make: () => ({
      actions,
      prompt: () => prompt,
      reset: () => ({ observation, info: { goalReached: false } }),
      step: (): never => {
        throw new Error("Cannot step a picture: it has no rules");
      },
    }),
  }).make();
  env.reset();
  return env;
}
